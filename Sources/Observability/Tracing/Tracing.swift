internal import Glibc
package import HTTPMessage
internal import Synchronization

/// Which requests are traced, and those of them that are over: for who sends them to a collector. Off until rules are applied;
/// then a request costs it no more than one look at a flag.
package final class Tracing: Sendable {
    /// Requests kept for the collector; when it is slow, the oldest go.
    private static let capacity = 2048

    private struct State: Sendable {
        var sampling: TraceSampling?
        var allowance: SpanAllowance?
        var limited: UInt64 = 0
    }

    /// Requests that are over, to be told as spans.
    package let requests = Feed<TracedRequest>(capacity: Tracing.capacity)
    private let on = Atomic<Bool>(false)
    private let state = Mutex(State())

    package init() {}

    /// Whether requests are traced at all.
    package var isOn: Bool { on.load(ordering: .relaxed) }

    /// Requests so far that were left out as there were too many.
    package var limited: UInt64 { state.withLock { $0.limited } }

    /// Puts other rules in force for requests that come; nil: none is traced.
    package func apply(_ sampling: TraceSampling?) {
        state.withLock { state in
            guard state.sampling != sampling else { return }
            state.sampling = sampling
            state.allowance = nil
        }
        on.store(sampling != nil, ordering: .relaxed)
    }

    /// A request came that goes to a tunnel: its `traceparent` says afterwards what those behind us are to know.
    ///
    /// - Parameters:
    ///   - fields: of the request.
    ///   - isTrusted: whether a proxy sends it whose words count.
    ///   - isSecure: whether the caller speaks TLS.
    ///   - now: in nanoseconds of a clock that does not go back.
    ///   - ids: of the event loop.
    package func begin(
        _ fields: inout HeaderFields, isTrusted: Bool, isSecure: Bool, now: UInt64, ids: inout TraceIDs
    ) -> RequestTrace? {
        let caller = fields.traceContext
        let fresh = (high: ids.next(), low: ids.next(), span: ids.span())
        let isRecorded = state.withLock { state in
            guard let sampling = state.sampling else { return false }
            let isWanted =
                if let caller, isTrusted || sampling.callersMaySample {
                    caller.isSampled
                } else {
                    // A caller may choose the id of a trace, and by it what all decide.
                    sampling.keeps(fresh.low)
                }
            guard isWanted else { return false }
            var allowance = state.allowance ?? SpanAllowance(sampling, now: now)
            defer { state.allowance = allowance }
            guard allowance.take(sampling, now: now) else {
                state.limited += 1
                return false
            }
            return true
        }
        if let caller {
            // Who tells nothing is not there: the next one's parent is the caller.
            guard isRecorded, let ours = caller.sent(by: fresh.span, isSampled: true) else {
                return RequestTrace(caller, isSecure: isSecure)
            }
            fields.setTraceContext(ours, keepsState: true)
            return RequestTrace(ours, parent: caller.spanID, isSecure: isSecure, recordedBy: self)
        }
        let made = TraceContext(
            traceHigh: fresh.high, traceLow: fresh.low, spanID: fresh.span, isSampled: isRecorded,
            isRandom: true)
        guard let made else { return nil }
        fields.setTraceContext(made, keepsState: false)
        return RequestTrace(made, isSecure: isSecure, recordedBy: isRecorded ? self : nil)
    }

    /// One of them is over.
    package func add(_ record: AccessRecord, of trace: RequestTrace) {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let request = TracedRequest(
            record, of: trace, endedAt: UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec))
        requests.publish { _ in request }
    }
}
