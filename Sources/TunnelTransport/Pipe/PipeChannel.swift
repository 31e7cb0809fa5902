package import NIOCore
import Synchronization

/// A channel whose bytes go another way than by a socket: whatever stands in a pipeline (TLS, the frames of a WebSocket) works
/// in this one too. Bound to its event loop.
package final class PipeChannel: Channel {
    private struct State {
        var transport: (any PipeTransport)?
        var pending: [(ByteBuffer, EventLoopPromise<Void>?)] = []
        var pendingBytes = 0
        var wantsRead = false
        var isReading = false
        var autoRead = true
        /// What ended the other end's direction; nil while it goes on.
        var inputEnd: (any Error)??
        var isClosed = false
    }

    package let allocator = ByteBufferAllocator()
    package let eventLoop: any EventLoop
    package let remoteAddress: SocketAddress?
    package var localAddress: SocketAddress? { nil }
    package var parent: (any Channel)? { nil }
    private let closed: EventLoopPromise<Void>
    private let pipelines = Mutex<ChannelPipeline?>(nil)
    private let active = Atomic<Bool>(false)
    private let writable = Atomic<Bool>(true)
    private let state: NIOLoopBoundBox<State>

    /// Called on the event loop.
    ///
    /// - Parameters:
    ///   - transport: kept until the channel is closed.
    ///   - remoteAddress: of the other end, for those who ask the channel.
    package init(_ transport: any PipeTransport, on eventLoop: any EventLoop, remoteAddress: SocketAddress?) {
        self.eventLoop = eventLoop
        self.remoteAddress = remoteAddress
        closed = eventLoop.makePromise()
        state = NIOLoopBoundBox(State(transport: transport), eventLoop: eventLoop)
    }

    package var closeFuture: EventLoopFuture<Void> { closed.futureResult }
    package var isWritable: Bool { writable.load(ordering: .relaxed) }
    package var isActive: Bool { active.load(ordering: .acquiring) }
    package var _channelCore: any ChannelCore { self }

    package var pipeline: ChannelPipeline {
        pipelines.withLock { known in
            if let known { return known }
            let made = ChannelPipeline(channel: self)
            known = made
            return made
        }
    }

    /// What was sent, and arrived.
    var progress: CarrierProgress? { state.value.transport?.progress ?? nil }

    // MARK: From the transport

    /// Begins: its handlers are there.
    package func open() {
        guard !state.value.isClosed else { return }
        active.store(true, ordering: .releasing)
        pipeline.fireChannelRegistered()
        pipeline.fireChannelActive()
        readIfWanted()
    }

    /// Bytes came, or some were sent.
    package func transportMoved() {
        deliver()
        lookAtWritability()
    }

    /// Nothing more comes.
    ///
    /// - Parameter error: why, where it is no end in order.
    package func transportEnded(_ error: (any Error)?) {
        guard state.value.inputEnd == nil else { return }
        state.value.inputEnd = .some(error)
        deliver()
    }

    // MARK: Reading

    private func readIfWanted() {
        if state.value.autoRead, isActive { pipeline.read() }
    }

    /// Gives what came to the handlers, as they ask for it.
    private func deliver() {
        guard !state.value.isReading, isActive else { return }
        state.value.isReading = true
        var hasRead = false
        while state.value.wantsRead, isActive, let bytes = state.value.transport?.receive() {
            hasRead = true
            state.value.wantsRead = false
            pipeline.fireChannelRead(bytes)
            pipeline.fireChannelReadComplete()
            readIfWanted()
        }
        state.value.isReading = false
        // The other end may be told that it can send more.
        if hasRead { state.value.transport?.flush() }
        guard isActive, let end = state.value.inputEnd, state.value.wantsRead else { return }
        if let error = end { pipeline.fireErrorCaught(error) }
        close(nil)
    }

    private func wantRead() {
        state.value.wantsRead = true
        guard !state.value.isReading else { return }
        // Who asks may be in the middle of something.
        eventLoop.assumeIsolated().execute { self.deliver() }
    }

    // MARK: Writing

    private func enqueue(_ bytes: ByteBuffer, _ promise: EventLoopPromise<Void>?) {
        guard isActive else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        state.value.pending.append((bytes, promise))
        state.value.pendingBytes += bytes.readableBytes
        lookAtWritability()
    }

    private func flushPending() {
        let pending = state.value.pending
        guard !pending.isEmpty, let transport = state.value.transport else { return }
        state.value.pending = []
        state.value.pendingBytes = 0
        for (bytes, _) in pending { transport.send(bytes) }
        transport.flush()
        for (_, promise) in pending { promise?.succeed() }
        lookAtWritability()
    }

    /// Takes no more when as much waits as may, and more when half of that has gone.
    private func lookAtWritability() {
        guard isActive, let transport = state.value.transport else { return }
        let waiting = transport.unsentBytes + state.value.pendingBytes
        let isFull = waiting > transport.mostUnsent
        let isHalfEmpty = waiting <= transport.mostUnsent / 2
        guard isWritable ? isFull : isHalfEmpty else { return }
        writable.store(!isWritable, ordering: .relaxed)
        pipeline.fireChannelWritabilityChanged()
    }

    // MARK: The end

    private func close(_ promise: EventLoopPromise<Void>?) {
        guard !state.value.isClosed else {
            promise?.fail(ChannelError.alreadyClosed)
            return
        }
        flushPending()
        state.value.isClosed = true
        let wasActive = active.exchange(false, ordering: .acquiringAndReleasing)
        for (_, promise) in state.value.pending { promise?.fail(ChannelError.ioOnClosedChannel) }
        state.value.pending = []
        let transport = state.value.transport.take()
        promise?.succeed()
        transport?.channelClosed()
        if wasActive { pipeline.fireChannelInactive() }
        pipeline.fireChannelUnregistered()
        // Handlers may still be at work beneath this.
        eventLoop.assumeIsolated().execute {
            self.removeHandlers(pipeline: self.pipeline)
            self.closed.succeed()
        }
    }

    private func finishOutput(_ promise: EventLoopPromise<Void>?) {
        flushPending()
        state.value.transport?.finish()
        promise?.succeed()
    }

    // MARK: Options

    package func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) -> EventLoopFuture<
        Void
    > {
        eventLoop.submit { try self.set(option, to: value) }
    }

    package func getOption<Option: ChannelOption>(_ option: Option) -> EventLoopFuture<Option.Value> {
        eventLoop.submit { try self.get(option) }
    }

    package var syncOptions: (any NIOSynchronousChannelOptions)? { SyncOptions(channel: self) }

    fileprivate func set<Option: ChannelOption>(_ option: Option, to value: Option.Value) throws {
        guard option is ChannelOptions.Types.AutoReadOption, let isOn = value as? Bool else {
            throw ChannelError.operationUnsupported
        }
        state.value.autoRead = isOn
        readIfWanted()
    }

    fileprivate func get<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
        let value: Any? =
            switch option {
            case is ChannelOptions.Types.AutoReadOption: state.value.autoRead
            case is ChannelOptions.Types.AllowRemoteHalfClosureOption: false
            case is ChannelOptions.Types.BufferedWritableBytesOption:
                (state.value.transport?.unsentBytes ?? 0) + state.value.pendingBytes
            default: nil
            }
        guard let value = value as? Option.Value else { throw ChannelError.operationUnsupported }
        return value
    }

    private struct SyncOptions: NIOSynchronousChannelOptions {
        let channel: PipeChannel

        func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) throws {
            try channel.set(option, to: value)
        }

        func getOption<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
            try channel.get(option)
        }
    }
}

