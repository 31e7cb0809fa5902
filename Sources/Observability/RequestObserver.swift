package import AgentStatus

/// Who is told of a server's requests, as they go on and of each when it is over: what counts them all (`RequestCounts`)
/// and the access log. Whatever else is to hear of them is told here. There is one for each event loop, and it is bound to
/// that.
package final class RequestObserver {
    private let counts = RequestCounts()
    private let log: AccessLog
    private let lines = LineMemory()

    package init(log: AccessLog) { self.log = log }

    /// What was counted.
    package var measures: RequestMeasures { counts.measures }

    /// A peer answered a ping.
    package func measured(roundTrip: Duration) { counts.measured(roundTrip: roundTrip) }

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
    /// - Parameter isTold: false for one that is counted, and told otherwise.
    package func finished(_ record: borrowing AccessRecord, isTold: Bool = true) {
        counts.requestEnded(record.status, record.outcome, record.timing)
        guard isTold else { return }
        if let trace = record.trace, trace.isRecorded { trace.finished(copy record) }
        log.write(record, in: lines)
    }
}
