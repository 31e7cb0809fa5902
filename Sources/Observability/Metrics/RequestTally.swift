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
    package var queue = DurationHistogram()
    package var tunnel = DurationHistogram()
    package var origin = DurationHistogram()
    package var whole = DurationHistogram()

    package init() {}

    /// A request is over.
    ///
    /// - Parameter status: of the head that its caller got; nil for none.
    package mutating func ended(status: Int?, _ outcome: AccessOutcome) {
        statuses[status.map { (100...599).contains($0) ? $0 : 0 } ?? 0] += 1
        outcomes[AccessOutcome.allCases.firstIndex(of: outcome) ?? 0] += 1
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
