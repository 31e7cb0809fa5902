import HostSystem
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
        minimum: 64, initial: 256, maximum: 128 << 10)
    /// The same from a peer whose bytes take more than a share of a turn: what of them waits here is little.
    private static let littleReadSizes = AdaptiveRecvByteBufferAllocator(
        minimum: 64, initial: 2048, maximum: 16 << 10)
    /// What an answer costs beyond its frame, in units of `TurnAllowance`.
    private static let answerWork = 12

    private let session: any Session
    private var context: ChannelHandlerContext?
    private var frames: WebSocketDecoder
    /// What came first, in the buffers that it was read into. NIO keeps four such buffers for each channel, each as large as
    /// the largest read into it, and can be made to let go of all of them but the first: as long as that one is kept here
    /// too, it is not used again, and stays small. Where a handshake came by the channel, it may be the second.
    private var firstReads: [ByteBuffer] = []
    /// What came and was not taken yet.
    private var input = ByteBuffer()
    /// Answers to pings that came together: each written by itself would cost a hundred times what the ping does.
    private var pongs = ByteBuffer()
    /// Those of its event loop, since it is there.
    private var turns: LoopTurns?
    /// Whether it waits for its turn to go on with what came.
    private var isInLine = false
    /// Whether little is read at once, as it takes long.
    private var readsLittle = false
    private var masks: MaskSource?
    private var pace = SendPace()
    /// What was written since the last flush: TLS keeps it until then, and the channel stays writable.
    private var unflushed = 0
    private var isReadHeld = false
    /// Whether our close frame is out.
    private var hasSaidGoodbye = false
    /// What to close with for a reason that only the WebSocket knows.
    private var closeCode: WebSocketCloseCode?

    /// - Parameter isMasked: whether what a client sends is masked, as it has to be where proxies may look at it.
    package init(_ session: any Session, isMasked: Bool = true) {
        self.session = session
        // The tunnel client is the WebSocket's client: it masks what it sends (RFC 6455 §5.1).
        frames = WebSocketDecoder(
            expectsMask: isMasked && session.role == .opener, maximumMessageBytes: session.longestMessage)
        masks = isMasked && session.role == .acceptor ? MaskSource() : nil
    }

    // MARK: Channel events

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        turns = .of(context.eventLoop)
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
        if firstReads.count < 2 { firstReads.append(bytes) }
        if input.readableBytes == 0 {
            input = bytes
        } else {
            input.writeBuffer(&bytes)
        }
        let now = now
        session.beginsToReceive(now: now)
        process(now: now)
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

    /// Something has come, or what came may be taken again.
    private func process(now: MonotonicInstant) {
        guard let turns else { return }
        guard !isInLine else { return session.heard(now: now) }
        take(turns.share, of: turns, now: now)
        if readsLittle, !isInLine { read(little: false) }
    }

    private var now: MonotonicInstant { context?.eventLoop.instant ?? .now }

    /// The peer is gone; what came before, and waited for a slow reader or for a turn, is still given out: it may end a
    /// whole answer.
    private func takeRest() {
        guard session.isHeld, session.state < .over, let turns else { return }
        session.stopBlocking()
        isInLine = false
        take(.max, of: turns, now: now)
    }

    private func take(_ share: Int, of turns: LoopTurns, now: MonotonicInstant) {
        var work = share
        // What is asked of the session meanwhile must not take what comes behind this.
        session.isHeld = false
        do throws(WebSocketError) {
            while session.state < .over, !session.isBlocked, try takeNext(now: now, work: &work) {}
        } catch {
            closeCode = error.closeCode
            session.carrierEnded(.peerMisbehaved("\(error)"))
        }
        writePongs()
        turns.spend(share - work)
        let isOver = session.state == .over
        if !isOver, work <= 0, session.hasPiece || input.readableBytes > 0 { standInLine(of: turns) }
        session.isHeld = !isOver && (isInLine || session.isBlocked)
        if input.readableBytes == 0 { input = ByteBuffer() } else { input.discardReadBytes() }
    }

    /// - Returns: whether there may be more to do.
    private func takeNext(now: MonotonicInstant, work: inout Int) throws(WebSocketError) -> Bool {
        if session.hasPiece {
            session.goOn(now: now, work: &work)
            return work > 0
        }
        guard work > 0, let event = try frames.next(&input) else { return false }
        work -= 1
        switch event {
        case .message where hasSaidGoodbye, .ping where hasSaidGoodbye:
            break
        case .message(let piece, let isLast):
            session.received(piece, endsMessage: isLast, now: now, work: &work)
        case .ping(let payload):
            session.heard(now: now)
            answer(payload)
        case .pong:
            work -= Self.answerWork
            session.wasAnswered(now: now)
        case .close(WebSocketCloseCode.drained.rawValue) where session.role == .opener:
            closeCode = .normal
            session.carrierEnded(.drained, isUntouched: true)
        case .close(let code):
            closeCode = .normal
            session.carrierEnded(.closedByPeer(code: code))
        }
        return true
    }

    /// A peer that pings and does not read would make us keep the answers. It loses nothing: only the last ping must be
    /// answered (RFC 6455 §5.5.3).
    private func answer(_ ping: ByteBuffer) {
        guard context?.channel.isWritable == true else { return }
        pongs.writeWebSocketPong(ping, mask: masks?.next())
    }

    private func writePongs() {
        guard pongs.readableBytes > 0 else { return }
        if session.state < .over { context?.writeAndFlush(wrapOutboundOut(pongs), promise: nil) }
        pongs = ByteBuffer()
    }

    private func standInLine(of turns: LoopTurns) {
        isInLine = true
        turns.wait(self)
        if !readsLittle { read(little: true) }
    }

    private func read(little: Bool) {
        readsLittle = little
        try? context?.channel.syncOptions?.setOption(
            .recvAllocator, value: little ? Self.littleReadSizes : Self.readSizes)
    }

    private func readOnIfHeld() {
        guard !session.isHeld, isReadHeld else { return }
        isReadHeld = false
        context?.read()
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
        guard let context else { return nil }
        return (context.channel as? PipeChannel)?.progress ?? CarrierProgress(ofSocketBeneath: context)
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

    package func giveBackMemory() {
        guard let options = context?.channel.syncOptions, !isInLine,
            let reads = try? options.getOption(.maxMessagesPerRead), reads > 1
        else { return }
        // As many buffers are kept as there are reads at once.
        try? options.setOption(.maxMessagesPerRead, value: 1)
        try? options.setOption(.maxMessagesPerRead, value: reads)
        if !readsLittle { try? options.setOption(.recvAllocator, value: Self.readSizes) }
    }

    package func resume() {
        guard !isInLine else { return }
        process(now: now)
        readOnIfHeld()
    }

    package func closeOutput() {
        send { $0.writeWebSocketClose(.drained, mask: $1) }
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

extension WebSocketCarrier: TurnTaker {
    package func haveTurn(_ share: Int) {
        guard isInLine, session.state < .over, let turns else { return }
        isInLine = false
        let now = now
        session.beginsToReceive(now: now)
        take(share, of: turns, now: now)
        readOnIfHeld()
        session.hasReceived()
    }
}
