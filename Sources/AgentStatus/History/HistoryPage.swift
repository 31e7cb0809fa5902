/// Some of the history, the latest first. Holds no secret.
///
/// Property names are those of the JSON; times are milliseconds since 1970.
package struct HistoryPage: Codable, Hashable, Sendable {
    package enum Source: String, Codable, Hashable, Sendable, CaseIterable {
        case file
        /// There is no file, or it cannot be used now: little is kept.
        case memory
    }

    package var source: Source
    /// Each only where it was asked for.
    package var events: [HistoryEvent]?
    package var requests: [HistoryRequest]?
    package var minutes: [HistoryMinute]?
    /// What `before` is for what comes next; nil where there is no more.
    package var next: Int64?

    package init(source: Source) { self.source = source }
}

/// An event as the history keeps it.
package struct HistoryEvent: Codable, Hashable, Sendable {
    /// In the history; the event's own counts from the start of its agent.
    package var id: Int64
    package var event: AgentEvent

    package init(id: Int64, event: AgentEvent) {
        self.id = id
        self.event = event
    }
}

/// A request as the history keeps it.
package struct HistoryRequest: Codable, Hashable, Sendable {
    package var id: Int64
    /// How many there were for this one, itself included: where there were many, some stand for all.
    package var standsFor: Int
    package var request: RequestSnapshot

    package init(id: Int64, standsFor: Int, request: RequestSnapshot) {
        self.id = id
        self.standsFor = standsFor
        self.request = request
    }
}

/// What a server or a tunnel carried in a minute.
package struct HistoryMinute: Codable, Hashable, Sendable {
    package var id: Int64
    /// When it began.
    package var at: Int64
    /// The tunnel server that it is of.
    package var server: String?
    /// The tunnel that this agent is the client of.
    package var tunnel: String?
    /// At a server: only what went to this token's tunnel.
    package var tokenHint: String?
    /// Requests begun; of a token those that ended.
    package var requests: Int64
    /// Requests that ended badly; of tunnels of which this agent is the client it is not known.
    package var failed: Int64
    package var requestBytes: Int64
    package var responseBytes: Int64

    package init(
        id: Int64 = 0, at: Int64, server: String? = nil, tunnel: String? = nil, tokenHint: String? = nil,
        requests: Int64 = 0, failed: Int64 = 0, requestBytes: Int64 = 0, responseBytes: Int64 = 0
    ) {
        self.id = id
        self.at = at
        self.server = server
        self.tunnel = tunnel
        self.tokenHint = tokenHint
        self.requests = requests
        self.failed = failed
        self.requestBytes = requestBytes
        self.responseBytes = responseBytes
    }
}

/// How the history is kept, and whether that works.
package struct HistorySnapshot: Codable, Hashable, Sendable {
    /// Nil where it is kept in memory alone.
    package var file: String?
    /// The file and what is not in it yet, in bytes.
    package var bytes: Int = 0
    package var maxBytes: Int?
    /// Rows, about.
    package var events: Int = 0
    package var requests: Int = 0
    package var minutes: Int = 0
    /// Events, requests and minutes that came and could not be kept.
    package var lost: UInt64 = 0
    /// Why the file is not written, or cannot be read wholly, and since when, in seconds since 1970.
    package var fault: String?
    package var faultSince: Int?

    package init(file: String? = nil) { self.file = file }
}
