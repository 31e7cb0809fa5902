import HTTPMessage
import NIOCore
import Observability

extension ServerCore {
    /// The trace that a request for a tunnel belongs to: one that begins here where tracing is asked for, or the caller's,
    /// if any. Where nobody asks, its fields are passed on as they came.
    ///
    /// - Parameters:
    ///   - isTrusted: whether a proxy sends it whose words count.
    ///   - loop: the place of the connection's event loop.
    func trace(
        _ fields: inout HeaderFields, isTrusted: Bool, isSecure: Bool, loop: Int
    ) -> RequestTrace? {
        guard tracing.isOn else {
            guard fields.contains(.traceparent) else { return nil }
            return fields.traceContext.map { RequestTrace($0, isSecure: isSecure) }
        }
        return tracing.begin(
            &fields, isTrusted: isTrusted, isSecure: isSecure, now: loops[loop].now.uptimeNanoseconds,
            ids: &traceIDs[loop].value)
    }
}
