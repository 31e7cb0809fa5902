package import NIOCore
package import TunnelProtocol

/// Carries one session over a WebSocket whose handshake is done.
///
/// Bound to its channel's event loop. It decides nothing: bytes go into the codec and the session machine, and
/// their events to the owner and the receivers.
package final class SessionHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// What is written before the event loop looks at its sockets again. More would not be sooner with the peer, and
    /// what comes meanwhile, on this session or another, would wait for it.
    private static let flushBudget = 512 << 10
    /// How long the end that does not close first waits for the other to do so.
    private static let closePatience: TimeAmount = .seconds(10)
    /// How long a peer may take to send its settings.
    static let settingsPatience: TimeAmount = .seconds(10)

    struct MessagePiece {
        /// Whether the message ends with it.
        var isLast: Bool
    }

    /// For who looks at the session from elsewhere.
    let pulse = SessionPulse()
    var machine: any SessionMachine
    var frames: WebSocketDecoder
    /// What came and was not taken yet.
    var input = ByteBuffer()
    /// Part of a message, which the machine is not through with.
    var messagePiece: MessagePiece?
    /// The payload of the last ping that was not answered yet.
    var lastPing: ByteBuffer?
    /// Those of its event loop, since it is there.
    private(set) var turns: LoopTurns?
    /// Whether it waits for its turn to go on with what came.
    var isInLine = false
    /// Whether little is read at once, as it takes long.
    var readsLittle = false
    private(set) var masks: MaskSource?
    var receivers = StreamTable<any StreamReceiver>()
    /// Where messages go that would hold up others; nil in protocol v2, in which there are none.
    private(set) var spilling: SessionSpilling?
    /// Let go when the session is over.
    private(set) var owner: (any SessionOwner)?
    var context: ChannelHandlerContext?
    /// Where the session is ticked from, since its start.
    var wheel: KeepaliveWheel?
    var nextTick = MonotonicInstant(nanoseconds: .max)
    var progress = PeerProgress()
    /// How long the peer may take nothing of what waits for it.
    var patience: Duration
    private var pace = SendPace()
    /// Ends a session whose peer does not say who it is in time.
    var settingsTimer: Scheduled<Void>?
    /// Ends a drained session that its peer does not close.
    private var closing: Scheduled<Void>?
    var isReading = false
    /// Whether what came waits, for a turn or because the machine is blocked.
    var isHeld = false
    var isReadHeld = false
    private var wasOccupied = false
    private var isFlushScheduled = false
    private var isFlushing = false
    /// Whether there was more to write than is written at once.
    private var willFlushOn = false
    /// Whether our close frame went out while the peer's is still to come: nothing is sent or taken any more.
    private(set) var hasSaidGoodbye = false
    var isOver = false

    /// A session of protocol v2.
    ///
    /// - Parameters:
    ///   - role: the opener is the tunnel server; the acceptor, the client, masks what it sends.
    ///   - owner: kept until the session is over.
    package convenience init(
        role: SessionRole, limits: SessionLimits, settings: SessionSettings,
        budget: any ReceiveBudget, owner: any SessionOwner
    ) {
        let machine = MuxMachine(role: role, limits: limits, settings: settings, budget: budget, now: .now)
        self.init(
            machine, role: role, patience: limits.keepaliveTimeout,
            longestMessage: limits.maximumMessageBytes, owner: owner)
    }

    /// A session of protocol v1.
    ///
    /// - Parameters:
    ///   - peer: what is known of the peer's software.
    ///   - numbering: of the token's requests; nil on a client, which opens none.
    ///   - space: for messages that would hold up others.
    ///   - owner: kept until the session is over.
    package convenience init(
        oldProtocolAs role: SessionRole, limits: SessionLimits, peer: String,
        budget: any ReceiveBudget, numbering: (any RequestNumbering)?, space: SpillSpace = .ofProcess,
        owner: any SessionOwner
    ) {
        let machine = MessageMachine(
            role: role, limits: limits, peer: peer, budget: budget, numbering: numbering, now: .now)
        // Messages are taken as they come, so their length costs nothing.
        self.init(
            machine, role: role, patience: limits.keepaliveTimeout, longestMessage: .max, owner: owner)
        spilling = SessionSpilling(self, in: space, limits: limits, role: role)
    }

    private init(
        _ machine: any SessionMachine, role: SessionRole, patience: Duration, longestMessage: Int,
        owner: any SessionOwner
    ) {
        self.machine = machine
        self.patience = patience
        self.frames = WebSocketDecoder(
            expectsMask: role == .opener, maximumMessageBytes: longestMessage)
        self.masks = role == .acceptor ? MaskSource() : nil
        self.owner = owner
    }

    // MARK: Channel events

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        turns = .of(context.eventLoop)
        // A channel that is closed already has no options any more.
        try? context.channel.syncOptions?.setOption(.recvAllocator, value: Self.readSizes)
        keepPace(context)
        if context.channel.isActive { start() }
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        end(.connectionLost("the connection was closed"), closing: nil)
        self.context = nil
    }

    package func channelActive(context: ChannelHandlerContext) {
        start()
        context.fireChannelActive()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        takeRest()
        end(.connectionLost("the connection was closed"), closing: nil)
        context.fireChannelInactive()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        takeRest()
        end(.connectionLost(ConnectionFailure.describe(error)), closing: nil)
        context.close(promise: nil)
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        var bytes = unwrapInboundIn(data)
        isReading = true
        if input.readableBytes == 0 {
            input = bytes
        } else {
            input.writeBuffer(&bytes)
        }
        process()
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        flush()
        context.fireChannelReadComplete()
    }

    package func read(context: ChannelHandlerContext) {
        if isHeld { isReadHeld = true } else { context.read() }
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            if pace.drained(now: .now) { keepPace(context) }
            flush()
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Reading

    func dispatch(_ event: SessionEvent) {
        switch event {
        case .ready(let settings):
            letGoOfSettingsTimer()
            owner?.sessionReady(self, peer: settings)
        case .request(let id, let head, let isLast):
            owner?.session(self, opened: id, head: head, isLast: isLast)
        case .response(let id, let head, let isInterim, let isLast):
            receivers[id]?.streamReceived(head: head, isInterim: isInterim, isLast: isLast)
        case .data(let id, let bytes, let isLast):
            receivers[id]?.streamReceived(data: bytes, isLast: isLast)
        case .trailers(let id, let fields):
            receivers[id]?.streamReceived(trailers: fields)
        case .reset(let id, let code, let reason):
            spilling?.senderLetGo(of: id)
            receivers.removeValue(forKey: id)?.streamWasReset(code, reason: reason)
        case .writable(let id):
            if spilling?.becameWritable(id) != true { receivers[id]?.streamBecameWritable() }
        case .overflowed(let id, let direction):
            if let context { spilling?.overflowed(id, direction, on: context.eventLoop) }
        case .progressWanted(let id):
            receivers[id]?.streamReportsProgress()
        case .peerDraining(let reason):
            owner?.sessionPeerDrains(self, reason: reason)
        }
    }

    // MARK: Writing

    /// Writes go out once per turn of the event loop, so that frames of many streams share a message.
    func scheduleFlush() {
        guard !isReading, !isFlushScheduled, !isOver, let context else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute {
            self.isFlushScheduled = false
            self.flush()
        }
    }

    func flush() {
        guard !isOver, !hasSaidGoodbye, !isFlushing, let context else { return }
        resumeReading()
        isFlushing = true
        writeFrames(context)
        isFlushing = false
        do {
            var work = 0
            try dispatchEvents(now: .now, work: &work)
        } catch {
            end(.peerMisbehaved("\(error)"), closing: .protocolError)
        }
        guard !isOver else { return }
        tellOccupation()
        if let urgent = machine.urgentTick, urgent < nextTick { schedule(tickAt: urgent) }
        if machine.isDrained { drained() }
    }

    /// Writes until there is nothing more, the channel takes no more, or it is enough for now.
    private func writeFrames(_ context: ChannelHandlerContext) {
        var left = Self.flushBudget
        while !isOver, machine.hasSomethingToWrite, context.channel.isWritable {
            guard left > 0 else { return flushOn(context) }
            let most = pace.waterMark.high
            var unflushed = 0
            var hasWritten = false
            // TLS keeps what is written until the flush, and the channel stays writable.
            while left > 0, unflushed <= most, machine.hasSomethingToWrite, context.channel.isWritable {
                var frame = FrameBuffer(capacity: 256)
                guard let kind = machine.write(to: &frame.buffer, budget: pace.frameBytes) else { break }
                left -= frame.buffer.readableBytes
                unflushed += frame.buffer.readableBytes
                context.write(wrapOutboundOut(frame.finished(as: kind, mask: masks?.next())), promise: nil)
                hasWritten = true
            }
            guard hasWritten else { return }
            if unflushed > most || !context.channel.isWritable { pace.becameFull(now: .now) }
            context.flush()
        }
    }

    /// Bounds what the connection takes ahead of what is sent.
    private func keepPace(_ context: ChannelHandlerContext) {
        let (low, high) = pace.waterMark
        let options = context.channel.syncOptions
        try? options?.setOption(.writeBufferWaterMark, value: .init(low: low, high: high))
        try? options?.setOption(UnsentBytes.option, value: numericCast(pace.unsentBytes))
    }

    /// A task for at once would run before sockets are looked at. Under load they call for a flush before this does.
    private func flushOn(_ context: ChannelHandlerContext) {
        guard !willFlushOn else { return }
        willFlushOn = true
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(1)) {
            self.willFlushOn = false
            self.flush()
        }
    }

    private func tellOccupation() {
        guard machine.isOccupied != wasOccupied else { return }
        wasOccupied.toggle()
        owner?.session(self, becameOccupied: wasOccupied)
    }

    /// One end closes, the other waits for it, as its last answers may still be on their way: a connection that is
    /// closed with bytes to come is reset, and they would be lost.
    private func drained() {
        guard closing == nil, let context else { return }
        if machine.closesWhenDrained {
            guard masks != nil else { return end(.drained, closing: .goingAway) }
            write { $0.writeWebSocketClose(.drained, mask: $1) }
            hasSaidGoodbye = true
        }
        closing = context.eventLoop.assumeIsolated().scheduleTask(in: Self.closePatience) {
            self.end(.drained, closing: .goingAway)
        }
    }

    func write(_ frame: (inout ByteBuffer, WebSocketMask?) -> Void) {
        guard let context else { return }
        var buffer = context.channel.allocator.buffer(capacity: 32)
        frame(&buffer, masks?.next())
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    // MARK: The end

    /// - Parameter isUntouched: whether the peer has looked at none of the streams that are open.
    func end(_ end: SessionEnd, closing code: WebSocketCloseCode?, isUntouched: Bool = false) {
        guard !isOver else { return }
        isOver = true
        leaveWheel()
        wheel = nil
        letGoOfSettingsTimer()
        closing?.cancel()
        closing = nil
        if let code, let context {
            if !hasSaidGoodbye { write { $0.writeWebSocketClose(code, mask: $1) } }
            context.close(promise: nil)
        }
        owner.take()?.sessionEnded(self, end)
        spilling?.sessionEnded()
        let lost = receivers
        receivers = StreamTable()
        let untouched = machine.untouchedStreams
        for (id, receiver) in zip(lost.keys, lost.values) {
            let isRefused = isUntouched || untouched.contains(id)
            receiver.streamWasReset(isRefused ? .refused : .sessionLost, reason: end.message)
        }
        machine.close()
    }
}
