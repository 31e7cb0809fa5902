import Glibc
package import NIOCore
import NIOSSL
import NIOTLS
import X509

/// Stands between TLS and whoever speaks to a server through it: opens once the server has proved who it is, and gives
/// way then; says in words why it has not.
package final class TLSGate: ChannelDuplexHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = ByteBuffer

    private let name: String
    private let looksAtName: Bool
    private let pins: Set<String>
    private let patience: TimeAmount
    private var timer: Scheduled<Void>?
    private var result: Result<Void, any Error>?
    private var observer: ((Result<Void, any Error>) -> Void)?
    /// What the server has chosen of what was offered, once the handshake is over; nil where it chose nothing.
    package private(set) var negotiatedProtocol: String?

    /// - Parameters:
    ///   - name: what the server's certificate must be for.
    ///   - looksAtName: whether nobody has looked at that before.
    ///   - pins: of which its key must have one, if there are any.
    init(to name: String, looksAtName: Bool, pins: Set<String>, patience: TimeAmount) {
        self.name = name
        self.looksAtName = looksAtName
        self.pins = pins
        self.patience = patience
    }

    /// Calls the observer once, perhaps at once.
    package func whenDone(_ observer: @escaping (Result<Void, any Error>) -> Void) {
        if let result {
            observer(result)
        } else {
            self.observer = observer
        }
    }

    package func channelActive(context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: patience) {
            self.fail(TLSFailure("the TLS handshake did not end in time", isTimeout: true), context)
        }
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .handshakeCompleted(let negotiated) = event as? TLSUserEvent, result == nil else {
            return context.fireUserInboundEventTriggered(event)
        }
        if let fault = fault(of: PeerCertificate.of(context.pipeline.syncOperations)) {
            return fail(fault, context)
        }
        negotiatedProtocol = negotiated
        done(.success(()))
        context.fireUserInboundEventTriggered(event)
        context.fireChannelActive()
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard result == nil else { return context.fireErrorCaught(error) }
        fail(
            TLSFailure(
                error, server: name, certificate: PeerCertificate.of(context.pipeline.syncOperations),
                now: time(nil)), context)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        if result == nil { fail(TLSFailure("the connection ended in the TLS handshake"), context) }
        context.fireChannelInactive()
    }

    /// Why a server that has shown this is not the one, as far as the TLS library has not looked.
    private func fault(of certificate: X509Certificate?) -> TLSFailure? {
        guard looksAtName || !pins.isEmpty else { return nil }
        guard let certificate else { return TLSFailure("the server's certificate cannot be read") }
        guard pins.isEmpty || pins.contains(certificate.pin) else {
            return TLSFailure(
                "the server's key has none of the pins in pin-sha256: its own is \(certificate.pin)")
        }
        guard looksAtName, !certificate.isFor(host: name) else { return nil }
        return TLSFailure(otherNameThan: name, certificate)
    }

    private func fail(_ failure: TLSFailure, _ context: ChannelHandlerContext) {
        guard result == nil else { return }
        done(.failure(failure))
        context.fireErrorCaught(failure)
        context.close(promise: nil)
    }

    private func done(_ result: Result<Void, any Error>) {
        timer?.cancel()
        timer = nil
        self.result = result
        let observer = observer
        self.observer = nil
        observer?(result)
    }
}
