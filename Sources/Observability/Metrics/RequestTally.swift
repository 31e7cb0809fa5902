/// What became of requests, and how long they took: a plain value that one thread has, and that can be added to others.
package struct RequestTally: Sendable, Hashable {
    /// Requests that went to a tunnel.
    package var began: UInt64 = 0
    /// Those that are over, by the status of their answer: 100 to 599, and 0 for none.
    package private(set) var statuses = [UInt64](repeating: 0, count: 600)
    /// The same by what became of them, in the order of `AccessOutcome.allCases`.
    package private(set) var outcomes = [UInt64](repeating: 0, count: AccessOutcome.allCases.count)
    /// Bytes of bodies.
    package var requestBytes: UInt64 = 0
    package var responseBytes: UInt64 = 0
    /// How long those took that went to a tunnel: see `RequestTimes`.
    package private(set) var queue = DurationHistogram()
    package private(set) var tunnel = DurationHistogram()
    package private(set) var origin = DurationHistogram()
    /// To their ends; without those that became raw streams, which last as long as they like.
    package private(set) var whole = DurationHistogram()

    package init() {}

    /// A request is over.
    ///
    /// - Parameter status: of the head that its caller got; nil for none.
    package mutating func ended(status: Int?, _ outcome: AccessOutcome) {
        statuses[status.map { (100...599).contains($0) ? $0 : 0 } ?? 0] += 1
        outcomes[outcome.place] += 1
    }

    /// One that went to a tunnel is over.
    mutating func took(_ timing: RequestTiming) {
        if let time = timing.queue { queue.record(microseconds: time / 1000) }
        if let time = timing.tunnel { tunnel.record(microseconds: time / 1000) }
        if let time = timing.origin { origin.record(microseconds: time / 1000) }
        if !timing.isRaw { whole.record(microseconds: timing.whole / 1000) }
    }

    package static func += (one: inout RequestTally, other: RequestTally) {
        one.began += other.began
        one.requestBytes += other.requestBytes
        one.responseBytes += other.responseBytes
        for index in one.statuses.indices { one.statuses[index] += other.statuses[index] }
        for index in one.outcomes.indices { one.outcomes[index] += other.outcomes[index] }
        one.queue += other.queue
        one.tunnel += other.tunnel
        one.origin += other.origin
        one.whole += other.whole
    }
}

extension AccessOutcome {
    /// Its place among all, found without a search.
    var place: Int {
        switch self {
        case .ok: 0
        case .answeredHere: 1
        case .callerLeft: 2
        case .callerFailed: 3
        case .originFailed: 4
        case .tunnelLost: 5
        case .noTunnel: 6
        case .timeout: 7
        case .shutdown: 8
        }
    }
}
