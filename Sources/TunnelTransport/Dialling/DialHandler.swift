import HTTPMessage
import NIOCore
import TransportSecurity
import TunnelProtocol

/// Asks for the WebSocket and gives way to what goes by it.
final class DialHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What the WebSocket is for.
    enum Successor {
        case session(@Sendable (ProtocolVersion) -> any Session)
        /// A caller's raw stream.
        case raw(@Sendable () -> any ChannelHandler)

        var isRaw: Bool { if case .raw = self { true } else { false } }
    }

    private let target: TunnelDialler.Target
    private let patience: TimeAmount
    /// For TLS inside, and for the handshake in there.
    private let innerPatience: TimeAmount
    private let isOpen: EventLoopPromise<Void>
    private let successor: Successor
    private let handshake: ClientHandshake
    private var reader = ResponseHeadReader()
    private var input = ByteBuffer()
    private var refusal: RefusalQuote?
    private var timer: Scheduled<Void>?
    private var isDone = false
    /// Whether everything beneath the WebSocket is there.
    private var isConnected = false

    init(
        target: TunnelDialler.Target, patience: TimeAmount, innerPatience: TimeAmount? = nil,
        isOpen: EventLoopPromise<Void>, successor: Successor
    ) {
        self.target = target
        self.patience = patience
        self.innerPatience = innerPatience ?? patience
        self.isOpen = isOpen
        self.successor = successor
        handshake = ClientHandshake(
            offersMux: target.offersMux, offersInnerTLS: target.innerTLS != nil, offersRaw: successor.isRaw)
    }

    func channelActive(context: ChannelHandlerContext) {
        isConnected = true
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: patience) {
            if self.refusal != nil {
                self.rejected(context)
            } else {
                self.fail(DialError(.timedOut, "the tunnel server did not answer", isBlocked: true), context)
            }
        }
        var fields = handshake.requestFields()
        fields.append(.host, target.authority)
        var bytes = ByteBuffer()
        bytes.writeRequestHead(
            RequestHead(method: "GET", target: target.path, fields: fields.appending(target.outerFields)))
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
                    DialError(
                        .notATunnelServer, "what answers there does not speak HTTP: \(error)", isBlocked: true
                    ),
                    context)
                return
            }
        }
        if refusal?.take(&input) == true { rejected(context) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if refusal != nil {
            rejected(context)
        } else {
            fail(
                DialError(
                    .unreachable, "the connection was closed during the handshake",
                    isBlocked: isConnected || target.isInside),
                context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let place = target.isInside && !isConnected ? "inside the tunnel (inner-tls): " : ""
        let isBlocked = isConnected || (target.isInside && (error as? TLSFailure)?.isTimeout == true)
        fail(
            DialError(.unreachable, place + ConnectionFailure.describe(error), isBlocked: isBlocked), context)
    }

    private func switched(_ head: ResponseHead, _ context: ChannelHandlerContext) {
        guard handshake.isAccepted(head) else {
            fail(
                DialError(.notATunnelServer, "the server's 101 opens no WebSocket", isBlocked: true), context)
            return
        }
        switch successor {
        case .session(let makeSession): switched(head, context, makeSession)
        case .raw(let makeHandler):
            guard handshake.grantsRaw(head) else {
                return fail(
                    DialError(.notATunnelServer, "the tunnel server is too old to carry TCP"), context)
            }
            giveWay(to: makeHandler(), context) { self.isOpen.succeed() }
        }
    }

    private func switched(
        _ head: ResponseHead, _ context: ChannelHandlerContext,
        _ makeSession: @escaping @Sendable (ProtocolVersion) -> any Session
    ) {
        guard target.innerTLS == nil else { return switchedToInnerTLS(head, context, makeSession) }
        guard let version = handshake.version(chosenBy: head) else {
            fail(
                DialError(
                    .notATunnelServer, "the server chose a WebSocket subprotocol that we did not offer"),
                context)
            return
        }
        giveWay(to: WebSocketCarrier(makeSession(version)), context) { self.isOpen.succeed() }
    }

    /// What follows is for TLS.
    private func switchedToInnerTLS(
        _ head: ResponseHead, _ context: ChannelHandlerContext,
        _ makeSession: @escaping @Sendable (ProtocolVersion) -> any Session
    ) {
        guard handshake.speaksInnerTLS(head), let tls = target.innerTLS else {
            fail(
                DialError(.notATunnelServer, "the server speaks no TLS inside the tunnel (inner-tls)"),
                context)
            return
        }
        let (inside, patience, isOpen) = (target.inside, innerPatience, isOpen)
        let pipe = WebSocketPipe(isClient: true) { pipe in
            try pipe.addInnerTLS(tls, target: inside, patience: patience, isOpen, makeSession)
        }
        giveWay(to: pipe, context) {}
    }

    /// The handshake is done: another handler goes on with what came behind it.
    ///
    /// - Parameter whenThere: called before it gets that.
    private func giveWay(
        to successor: any ChannelHandler, _ context: ChannelHandlerContext, whenThere: () -> Void
    ) {
        isDone = true
        timer?.cancel()
        let pipeline = context.pipeline.syncOperations
        do {
            try pipeline.addHandler(successor, position: .after(self))
        } catch {
            isOpen.fail(DialError(.unreachable, ConnectionFailure.describe(error)))
            return context.close(promise: nil)
        }
        whenThere()
        if input.readableBytes > 0 {
            context.fireChannelRead(wrapInboundOut(input))
            context.fireChannelReadComplete()
        }
        pipeline.removeHandler(self, promise: nil)
    }

    private func rejected(_ context: ChannelHandlerContext) {
        guard let refusal else { return }
        // Inside TLS nobody else can have said so.
        fail(target.isInside ? refusal.dialError.notBlocked : refusal.dialError, context)
    }

    private func fail(_ error: DialError, _ context: ChannelHandlerContext) {
        guard !isDone else { return }
        isDone = true
        timer?.cancel()
        isOpen.fail(error.through(target.proxy))
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
