package import NIOCore
package import TunnelProtocol

/// Carries one session of protocol v2 over a WebSocket whose handshake is done.
///
/// Bound to its channel's event loop. It decides nothing: bytes go into the codec and the session machine, and
/// their events to the owner and the receivers.
package final class SessionHandler: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// Data frames that go into one message before the next begins.
    private static let messageBudget = 64 << 10
    /// How long a drained client waits for the server to close.
    private static let closePatience: TimeAmount = .seconds(10)
    /// How long a peer may take to send its settings.
    private static let settingsPatience: TimeAmount = .seconds(10)

    private var machine: SessionMachine
    private var frames: WebSocketDecoder
    private var input = ByteBuffer()
    private var masks: MaskSource?
    private var receivers: [StreamID: any StreamReceiver] = [:]
    /// Let go when the session is over.
    private var owner: (any SessionOwner)?
    private var context: ChannelHandlerContext?
    private var keepalive: Scheduled<Void>?
    /// Ends a drained session that its peer does not close.
    private var closing: Scheduled<Void>?
    private var isReading = false
    private var isFlushScheduled = false
    private var isOver = false

    /// - Parameters:
    ///   - role: the opener is the tunnel server; the acceptor, the client, masks what it sends.
    ///   - owner: kept until the session is over.
    package init(
        role: SessionMachine.Role, limits: SessionLimits, settings: SessionSettings,
        budget: any ReceiveBudget, owner: any SessionOwner
    ) {
        self.machine = SessionMachine(
            role: role, limits: limits, settings: settings, budget: budget, now: .now)
        self.frames = WebSocketDecoder(
            expectsMask: role == .opener, maximumMessageBytes: limits.maximumMessageBytes)
        self.masks = role == .acceptor ? MaskSource() : nil
        self.owner = owner
    }

    // MARK: Commands

    /// Opens a stream, or returns nil when the session takes none now.
    package func open(head: ByteBuffer, isLast: Bool, receiver: any StreamReceiver) -> StreamID? {
        guard !isOver, let id = machine.open(head: head, isLast: isLast, now: .now) else { return nil }
        receivers[id] = receiver
        scheduleFlush()
        return id
    }

    /// Takes a stream that the peer opened.
    package func accept(_ id: StreamID, receiver: any StreamReceiver) {
        receivers[id] = receiver
    }

    /// Answers a stream with an interim or the final head.
    package func respond(_ id: StreamID, head: ByteBuffer, isInterim: Bool, isLast: Bool) {
        machine.respond(id, head: head, isInterim: isInterim, isLast: isLast)
        scheduleFlush()
    }

    /// Sends part of a body; false asks to wait for `streamBecameWritable`.
    package func send(_ id: StreamID, _ bytes: ByteBuffer) -> Bool {
        let goesOn = machine.send(id, bytes)
        scheduleFlush()
        return goesOn
    }

    /// Ends the sending direction.
    package func finish(_ id: StreamID, trailers: ByteBuffer? = nil) {
        machine.finish(id, trailers: trailers)
        scheduleFlush()
    }

    /// Everything was sent, and what the peer still sends on this stream is not needed; its receiver hears no more.
    package func ignoreRest(_ id: StreamID) {
        receivers.removeValue(forKey: id)
        machine.ignoreRest(id)
        scheduleFlush()
    }

    /// Ends a stream in both directions; its receiver hears no more.
    package func reset(_ id: StreamID, _ code: ResetCode, reason: String = "") {
        receivers.removeValue(forKey: id)
        machine.reset(id, code, reason: reason)
        scheduleFlush()
    }

    /// The owner of the stream is through with it: everything was sent and received.
    package func forget(_ id: StreamID) {
        receivers.removeValue(forKey: id)
        machine.forget(id)
    }

    /// The receiver took so many bytes.
    package func consumed(_ id: StreamID, _ count: Int) {
        guard count > 0 else { return }
        machine.consumed(id, count, now: .now)
        if machine.hasSomethingToWrite { scheduleFlush() }
    }

    /// Takes no new streams, finishes those in flight, then closes.
    package func drain(reason: String) {
        machine.drain(reason: reason, now: .now)
        scheduleFlush()
    }

    /// Asks a peer that is probably dead to prove the contrary, sooner than keepalive would.
    package func probe(within patience: TimeAmount) {
        guard !isOver, let context else { return }
        let asked = MonotonicInstant.now
        machine.ping(now: asked)
        flush()
        context.eventLoop.assumeIsolated().scheduleTask(in: patience) {
            if !self.machine.wasHeard(since: asked) { self.end(.peerSilent, closing: .goingAway) }
        }
    }

    /// Closes at once; streams in flight are lost.
    package func close(_ code: WebSocketCloseCode = .goingAway) {
        end(.closedByUs, closing: code)
    }

    // MARK: Channel events

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
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
        end(.connectionLost("the connection was closed"), closing: nil)
        context.fireChannelInactive()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
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
        if input.readableBytes == 0 {
            input = ByteBuffer()
        } else {
            input.discardReadBytes()
        }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        flush()
        context.fireChannelReadComplete()
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { flush() }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Reading

    private func process() {
        let now = MonotonicInstant.now
        do {
            while !isOver, let event = try frames.next(&input) {
                switch event {
                case .message(let piece, let isLast):
                    let answeredPings = machine.answeredPings
                    machine.receive(piece, now: now)
                    try dispatchEvents(now: now)
                    if machine.answeredPings != answeredPings { owner?.sessionWasAnswered(self) }
                    if isLast, !isOver { try machine.messageEnded() }
                case .ping(let payload):
                    machine.receive(ByteBuffer(), now: now)
                    // A peer that pings and does not read would make us keep the answers. It loses nothing: only
                    // the last ping must be answered (RFC 6455 §5.5.3).
                    if context?.channel.isWritable == true {
                        write { $0.writeWebSocketPong(payload, mask: $1) }
                    }
                case .pong:
                    machine.receive(ByteBuffer(), now: now)
                    owner?.sessionWasAnswered(self)
                case .close(let code):
                    end(
                        (machine.isDraining || machine.isPeerDraining) && machine.streamCount == 0
                            ? .drained : .closedByPeer(code: code),
                        closing: .normal)
                }
            }
        } catch let error as WebSocketError {
            end(.peerMisbehaved("\(error)"), closing: error.closeCode)
        } catch {
            end(.peerMisbehaved("\(error)"), closing: .protocolError)
        }
    }

    private func dispatchEvents(now: MonotonicInstant) throws(MuxError) {
        while !isOver, let event = try machine.nextEvent(now: now) { dispatch(event) }
    }

    private func dispatch(_ event: SessionMachine.Event) {
        switch event {
        case .ready(let settings):
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
            receivers.removeValue(forKey: id)?.streamWasReset(code, reason: reason)
        case .writable(let id):
            receivers[id]?.streamBecameWritable()
        case .peerDraining(let reason):
            owner?.sessionPeerDrains(self, reason: reason)
        }
    }

    // MARK: Writing

    /// Writes go out once per turn of the event loop, so that frames of many streams share a message.
    private func scheduleFlush() {
        guard !isReading, !isFlushScheduled, !isOver, let context else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute {
            self.isFlushScheduled = false
            self.flush()
        }
    }

    private func flush() {
        guard !isOver, let context else { return }
        var hasWritten = false
        while machine.hasSomethingToWrite, context.channel.isWritable {
            var message = OutgoingMessage(capacity: 256)
            machine.write(to: &message.buffer, budget: Self.messageBudget)
            guard !message.isEmpty else { break }
            context.write(wrapOutboundOut(message.finished(mask: masks?.next())), promise: nil)
            hasWritten = true
        }
        if hasWritten { context.flush() }
        do {
            try dispatchEvents(now: .now)
        } catch {
            end(.peerMisbehaved("\(error)"), closing: .protocolError)
        }
        if !isOver, machine.isDrained { drained() }
    }

    /// The tunnel server closes; the client waits for it, as its last answers may still be on their way: a
    /// connection that is closed with bytes to come is reset, and they would be lost.
    private func drained() {
        guard masks != nil, let context else {
            end(.drained, closing: .goingAway)
            return
        }
        guard closing == nil else { return }
        closing = context.eventLoop.assumeIsolated().scheduleTask(in: Self.closePatience) {
            self.end(.drained, closing: .goingAway)
        }
    }

    private func write(_ frame: (inout ByteBuffer, WebSocketMask?) -> Void) {
        guard let context else { return }
        var buffer = context.channel.allocator.buffer(capacity: 32)
        frame(&buffer, masks?.next())
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    // MARK: Life

    private func start() {
        guard keepalive == nil, !isOver else { return }
        flush()
        tick()
        context?.eventLoop.assumeIsolated().scheduleTask(in: Self.settingsPatience) {
            if self.machine.peer == nil {
                self.end(.peerMisbehaved("it did not say who it is in time"), closing: .protocolError)
            }
        }
    }

    private func tick() {
        guard !isOver, let context else { return }
        guard let next = machine.tick(now: .now) else {
            end(.peerSilent, closing: .goingAway)
            return
        }
        flush()
        keepalive = context.eventLoop.assumeIsolated().scheduleTask(
            deadline: .uptimeNanoseconds(next.nanoseconds)
        ) { self.tick() }
    }

    private func end(_ end: SessionEnd, closing code: WebSocketCloseCode?) {
        guard !isOver else { return }
        isOver = true
        keepalive?.cancel()
        keepalive = nil
        closing?.cancel()
        closing = nil
        if let code, let context {
            write { $0.writeWebSocketClose(code, mask: $1) }
            context.close(promise: nil)
        }
        owner.take()?.sessionEnded(self, end)
        let lost = receivers.values
        receivers = [:]
        for receiver in lost { receiver.streamWasReset(.sessionLost, reason: end.message) }
    }
}
