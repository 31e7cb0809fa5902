import Glibc
import HTTPMessage
import NIOCore
import NIOPosix
import NameResolution

/// One connection to a service that speaks over TCP, from the first try to connect to its end: each direction ends by itself.
/// Bound to its event loop.
final class TCPExchange: ChannelDuplexHandler, OriginExchange {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How far our direction is.
    private enum Output {
        /// Next: ended.
        case open
        /// Nothing more is sent. Next: closed.
        case ended
        /// The kernel has all of it, and our direction is closed.
        case closed
    }

    /// Bytes under way to the service before the sender is told to stop, and until it may go on.
    private static let waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 64 << 10, high: 256 << 10)

    private let address: OriginAddress
    private let eventLoop: any EventLoop
    private var receiver: (any OriginResponseReceiver)?
    private var lookUp: NameLookUp?
    private var context: ChannelHandlerContext?
    /// What is to be sent before there is a connection.
    private var early: ByteBuffer
    private var output = Output.open
    private var isFlushScheduled = false
    /// What came and was not taken.
    private var input = ByteBuffer()
    private var hasInputEnded = false
    private var hasToldInputEnd = false
    private var isBroken = false
    private var isPaused = false
    private var isReadHeld = false

    /// - Parameter opening: what is sent first.
    init(
        to address: OriginAddress, beginningWith opening: ByteBuffer, on eventLoop: any EventLoop,
        receiver: any OriginResponseReceiver
    ) {
        self.address = address
        early = opening
        self.eventLoop = eventLoop
        self.receiver = receiver
    }

    // MARK: Connecting

    /// Starts with the next turn of the loop.
    func connect(within time: TimeAmount, names: NameResolver) {
        eventLoop.assumeIsolated().execute { self.dial(time, names) }
    }

    private func dial(_ time: TimeAmount, _ names: NameResolver) {
        guard receiver != nil else { return }
        guard DescriptorRoom.isThere else {
            return failed(OriginError(connecting: IOError(errnoCode: EMFILE, reason: "socket"), to: address))
        }
        guard let bootstrap = ClientBootstrap(validatingGroup: eventLoop) else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let configured =
            bootstrap
            .connectTimeout(time)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.writeBufferWaterMark, value: Self.waterMark)
            // A pause takes hold after the read under way: of several in a row each would have to be kept.
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
        let connected: EventLoopFuture<any Channel>
        if let literal = try? SocketAddress(ipAddress: address.host, port: address.port) {
            connected = configured.connect(to: literal)
        } else {
            let lookUp = names.lookUp(address.host, port: address.port, on: eventLoop)
            self.lookUp = lookUp
            connected = configured.resolver(lookUp).connect(host: address.host, port: address.port)
        }
        connected.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): self.connected(channel)
            case .failure(let error):
                self.lookUp?.provedWrong()
                self.failed(OriginError(connecting: error, to: self.address))
            }
        }
    }

    private func connected(_ channel: any Channel) {
        lookUp = nil
        guard let receiver, let context else { return channel.close(promise: nil) }
        receiver.originAnswered(RawStream.grant, framing: .untilClose)
        if early.readableBytes > 0 { context.write(wrapOutboundOut(early), promise: nil) }
        early = ByteBuffer()
        context.flush()
        if case .ended = output { halfClose() }
        receiver.originBecameWritable()
        deliver()
    }

    private func failed(_ error: OriginError) {
        let receiver = receiver
        self.receiver = nil
        receiver?.originFailed(error)
    }

    // MARK: What the stream does

    private var isConnected: Bool { context?.channel.isActive == true }

    var isWritable: Bool { isConnected && context?.channel.isWritable == true }

    var unsentBytes: Int {
        let buffered = try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)
        return early.readableBytes + (buffered ?? 0)
    }

    func send(_ bytes: ByteBuffer) {
        guard case .open = output else { return }
        guard let context, isConnected else { return _ = early.writeImmutableBuffer(bytes) }
        context.write(wrapOutboundOut(bytes), promise: nil)
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        eventLoop.assumeIsolated().execute {
            self.isFlushScheduled = false
            self.context?.flush()
        }
    }

    func end(trailers: HeaderFields?) {
        guard case .open = output else { return }
        output = .ended
        if isConnected { halfClose() }
    }

    /// NIO drops unsent bytes when the second direction closes; so neither is closed before they have left.
    private func halfClose() {
        guard let context else { return }
        let sent = eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: sent)
        sent.futureResult.assumeIsolated().whenComplete { _ in
            self.output = .closed
            if self.hasInputEnded {
                self.context?.close(promise: nil)
            } else {
                self.context?.close(mode: .output, promise: nil)
            }
        }
    }

    /// Nothing of it counts any more, and the service is to see that.
    func cancel() {
        receiver = nil
        lookUp?.cancelQueries()
        input = ByteBuffer()
        guard let context else { return }
        let reset = Glibc.linger(l_onoff: 1, l_linger: 0)
        (context.channel as? any SocketOptionProvider)?.setSoLinger(reset).whenFailure { _ in }
        context.close(promise: nil)
    }

    func pauseReading() { isPaused = true }

    func resumeReading() {
        isPaused = false
        deliver()
        guard isReadHeld, !isPaused else { return }
        isReadHeld = false
        context?.read()
    }

    // MARK: What the channel says

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func read(context: ChannelHandlerContext) {
        if isPaused { isReadHeld = true } else { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if input.readableBytes == 0 { input = bytes } else { input.writeImmutableBuffer(bytes) }
        deliver()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent {
            hasInputEnded = true
            deliver()
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { receiver?.originBecameWritable() }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        isBroken = true
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        // The second of both directions ends without an event of its own: NIO closes the channel then.
        if case .closed = output, !isBroken { hasInputEnded = true }
        deliver()
        if !isOver {
            failed(OriginError(.closedEarly, "\(address.place) broke the connection off"))
        } else if hasToldInputEnd {
            receiver = nil
        }
        context.fireChannelInactive()
    }

    /// Whether both directions ended in order, be it that not all that came was taken.
    private var isOver: Bool {
        if case .closed = output { return hasInputEnded }
        return false
    }

    /// Hands on what came, as far as it is taken.
    private func deliver() {
        guard let receiver else { return }
        if !isPaused, input.readableBytes > 0 {
            let bytes = input
            input = ByteBuffer()
            receiver.originSent(bytes)
        }
        guard !isPaused, input.readableBytes == 0, hasInputEnded, !hasToldInputEnd else { return }
        hasToldInputEnd = true
        receiver.originEnded(trailers: nil)
        if isOver { self.receiver = nil }
    }
}
