import DequeModule
import HTTPMessage
import HostSystem
package import NIOCore
import NIOHPACK
package import NIOHTTP2

/// A connection that speaks HTTP/2, above the handler that makes frames of its bytes: carries out what its
/// `HTTP2ConnectionMachine` decides; what the requests are for, its `RequestReception` knows. Bound to its event loop.
package final class HTTP2CallerHandler: ChannelInboundHandler, ChannelOutboundHandler, StepTaker {
    package typealias InboundIn = HTTP2Frame
    package typealias OutboundIn = Never
    package typealias OutboundOut = HTTP2Frame

    /// What a frame is in bytes beside its payload.
    private static let frameHead = 9
    /// What most frames hold that belong to no request.
    private static let controlPayload = 8
    /// Of heads of requests under way, in bytes, beside one.
    private static let mostHeadBytes = 256 << 10

    /// Of its channel.
    package let eventLoop: any EventLoop
    let limits: ConnectionLimits
    private let date: DateStamp
    private let budget: (any OutputBudget)?
    let reception: any RequestReception
    let wire: HTTP2Wire
    let watch: HTTP2FrameWatch
    var machine: HTTP2ConnectionMachine
    var context: ChannelHandlerContext?
    var streams: [HTTP2StreamID: HTTP2CallerStream] = [:]
    /// Of all heads of theirs.
    var headBytes = 0
    /// Streams that have something to send, in turn.
    var line = Deque<HTTP2CallerStream>()
    var isSending = false
    /// What came and waits for its turn: no more than one read.
    private var arrived = Deque<HTTP2Frame>()
    private let pace: StepPace
    private var isReadHeld = false
    private var timer: DeadlineTimer?
    /// Who waits for requests that may be on their way, while the server stops.
    var arrivals: [EventLoopPromise<Void>] = []
    private var isIn = false
    /// Bytes that had come when they were last looked at, and those since then that were frames which count.
    private var received = 0
    private var counted = 0
    /// Memory for what callers send ahead.
    private var borrowed = 0

    private init(
        on eventLoop: any EventLoop, limits: ConnectionLimits, date: DateStamp, budget: (any OutputBudget)?,
        reception: any RequestReception, wire: HTTP2Wire, watch: HTTP2FrameWatch
    ) {
        self.eventLoop = eventLoop
        self.limits = limits
        self.date = date
        self.budget = budget
        self.reception = reception
        self.wire = wire
        self.watch = watch
        pace = StepPace(on: eventLoop)
        machine = HTTP2ConnectionMachine(limits, now: eventLoop.now)
    }

    /// Has a connection speak HTTP/2 from its first byte on, by handlers at the end of its pipeline. `CallerHandler.prepare`
    /// sets up its channel.
    ///
    /// - Parameters:
    ///   - eventLoop: of its channel; called on it.
    ///   - date: that of the event loop.
    ///   - budget: for what waits, either way; nil where there are so few connections that none is needed.
    ///   - isSecure: whether TLS lies beneath it.
    package static func add(
        to pipeline: ChannelPipeline.SynchronousOperations, on eventLoop: any EventLoop,
        limits: ConnectionLimits, date: DateStamp, budget: (any OutputBudget)?,
        reception: any RequestReception, isSecure: Bool = false
    ) throws {
        let (wire, watch) = (HTTP2Wire(budget: budget, isSecure: isSecure), HTTP2FrameWatch())
        // In their order: each may write as soon as it is there.
        try pipeline.addHandler(wire)
        try pipeline.addHandler(HTTP2ConnectionSettings.makeHandler(limits.http, watch: watch))
        try pipeline.addHandler(
            HTTP2CallerHandler(
                on: eventLoop, limits: limits, date: date, budget: budget, reception: reception, wire: wire,
                watch: watch))
    }

    // MARK: Channel events

    package func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    package func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard self.context == nil, !machine.isOver else { return }
        self.context = context
        timer = DeadlineTimer(on: context.eventLoop) { self.checkTime() }
        wire.weigh = { [weak self] in self?.weigh() ?? .max }
        wire.refused = { [weak self] in self?.giveUp(.enhanceYourCalm) }
        machine.becameIdle(now: eventLoop.now)
        switch reception.welcome(self, on: context.channel) {
        case .stays:
            isIn = true
            openWindow()
            checkTime()
            if reception.isStopping { stop() }
        // There is no request yet to answer.
        case .isRefused: giveUp(.refusedStream)
        case .isClosed: context.close(promise: nil)
        }
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        counted += Self.frameHead
        switch frame.payload {
        case .headers(let payload): headCame(payload, frame)
        case .data(let payload):
            let bytes = payload.data.readableBytes
            counted += bytes + (payload.paddingBytes.map { $0 + 1 } ?? 0)
            if bytes == 0, !payload.endStream { machine.nuisance.idleFrameCame() }
            guard bytes > 0 || payload.endStream, let stream = streams[frame.streamID] else { return }
            stream.hasEnded = stream.hasEnded || payload.endStream
            machine.window.came(bytes)
            arrived.append(frame)
        case .rstStream:
            counted += Self.controlPayload
            machine.nuisance.wasCancelled(now: eventLoop.now)
        case .goAway:
            if machine.leave(now: eventLoop.now) { refuseStreams() }
        default: idleFrameCame(frame)
        }
    }

    /// A frame that asks for nothing.
    private func idleFrameCame(_ frame: HTTP2Frame) {
        counted += Self.controlPayload
        machine.nuisance.idleFrameCame()
        switch frame.payload {
        case .settings(.settings(let settings)): settingsCame(settings)
        case .windowUpdate(let bytes): windowOpened(bytes, frame.streamID)
        case .ping(_, ack: true): if machine.awaitsStreams { refuseStreams() }
        default: break
        }
    }

    private func headCame(_ payload: HTTP2Frame.FramePayload.Headers, _ frame: HTTP2Frame) {
        // Its caller may have written it shorter.
        let bytes = payload.headers.reduce(Self.frameHead) {
            $0 + $1.name.utf8.count + $1.value.utf8.count + 8
        }
        counted += bytes
        if let stream = streams[frame.streamID] {
            stream.hasEnded = true
            return arrived.append(frame)
        }
        guard machine.takesStream(frame.streamID) else { return }
        let stream = HTTP2CallerStream(frame.streamID, on: self, sendWindow: machine.initialSendWindow)
        stream.arrived = payload
        stream.hasEnded = payload.endStream
        streams[frame.streamID] = stream
        guard headBytes == 0 || headBytes + bytes <= Self.mostHeadBytes else {
            return reset(stream, .refusedStream)
        }
        stream.headBytes = bytes
        headBytes += bytes
        arrived.append(frame)
    }

    private func settingsCame(_ settings: HTTP2Settings) {
        for setting in settings where setting.parameter == .initialWindowSize {
            let change = machine.initialSendWindowBecame(setting.value)
            for stream in streams.values {
                stream.answer.window += change
                lineUp(stream)
            }
        }
        send()
    }

    private func windowOpened(_ bytes: Int, _ id: HTTP2StreamID) {
        if id == .rootStream {
            machine.sendWindowOpened(bytes)
        } else if let stream = streams[id] {
            stream.answer.window += bytes
            lineUp(stream)
        }
        send()
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        pace.run(self)
        context.fireChannelReadComplete()
    }

    /// Looks at what came.
    ///
    /// - Returns: how much of what follows is to be read before the next look.
    private func weigh() -> Int {
        let bytes = wire.received - received
        received = wire.received
        machine.nuisance.received(bytes, counted: counted, now: eventLoop.now)
        counted = 0
        if !machine.isOver, machine.nuisance.isTooMuch { giveUp(.enhanceYourCalm) }
        return machine.nuisance.bytesToNextLook
    }

    package func read(context: ChannelHandlerContext) {
        if pace.isInLine { isReadHeld = true } else { context.read() }
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { goOn() }
        context.fireChannelWritabilityChanged()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as NIOHTTP2WindowUpdatedEvent:
            guard let offered = event.inboundWindowSize else { break }
            if event.streamID == .rootStream {
                machine.window.offered = offered
            } else {
                streams[event.streamID]?.window.offered = offered
            }
        // Of those that end in order the frames tell.
        case let event as StreamClosedEvent:
            if event.reason != nil, let stream = streams[event.streamID] { wasReset(stream) }
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if watch.hasGivenUp {
            giveUp(nil)
        } else if error is any NIOHTTP2Error, !(error is NIOHTTP2Errors.UnableToSerializeFrame) {
            machine.nuisance.wasCancelled(now: eventLoop.now)
        } else {
            context.close(promise: nil)
        }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    package func handlerRemoved(context: ChannelHandlerContext) { end() }

    private func end() {
        timer?.cancel()
        timer = nil
        context = nil
        machine.closed()
        forgetStreams()
        arrived = []
        if borrowed > 0 { budget?.giveBack(borrowed) }
        borrowed = 0
        if isIn {
            isIn = false
            reception.left(self)
        }
        tellArrival()
    }

    // MARK: What came

    func takeStep() -> Bool {
        guard let frame = arrived.popFirst() else { return false }
        switch frame.payload {
        case .headers(let payload):
            guard let stream = streams[frame.streamID] else { break }
            if let head = stream.arrived {
                stream.arrived = nil
                begin(head, on: stream)
            } else {
                trailersCame(payload, on: stream)
            }
        case .data(let payload):
            guard case .byteBuffer(let bytes) = payload.data else { break }
            guard let stream = streams[frame.streamID] else {
                machine.window.taken(bytes.readableBytes)
                break
            }
            dataCame(bytes, isLast: payload.endStream, on: stream)
        default: break
        }
        return true
    }

    func restsAfterSteps() {
        openWindow()
        guard isReadHeld, !pace.isInLine else { return }
        isReadHeld = false
        context?.read()
    }

    // MARK: Windows

    /// The caller may send more, as far as what it sent was taken.
    func openWindow() {
        guard !machine.isOver else { return }
        let bytes = machine.window.opening { borrow($0) }
        if bytes > 0 { openWindow(.rootStream, by: bytes) }
    }

    func openWindow(_ id: HTTP2StreamID, by bytes: Int) {
        context?.writeAndFlush(
            wrapOutboundOut(HTTP2Frame(streamID: id, payload: .windowUpdate(windowSizeIncrement: bytes))),
            promise: nil)
    }

    /// While memory is short, nobody gets more than what is there for all.
    private func borrow(_ bytes: Int) -> Bool {
        guard let budget else { return true }
        guard !budget.isShort, budget.take(bytes) else { return false }
        borrowed += bytes
        return true
    }

    var hasBorrowed: Bool { borrowed > 0 }

    var isMemoryShort: Bool { budget?.isShort ?? false }

    var dateText: String { date.text }

    // MARK: Time

    func watch(until deadline: NIODeadline) { timer?.ring(by: deadline) }

    func checkTime() {
        defer { tellArrival() }
        let now = eventLoop.now
        switch machine.due(now: now) {
        case .nothing(let deadline): watch(until: deadline)
        case .refuseStreams: refuseStreams()
        case .close:
            return sayFarewell(.noError)
        case .cut: return forgetStreams()
        case .farewell: return goOnWithFarewell()
        }
        checkStreams(now)
    }

    private func checkStreams(_ now: NIODeadline) {
        for stream in Array(streams.values) {
            if stream.deadline > now {
                watch(until: stream.deadline)
                continue
            }
            stream.deadline = .distantFuture
            if let exchange = stream.exchange { exchange.checkTime() } else { reset(stream, .cancel) }
        }
    }
}