/// What the pipeline's head does.
extension PipeChannel: ChannelCore {
    package func localAddress0() throws -> SocketAddress { throw ChannelError.operationUnsupported }

    package func remoteAddress0() throws -> SocketAddress {
        guard let remoteAddress else { throw ChannelError.operationUnsupported }
        return remoteAddress
    }

    package func register0(promise: EventLoopPromise<Void>?) { promise?.succeed() }
    package func registerAlreadyConfigured0(promise: EventLoopPromise<Void>?) { promise?.succeed() }
    package func bind0(to: SocketAddress, promise: EventLoopPromise<Void>?) { refuse(promise) }
    package func connect0(to: SocketAddress, promise: EventLoopPromise<Void>?) { refuse(promise) }
    package func flush0() { flushPending() }
    package func read0() { wantRead() }

    package func write0(_ data: NIOAny, promise: EventLoopPromise<Void>?) {
        enqueue(unwrapData(data, as: ByteBuffer.self), promise)
    }

    package func close0(error: any Error, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch mode {
        case .all: close(promise)
        case .output: finishOutput(promise)
        case .input: refuse(promise)
        }
    }

    package func triggerUserOutboundEvent0(_ event: Any, promise: EventLoopPromise<Void>?) { refuse(promise) }
    package func channelRead0(_ data: NIOAny) {}
    package func errorCaught0(error: any Error) { close(nil) }

    private func refuse(_ promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }
}
