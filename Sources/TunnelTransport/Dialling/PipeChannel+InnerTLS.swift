import NIOCore
import TransportSecurity
import TunnelProtocol

extension PipeChannel {
    /// Speaks TLS on it, and dials inside.
    ///
    /// - Parameters:
    ///   - target: what is dialled inside.
    ///   - isOpen: fails with a `DialError` when no session comes of it.
    func addInnerTLS(
        _ tls: ClientTLS, target: TunnelDialler.Target, patience: TimeAmount,
        _ isOpen: EventLoopPromise<Void>,
        _ makeSession: @escaping @Sendable (ProtocolVersion) -> any Session
    ) throws {
        try tls.addHandlers(to: pipeline.syncOperations, host: target.host, patience: patience)
        try pipeline.syncOperations.addHandler(
            DialHandler(target: target, patience: patience, isOpen: isOpen, successor: .session(makeSession)))
    }
}
