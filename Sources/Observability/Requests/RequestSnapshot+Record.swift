package import AgentStatus

extension RequestSnapshot {
    /// - Parameter at: when it was over, in milliseconds since 1970.
    package init(_ record: AccessRecord, at: Int64) {
        self.init(
            at: at, server: record.serverName, tokenHint: record.tokenHint, id: record.requestID,
            externalID: record.externalID, traceID: record.traceID,
            method: Self.start(of: record.method, AccessRecord.longestMethod),
            path: Self.start(of: String(record.path.prefix { $0 != "?" }), AccessRecord.longestPath),
            status: record.status, requestBytes: record.requestBytes, responseBytes: record.responseBytes,
            firstByte: record.timeToFirstByte.map(Self.milliseconds),
            duration: Self.milliseconds(record.duration), queue: record.parts.queue.map(Self.milliseconds),
            tunnel: record.parts.tunnel.map(Self.milliseconds),
            origin: record.parts.origin.map(Self.milliseconds), caller: record.callerAddress,
            outcome: record.outcome.rawValue)
    }

    private static func start(of text: String, _ most: Int) -> String {
        text.utf8.count <= most ? text : String(text.prefix(most))
    }

    private static func milliseconds(_ duration: Duration) -> Double {
        (duration / .microseconds(1)).rounded() / 1000
    }
}
