package import AgentStatus

/// Who is told of a server's requests, as they go on and of each when it is over: what counts them all (`RequestCounts`)
/// and the access log. Whatever else is to hear of them is told here. Bound to one event loop.
package struct RequestObserver {
    private let counts: RequestCounts
    private let log: AccessLog

    package init(counts: RequestCounts, log: AccessLog) {
        self.counts = counts
        self.log = log
    }

    /// A request goes to a tunnel.
    package func requestBegan() { counts.requestBegan() }

    /// So many more bytes of a request's body went into a tunnel.
    package func requestBody(_ bytes: Int) { counts.requestBody(bytes) }

    /// So many more bytes of an answer's body came out of one.
    package func responseBody(_ bytes: Int) { counts.responseBody(bytes) }

    /// A request is answered here, for this reason.
    package func refused(_ code: ErrorCode) { counts.refused(code) }

    /// Whether anybody wants to know of a request on its way.
    package var wantsSteps: Bool { log.tellsSteps }

    /// A request is on its way; the step is made where somebody wants to know.
    package func note(_ step: @autoclosure () -> AccessStep, tokenHint: String?, requestID: UInt64) {
        log.write(step(), tokenHint: tokenHint, requestID: requestID)
    }

    /// A request is over, told once of each.
    ///
    /// - Parameters:
    ///   - status: of the head that its caller got; nil for none.
    ///   - record: made where somebody wants to know more; nil for what is told otherwise.
    package func finished(
        status: Int?, _ outcome: AccessOutcome, _ timing: RequestTiming,
        _ record: @autoclosure () -> AccessRecord?
    ) {
        counts.requestEnded(status, outcome, timing)
        log.write(record())
    }
}
