package import AgentStatus

/// What a tunnel server has counted of requests on one event loop; a plain value that can be added to others.
package struct RequestMeasures: Sendable {
    package var requests = RequestTally()
    package var inFlight = 0
    package var refusals: [ErrorCode: UInt64] = [:]
    package var roundTrip = DurationHistogram()

    package init() {}

    fileprivate mutating func requestEnded(
        _ status: Int?, _ outcome: AccessOutcome, _ timing: borrowing RequestTiming
    ) {
        requests.ended(status: status, outcome)
        guard timing.queue != nil else { return }
        inFlight -= 1
        requests.took(timing)
    }
}

/// Counts the requests of a tunnel server on one event loop. Touched on that loop alone.
package final class RequestCounts {
    package private(set) var measures = RequestMeasures()

    package init() {}

    /// A request goes to a tunnel.
    func requestBegan() {
        measures.requests.began += 1
        measures.inFlight += 1
    }

    func requestBody(_ bytes: Int) { measures.requests.requestBytes += UInt64(bytes) }

    func responseBody(_ bytes: Int) { measures.requests.responseBytes += UInt64(bytes) }

    /// A request is over, whether or not it went to a tunnel.
    func requestEnded(_ status: Int?, _ outcome: AccessOutcome, _ timing: RequestTiming) {
        measures.requestEnded(status, outcome, timing)
    }

    /// A request or a connection was refused.
    package func refused(_ code: ErrorCode) { measures.refusals[code, default: 0] += 1 }

    /// A peer answered a ping.
    package func measured(roundTrip: Duration) { measures.roundTrip.record(roundTrip) }
}
