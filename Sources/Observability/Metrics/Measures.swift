package import AgentStatus

/// What a tunnel server has counted, at one moment: merged from its event loops for who asks.
package struct ServerMeasures: Sendable {
    package var name: String
    package var requests = RequestTally()
    /// Requests under way, those that wait included.
    package var inFlight = 0
    /// Requests that wait for a session.
    package var waiting = 0
    package var callers = 0
    package var sessions = 0
    /// Tokens that have a session.
    package var tunnels = 0
    /// Of the pings of its sessions.
    package var roundTrip = DurationHistogram()
    /// Tunnel clients that were not let in, by the reason.
    package var handshakeFailures: [ErrorCode: UInt64] = [:]
    /// Sessions that are over, by the reason.
    package var sessionEnds: [ErrorCode: UInt64] = [:]
    /// Requests and connections of callers that were refused, by the reason.
    package var refusals: [ErrorCode: UInt64] = [:]
    /// How often each limit of the configuration was reached, by its name.
    package var limitsReached: [String: UInt64] = [:]
    /// Bans since the start.
    package var bans: UInt64 = 0
    /// Addresses that are shut out now.
    package var banned = 0

    package init(name: String) { self.name = name }

    /// Adds what one event loop has counted.
    package mutating func add(_ loop: RequestMeasures) {
        requests += loop.requests
        inFlight += loop.inFlight
        roundTrip += loop.roundTrip
        refusals.merge(loop.refusals, uniquingKeysWith: +)
    }
}

/// What a tunnel client has counted, at one moment: merged from its event loops for who asks. There may be thousands.
package struct TunnelMeasures: Sendable {
    package var name: String
    package var requests = TunnelTally()
    package var inFlight = 0
    /// Sessions that are up, and that should be.
    package var sessions = 0
    package var wanted = 0
    package var roundTrip = DurationHistogram()
    /// Attempts to connect that failed, by the reason.
    package var dialFailures: [ErrorCode: UInt64] = [:]
    /// Sessions that are over, by the reason.
    package var sessionEnds: [ErrorCode: UInt64] = [:]
    /// Exchanges with origins that gave no whole answer, by the reason.
    package var originErrors: [ErrorCode: UInt64] = [:]
    /// Connections to origins: with an exchange on them, and kept for the next.
    package var originConnectionsBusy = 0
    package var originConnectionsIdle = 0
    /// Exchanges that wait for a connection.
    package var originWaiting = 0

    package init(name: String) { self.name = name }
}

/// What became of a tunnel's requests: as small as thousands of tunnels ask for. A plain value that one thread has, and that
/// can be added to others.
package struct TunnelTally: Sendable {
    package var began: UInt64 = 0
    /// By the first digit of the status, 1 to 5; at 0 those without one.
    package var statusClasses = InlineArray<6, UInt64>(repeating: 0)
    package var requestBytes: UInt64 = 0
    package var responseBytes: UInt64 = 0
    /// Of the times until origins' answers began, in microseconds, and how many those are.
    package var originMicroseconds: UInt64 = 0
    package var originAnswers: UInt64 = 0

    package init() {}

    package static func += (one: inout TunnelTally, other: TunnelTally) {
        one.began += other.began
        for digit in one.statusClasses.indices { one.statusClasses[digit] += other.statusClasses[digit] }
        one.requestBytes += other.requestBytes
        one.responseBytes += other.responseBytes
        one.originMicroseconds += other.originMicroseconds
        one.originAnswers += other.originAnswers
    }
}
