internal import AgentStatus

extension RequestSnapshot {
    /// - Parameters:
    ///   - record: a shortened one.
    ///   - at: when it was over, in milliseconds since 1970.
    init(_ record: AccessRecord, at: Int64) {
        let parts = record.timing.times
        self.init(
            at: at, server: record.serverName, tokenHint: record.tokenHint, id: record.requestID,
            externalID: record.externalID, traceID: record.traceID,
            method: record.method, path: record.path,
            status: record.status, requestBytes: record.requestBytes, responseBytes: record.responseBytes,
            firstByte: record.timeToFirstByte.map(Self.milliseconds),
            duration: Self.milliseconds(record.duration), queue: parts.queue.map(Self.milliseconds),
            tunnel: parts.tunnel.map(Self.milliseconds),
            origin: parts.origin.map(Self.milliseconds), caller: record.callerAddress,
            outcome: record.outcome.rawValue)
    }

    private static func milliseconds(_ duration: Duration) -> Double {
        (duration / .microseconds(1)).rounded() / 1000
    }
}
