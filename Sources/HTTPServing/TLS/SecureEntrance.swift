import Glibc
package import HTTPMessage
package import NIOCore
import NIOTLS
package import TransportSecurity
import X509

/// Who is told of the TLS that a caller's connection stands on. Used on its event loop.
package protocol SecureReception: AnyObject {
    /// The handshake is done.
    ///
    /// - Parameter certificate: what the caller has shown; nil where it has shown none.
    func identified(_ certificate: PeerCertificate?)
    /// There was none; the connection is closed.
    ///
    /// - Parameter words: why.
    func tlsFailed(_ words: String)
    /// Plain HTTP came.
    ///
    /// - Returns: the answer, behind which the connection is closed.
    func refusePlainSpeech() -> OwnAnswer
}

/// How a caller's connection comes to speak TLS.
package enum SecureEntrance {
    /// Has a connection at a listener speak TLS, by handlers at the end of its pipeline: those of HTTP come behind them.
    ///
    /// - Parameter date: that of the event loop.
    package static func add(
        _ tls: ServerTLS, to pipeline: ChannelPipeline.SynchronousOperations,
        reception: any SecureReception, date: DateStamp
    ) throws {
        try pipeline.addHandlers([
            PlainSpeechGuard(reception, date), tls.makeHandler(), TLSEntrance(reception),
        ])
    }

    /// The same inside what carries a tunnel, where no plain HTTP is answered.
    package static func addInside(
        _ tls: ServerTLS, to pipeline: ChannelPipeline.SynchronousOperations, reception: any SecureReception
    ) throws {
        try pipeline.addHandlers([ResetBeneathTLS(), tls.makeHandler(), TLSEntrance(reception)])
    }
}

/// Stands between TLS and a caller's connection: tells who has proved to be there, and why a handshake failed; gives way
/// then.
private final class TLSEntrance: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private static let largestCertificate = 16 << 10

    private let reception: any SecureReception

    init(_ reception: any SecureReception) { self.reception = reception }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted = event as? TLSUserEvent {
            let pipeline = context.pipeline.syncOperations
            if let certificate = PeerCertificate.of(pipeline), certificate.der.count > Self.largestCertificate
            {
                // TLS 1.3 gives a ticket that holds it, and this one would be too large for that.
                reception.tlsFailed("the certificate of \(certificate.subject) is larger than 16 KiB")
                return context.close(promise: nil)
            }
            reception.identified(PeerCertificate.shown(in: pipeline))
            context.fireUserInboundEventTriggered(SecureConnectionEvent.isUp)
            pipeline.removeHandler(self, promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// The TLS handler closes the connection behind this.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let certificate = PeerCertificate.of(context.pipeline.syncOperations)
        guard let failure = TLSFailure.ofPeer(error, certificate: certificate, now: time(nil)) else { return }
        reception.tlsFailed("\(failure)")
    }
}

extension ChannelOutboundHandler {
    /// Closes beneath TLS: an end of TLS in order would make an answer look whole that is not.
    fileprivate func resetOrPass(
        _ event: Any, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?
    ) {
        guard case .reset = event as? SecureConnectionEvent else {
            return context.triggerUserOutboundEvent(event, promise: promise)
        }
        context.close(promise: promise)
    }
}

/// Stands beneath TLS that is spoken inside what carries a tunnel.
private final class ResetBeneathTLS: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    func triggerUserOutboundEvent(
        context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?
    ) { resetOrPass(event, context, promise) }
}

/// The first to see what comes on a port that speaks TLS: plain HTTP gets an answer in plain HTTP that says so, where a
/// browser would show the alert as gibberish.
private final class PlainSpeechGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A handshake record (RFC 8446 §5.1).
    private static let handshake: UInt8 = 22
    /// For the rest of what it sends, and for its own end.
    private static let patience: TimeAmount = .seconds(2)

    private let reception: any SecureReception
    private let date: DateStamp
    private var hasAnswered = false
    private var hasHeard = false

    init(_ reception: any SecureReception, _ date: DateStamp) {
        self.reception = reception
        self.date = date
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !hasAnswered else { return }
        let bytes = unwrapInboundIn(data)
        guard hasHeard || Self.isPlain(bytes) else {
            hasHeard = true
            return context.fireChannelRead(data)
        }
        guard !hasHeard else { return context.fireChannelRead(data) }
        hasAnswered = true
        let answer = reception.refusePlainSpeech()
            .encoded(toMethod: "GET", .http11, closing: true, date: date.text)
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        context.close(mode: .output, promise: nil)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.patience) { context.close(promise: nil) }
    }

    func triggerUserOutboundEvent(
        context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?
    ) { resetOrPass(event, context, promise) }

    private static func isPlain(_ bytes: ByteBuffer) -> Bool {
        guard let first = bytes.readableBytesView.first else { return false }
        return first != handshake
    }
}
