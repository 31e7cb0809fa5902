package import NIOCore
package import TunnelProtocol

/// Carries a session over a WebSocket whose handshake is done (RFC 6455). Bound to its channel's event loop.
///
/// It decides nothing of the session: it knows frames, masks and close codes, and how much the connection takes ahead.
package final class WebSocketCarrier: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// Bytes that one read takes, as more and more come. By default it is 64 KiB, a frame at most, and most frames would be
    /// handed on in two pieces.
    private static let readSizes = AdaptiveRecvByteBufferAllocator(
        minimum: 64, initial: 2048, maximum: 128 << 10)

    private let session: Session
    private var context: ChannelHandlerContext?
    private var frames: WebSocketDecoder
    private var input = ByteBuffer()
    private var masks: MaskSource?
    private var pace = SendPace()
    /// What was written since the last flush: TLS keeps it until then, and the channel stays writable.
    private var unflushed = 0
    private var isReadHeld = false
    /// Whether our close frame is out.
    private var hasSaidGoodbye = false
    /// What to close with for a reason that only the WebSocket knows.
    private var closeCode: WebSocketCloseCode?

    package init(_ session: Session) {
        self.session = session
        // The tunnel client is the WebSocket's client: it masks what it sends (RFC 6455 §5.1).
        frames = WebSocketDecoder(
            expectsMask: session.role == .opener, maximumMessageBytes: session.longestMessage)
        masks = session.role == .acceptor ? MaskSource() : nil
    }

    // MARK: Channel events

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        // A channel that is closed already has no options any more.
        try? context.channel.syncOptions?.setOption(.recvAllocator, value: Self.readSizes)
        keepPace(context)
        if context.channel.isActive { session.carrierOpened(self, on: context.eventLoop) }
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        session.carrierEnded(.connectionLost("the connection was closed"))
        self.context = nil
    }

    package func channelActive(context: ChannelHandlerContext) {
        session.carrierOpened(self, on: context.eventLoop)
        context.fireChannelActive()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        takeRest()
        session.carrierEnded(.connectionLost("the connection was closed"))
        context.fireChannelInactive()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        takeRest()
        session.carrierEnded(.connectionLost(ConnectionFailure.describe(error)))
        context.close(promise: nil)
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard session.state < .over else { return }
        var bytes = unwrapInboundIn(data)
        if input.readableBytes == 0 {
            input = bytes
        } else {
            input.writeBuffer(&bytes)
        }
        session.beginsToReceive()
        process()
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        session.hasReceived()
        context.fireChannelReadComplete()
    }

    package func read(context: ChannelHandlerContext) {
        if session.isHeld { isReadHeld = true } else { context.read() }
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            if pace.drained(now: context.eventLoop.instant) { keepPace(context) }
            session.becameWritable()
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Reading

    private func process() {
        let now = MonotonicInstant.now
        session.pulse.beat(now)
        do throws(WebSocketError) {
            while session.state < .over, !session.isHeld, let event = try frames.next(&input) {
                switch event {
                case .message where hasSaidGoodbye, .ping where hasSaidGoodbye:
                    break
                case .message(let piece, let isLast):
                    session.received(piece, endsMessage: isLast, now: now)
                case .ping(let payload):
                    session.heard(now: now)
                    answerPing(payload)
                case .pong:
                    session.wasAnswered(now: now)
                case .close(let code):
                    closeCode = .normal
                    session.carrierEnded(.closedByPeer(code: code))
                }
            }
        } catch {
            closeCode = error.closeCode
            session.carrierEnded(.peerMisbehaved("\(error)"))
        }
        if input.readableBytes == 0 { input = ByteBuffer() } else { input.discardReadBytes() }
    }

    /// A peer that pings and does not read would make us keep the answers. It loses nothing: only the last ping must be
    /// answered (RFC 6455 §5.5.3).
    private func answerPing(_ payload: ByteBuffer) {
        guard context?.channel.isWritable == true else { return }
        send { $0.writeWebSocketPong(payload, mask: $1) }
    }

    /// The peer is gone; what came before, and waited for a slow reader, is still given out: it may end a whole answer.
    private func takeRest() {
        if session.stopHolding() { process() }
    }

    // MARK: Writing

    private func send(_ frame: (inout ByteBuffer, WebSocketMask?) -> Void) {
        guard let context else { return }
        var buffer = context.channel.allocator.buffer(capacity: 32)
        frame(&buffer, masks?.next())
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    /// Bounds what the connection takes ahead of what is sent.
    private func keepPace(_ context: ChannelHandlerContext) {
        let (low, high) = pace.waterMark
        let options = context.channel.syncOptions
        try? options?.setOption(.writeBufferWaterMark, value: .init(low: low, high: high))
        try? options?.setOption(UnsentBytes.option, value: numericCast(pace.unsentBytes))
    }
}

extension WebSocketCarrier: SessionCarrier {
    package var isWritable: Bool {
        unflushed <= pace.waterMark.high && context?.channel.isWritable == true
    }

    package var pieceBytes: Int { pace.frameBytes }

    package var progress: CarrierProgress? {
        guard let context, let acknowledged = KernelQueue.acknowledged(context) else { return nil }
        let buffered = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)
        return CarrierProgress(
            acknowledged: acknowledged,
            waiting: (KernelQueue.unacknowledged(context) ?? 0) + (buffered ?? 0))
    }

    package func makePiece() -> FrameBuffer { FrameBuffer(capacity: 256) }

    package func write(_ piece: consuming FrameBuffer, as output: SessionOutput) {
        guard let context else { return }
        unflushed += piece.buffer.readableBytes
        let frame =
            switch output {
            case .message(let isFirst, let isLast):
                piece.finished(as: isFirst ? .binary : .continuation, isFinal: isLast, mask: masks?.next())
            case .question:
                piece.finished(as: .ping, mask: masks?.next())
            }
        context.write(wrapOutboundOut(frame), promise: nil)
    }

    package func flush() {
        guard let context else { return }
        if !isWritable { pace.becameFull(now: context.eventLoop.instant) }
        unflushed = 0
        context.flush()
    }

    package func resume() {
        process()
        guard !session.isHeld, isReadHeld else { return }
        isReadHeld = false
        context?.read()
    }

    package func closeOutput() {
        send { $0.writeWebSocketClose(.goingAway, mask: $1) }
        hasSaidGoodbye = true
    }

    package func close(after end: SessionEnd) {
        guard let context, let code = closeCode ?? Self.code(for: end) else { return }
        if !hasSaidGoodbye { send { $0.writeWebSocketClose(code, mask: $1) } }
        context.close(promise: nil)
    }

    /// - Returns: nil where there is nobody to tell.
    private static func code(for end: SessionEnd) -> WebSocketCloseCode? {
        switch end {
        case .connectionLost: nil
        case .closedByPeer: .normal
        case .drained, .peerSilent, .peerStuck, .closedByUs: .goingAway
        case .turnedAway: .tryAgainLater
        case .peerMisbehaved: .protocolError
        }
    }
}
