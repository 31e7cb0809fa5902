/// Who is told of a server's requests, as they go on and of each when it is over: what all of them carry (`TrafficCount`)
/// and the access log. Whatever else is to hear of them is told here.
package struct RequestObserver: Sendable {
    private let traffic: TrafficCount
    private let log: AccessLog

    package init(traffic: TrafficCount, log: AccessLog) {
        self.traffic = traffic
        self.log = log
    }

    /// A request goes to a tunnel.
    package func requestBegan() { traffic.requestBegan() }

    /// So many more bytes of a request's body went into a tunnel.
    package func requestBody(_ bytes: Int) { traffic.requestBody(bytes) }

    /// So many more bytes of an answer's body came out of one.
    package func responseBody(_ bytes: Int) { traffic.responseBody(bytes) }

    /// Whether anybody wants to know of a request on its way.
    package var wantsSteps: Bool { log.tellsSteps }

    /// A request is on its way; the step is made where somebody wants to know.
    package func note(_ step: @autoclosure () -> AccessStep, tokenHint: String?, requestID: UInt64) {
        log.write(step(), tokenHint: tokenHint, requestID: requestID)
    }

    /// A request is over, told once of each; the record is made where somebody wants to know.
    ///
    /// - Parameter trace: that it belongs to.
    package func finished(_ record: @autoclosure () -> AccessRecord, of trace: RequestTrace? = nil) {
        guard let trace, trace.isRecorded else { return log.write(record()) }
        let record = record()
        trace.finished(record)
        log.write(record)
    }
}
