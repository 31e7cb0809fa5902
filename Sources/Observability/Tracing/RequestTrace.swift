package import HTTPMessage

/// The trace that a request belongs to, and whether we tell of it.
package final class RequestTrace: Sendable {
    /// As those behind us are told: the span is ours where it is recorded, or where nobody was before us.
    package let context: TraceContext
    /// The span of the caller's; nil where the trace began here.
    package let parent: UInt64?
    package let isSecure: Bool
    /// Who tells of it when it is over; nil for nobody.
    private let tracing: Tracing?

    /// - Parameters:
    ///   - context: with our own span in it, where it is recorded.
    ///   - isSecure: whether the caller speaks TLS.
    ///   - tracing: who is told when it is over; nil for nobody.
    package init(
        _ context: TraceContext, parent: UInt64? = nil, isSecure: Bool = false,
        recordedBy tracing: Tracing? = nil
    ) {
        self.context = context
        self.parent = parent
        self.isSecure = isSecure
        self.tracing = tracing
    }

    /// 32 hexadecimal digits.
    package var traceID: String { context.traceID }

    /// Whether spans are made of it.
    package var isRecorded: Bool { tracing != nil }

    /// The request is over.
    func finished(_ record: AccessRecord) { tracing?.add(record, of: self) }
}

/// What spans are made of: a request that is over. Holds no secret, as its record is shortened.
package struct TracedRequest: Sendable {
    package let context: TraceContext
    package let parent: UInt64?
    package let isSecure: Bool
    /// When it was over, in nanoseconds since 1970.
    package let endedAt: UInt64
    package let record: AccessRecord

    /// - Parameter endedAt: in nanoseconds since 1970.
    package init(_ record: consuming AccessRecord, of trace: RequestTrace, endedAt: UInt64) {
        context = trace.context
        parent = trace.parent
        isSecure = trace.isSecure
        self.endedAt = endedAt
        record.shorten()
        record.trace = nil
        self.record = record
    }
}
