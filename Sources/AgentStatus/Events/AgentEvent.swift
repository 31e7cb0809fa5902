/// Something that happened to an agent and that whoever runs it may want to know: for streams, webhooks and the history.
/// Holds no secret.
///
/// Property names are those of the JSON.
package struct AgentEvent: Codable, Hashable, Sendable {
    /// What happened, in a word of a closed set.
    package enum Kind: String, Codable, Hashable, Sendable, CaseIterable {
        /// The first configuration is in force.
        case agentStarted = "agent-started"
        /// It was told to stop.
        case agentStopping = "agent-stopping"
        case reloadApplied = "reload-applied"
        case reloadRefused = "reload-refused"
        case serverListening = "server-listening"
        case serverFailed = "server-failed"
        /// A tunnel has a session: at the server as at the client.
        case sessionUp = "session-up"
        /// A session is over; `code` and `message` tell why.
        case sessionDown = "session-down"
        /// A tunnel client could not connect, as first of a row of failures.
        case dialFailed = "dial-failed"
        /// A tunnel client is out of tries.
        case tunnelGaveUp = "tunnel-gave-up"
        /// A tunnel client was not let in.
        case handshakeRefused = "handshake-refused"
        case banned
        case unbanned
        /// A limit was reached; told once a minute for each.
        case limitReached = "limit-reached"
        /// Something runs short, or does no more; `code` is empty where it is over.
        case loadShed = "load-shed"
        case originDown = "origin-down"
        case originUp = "origin-up"
        case certificateExpires = "certificate-expires"
        /// A tunnel or server was told to take nothing new, or to go on.
        case paused
        case resumed
        /// Something went wrong that is none of the above.
        case error
        /// Too many of one kind, which `code` names: how many were left out.
        case suppressed = "events-suppressed"
    }

    /// Counts up. An agent that starts later begins with a higher one: no two events have the same.
    package var id: UInt64
    /// Milliseconds since 1970.
    package var at: Int64
    package var kind: Kind
    /// The tunnel server it is about.
    package var server: String?
    /// The tunnel it is about; at a server, by the name that its client announces.
    package var tunnel: String?
    /// The shortened token.
    package var tokenHint: String?
    /// Of the process; the same in log lines.
    package var session: UInt64?
    /// Of the peer, the origin or the listener, or what is banned.
    package var address: String?
    /// An `ErrorCode`, the name of a limit, what runs short, or a kind of events.
    package var code: String?
    /// For people.
    package var message: String

    /// An event that is not published yet, which gives it its `id` and `at`.
    package init(
        _ kind: Kind, server: String? = nil, tunnel: String? = nil, tokenHint: String? = nil,
        session: UInt64? = nil, address: String? = nil, code: String? = nil, message: String
    ) {
        self.id = 0
        self.at = 0
        self.kind = kind
        self.server = server
        self.tunnel = tunnel
        self.tokenHint = tokenHint
        self.session = session
        self.address = address
        self.code = code
        self.message = message
    }
}
