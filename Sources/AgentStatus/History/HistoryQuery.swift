/// What somebody wants to know of the history.
package struct HistoryQuery: Sendable, Hashable {
    package enum Subject: String, Sendable, CaseIterable {
        case events, requests, minutes
    }

    /// Rows that one answer has at most, and unless it is said.
    package static let mostRows = 1000
    package static let usualRows = 100

    package var subject: Subject
    /// Not before and not after these, in milliseconds since 1970.
    package var since: Int64?
    package var until: Int64?
    /// 1…`mostRows`, the latest ones.
    package var limit = usualRows
    /// Only those before the row of that `id`.
    package var before: Int64?
    /// Of a tunnel: its name, or its shortened token.
    package var tunnel: String?
    /// Of a tunnel server.
    package var server: String?
    /// Of events, an `AgentEvent.Kind`.
    package var kind: String?
    /// Of requests.
    package var status: ClosedRange<Int>?
    /// Only what went wrong.
    package var errorsOnly = false

    package init(_ subject: Subject) { self.subject = subject }
}

extension AgentEvent.Kind {
    /// Whether it tells that something does not work.
    package var isError: Bool {
        switch self {
        case .reloadRefused, .serverFailed, .dialFailed, .tunnelGaveUp, .handshakeRefused, .originDown,
            .error:
            true
        case .agentStarted, .agentStopping, .reloadApplied, .serverListening, .sessionUp, .sessionDown,
            .banned, .unbanned, .limitReached, .loadShed, .originUp, .certificateExpires, .paused, .resumed,
            .suppressed:
            false
        }
    }
}

extension RequestSnapshot {
    /// How long the head of an answer takes at least where that is slow, in milliseconds.
    package static let slowFrom = 1000.0

    /// What becomes of requests where it is nobody's choice.
    private static let failures: Set<String> = [
        "origin-failed", "tunnel-lost", "no-tunnel", "timeout", "shutdown", "caller-failed",
    ]

    /// Whether a request with that status and that end went wrong.
    package static func isFailure(status: Int?, outcome: String) -> Bool {
        (status ?? 0) >= 500 || failures.contains(outcome)
    }

    package var isFailure: Bool { Self.isFailure(status: status, outcome: outcome) }
}
