import HTTPMessage
import NIOCore
import TunnelProtocol

/// Asks for the WebSocket and gives way to the session's carrier.
final class DialHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let target: TunnelDialler.Target
    private let patience: TimeAmount
    private let isOpen: EventLoopPromise<Void>
    private let makeSession: @Sendable (ProtocolVersion) -> Session
    private let handshake: ClientHandshake
    private var reader = ResponseHeadReader()
    private var input = ByteBuffer()
    private var refusal: RefusalQuote?
    private var timer: Scheduled<Void>?
    private var isDone = false

    init(
        target: TunnelDialler.Target, patience: TimeAmount, isOpen: EventLoopPromise<Void>,
        makeSession: @escaping @Sendable (ProtocolVersion) -> Session
    ) {
        self.target = target
        self.patience = patience
        self.isOpen = isOpen
        self.makeSession = makeSession
        handshake = ClientHandshake(offersMux: target.offersMux)
    }

    func channelActive(context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: patience) {
            if self.refusal != nil {
                self.rejected(context)
            } else {
                self.fail(DialError(.timedOut, "the tunnel server did not answer"), context)
            }
        }
        var fields = handshake.requestFields()
        let isDefaultPort = target.port == (target.tls == nil ? 80 : 443)
        let host = target.host.contains(":") ? "[\(target.host)]" : target.host
        fields.append(.host, isDefaultPort ? host : hostAndPort(target.host, target.port))
        var bytes = ByteBuffer()
        bytes.writeRequestHead(
            RequestHead(method: "GET", target: target.path, fields: fields.appending(target.fields)))
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return }
        var bytes = unwrapInboundIn(data)
        input.discardReadBytes()
        input.writeBuffer(&bytes)
        if refusal == nil {
            do throws(HTTPMessageError) {
                // Interim answers may precede the answer (RFC 9110 §15.2).
                guard let head = try reader.nextFinal(&input) else { return }
                if head.status == 101 { return switched(head, context) }
                refusal = try RefusalQuote(head, requestMethod: "GET")
            } catch {
                fail(
                    DialError(.notATunnelServer, "what answers there does not speak HTTP: \(error)"), context)
                return
            }
        }
        if refusal?.take(&input) == true { rejected(context) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if refusal != nil {
            rejected(context)
        } else {
            fail(DialError(.unreachable, "the connection was closed during the handshake"), context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(DialError(.unreachable, ConnectionFailure.describe(error)), context)
    }

    private func switched(_ head: ResponseHead, _ context: ChannelHandlerContext) {
        guard handshake.isAccepted(head) else {
            fail(DialError(.notATunnelServer, "the server's 101 opens no WebSocket"), context)
            return
        }
        guard let version = handshake.version(chosenBy: head) else {
            fail(
                DialError(
                    .notATunnelServer, "the server chose a WebSocket subprotocol that we did not offer"),
                context)
            return
        }
        isDone = true
        timer?.cancel()
        do {
            let carrier = WebSocketCarrier(makeSession(version))
            let pipeline = context.pipeline
            try pipeline.syncOperations.addHandler(carrier, position: .after(self))
            isOpen.succeed()
            if input.readableBytes > 0 {
                context.fireChannelRead(wrapInboundOut(input))
                context.fireChannelReadComplete()
            }
            pipeline.syncOperations.removeHandler(self, promise: nil)
        } catch {
            fail(DialError(.unreachable, ConnectionFailure.describe(error)), context)
        }
    }

    private func rejected(_ context: ChannelHandlerContext) {
        guard let refusal else { return }
        let status = refusal.head.status
        let isRefusal = (400...403).contains(status) || status == 429
        // A proxy may say 429 for reasons of its own, and our server says it to who guesses passwords.
        let isFull = status == 429 && refusal.plainWords.contains("Too many clients")
        fail(
            DialError(
                .rejected, refusal.explanation, isRefusal: isRefusal, isForWantOfRoom: isFull,
                status: status), context)
    }

    private func fail(_ error: DialError, _ context: ChannelHandlerContext) {
        guard !isDone else { return }
        isDone = true
        timer?.cancel()
        isOpen.fail(
            target.proxy.map {
                DialError(
                    error.code, "\(error.message) (through the proxy \($0.name))",
                    isRefusal: error.isRefusal, isForWantOfRoom: error.isForWantOfRoom, status: error.status)
            } ?? error)
        context.close(promise: nil)
    }
}

extension HeaderFields {
    /// These fields, followed by others.
    fileprivate func appending(_ others: HeaderFields) -> HeaderFields {
        var all = self
        for (name, value) in others.pairs { all.append(named: name, value) }
        return all
    }
}
