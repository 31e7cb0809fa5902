import HTTPMessage
import HostSystem
package import NIOCore

/// One connection of whoever sends requests to one of our listeners: HTTP/1 in, one exchange after another, until it
/// becomes another handler's, raw bytes, or ends. Carries out what its `CallerConnectionMachine` decides; what the requests
/// are for, its `RequestReception` knows. Bound to its event loop.
package final class CallerHandler: ChannelDuplexHandler, RemovableChannelHandler, CallerConnection, StepTaker
{
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = ByteBuffer

    /// Of its channel.
    package let eventLoop: any EventLoop
    private let limits: ConnectionLimits
    let date: DateStamp
    private let budget: (any OutputBudget)?
    let reception: any RequestReception
    private let isSecure: Bool
    /// Whether what is written goes out.
    private var isUp: Bool
    var machine: CallerConnectionMachine<any ServedExchange>
    var context: ChannelHandlerContext?
    var output: CallerOutput?
    private var timer: DeadlineTimer?
    private var isReadHeld = false
    private let pace: StepPace
    /// Who waits for a request that may be on its way, while the server stops.
    private var arrivals: [EventLoopPromise<Void>] = []
    /// Whether the reception let it in, and is to be told when it is over.
    private var isIn = false

    /// - Parameters:
    ///   - eventLoop: of its channel; called on it.
    ///   - date: that of the event loop.
    ///   - budget: for what waits to go out; nil where there are so few connections that none is needed.
    ///   - isSecure: whether TLS lies beneath it.
    package init(
        on eventLoop: any EventLoop, limits: ConnectionLimits, date: DateStamp, budget: (any OutputBudget)?,
        reception: any RequestReception, isSecure: Bool = false
    ) {
        self.eventLoop = eventLoop
        self.limits = limits
        self.date = date
        self.budget = budget
        self.reception = reception
        self.isSecure = isSecure
        self.isUp = !isSecure
        self.pace = StepPace(on: eventLoop)
        self.machine = CallerConnectionMachine(limits)
    }

    /// Sets a connection's channel up for a handler.
    package static func prepare(_ options: any NIOSynchronousChannelOptions) throws {
        // A pause takes hold after the read under way: of several in a row each would have to be kept.
        try options.setOption(.maxMessagesPerRead, value: 1)
        try options.setOption(.writeBufferWaterMark, value: CallerOutput.usuallyKept)
    }

    // MARK: Channel events

    package func channelActive(context: ChannelHandlerContext) {
        self.context = context
        output = CallerOutput(context, budget: budget, isSecure: isSecure)
        timer = DeadlineTimer(on: context.eventLoop) { self.checkTime() }
        machine.connected(now: eventLoop.now)
        switch reception.welcome(self, on: context.channel) {
        case .stays:
            isIn = true
            checkTime()
            if reception.isStopping { stop() }
        case .isRefused(let answer): answerHere(answer, toMethod: "")
        case .isClosed: context.close(promise: nil)
        }
        context.fireChannelActive()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if machine.received(unwrapInboundIn(data), now: eventLoop.now) { workOff() }
    }

    package func read(context: ChannelHandlerContext) {
        if isPaused { isReadHeld = true } else { context.read() }
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            machine.current?.callerBecameWritable()
            workOff()
        }
        context.fireChannelWritabilityChanged()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .isUp = event as? SecureConnectionEvent { isUp = true }
        if let event = event as? ChannelEvent, event == .inputClosed {
            switch machine.inputEnded() {
            case .workOff: workOff()
            case .goesOn: break
            case .close: context.close(promise: nil)
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        if isSecure, machine.endsInputBehindOutput() { workOff() }
        end()
        context.fireChannelInactive()
    }

    package func handlerRemoved(context: ChannelHandlerContext) { end() }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end()
        context.close(promise: nil)
    }

    /// Where an exchange goes on, its stream keeps it, and it keeps this handler. At an error at once: of an end without a
    /// word TLS tells by one, and then as of any.
    private func end() {
        timer?.cancel()
        timer = nil
        output?.letGo()
        context = nil
        tellOut(missing: output?.waitingAtLast ?? 0)
        machine.closed()?.callerLeft()
        if isIn {
            isIn = false
            reception.left(self)
        }
        tellArrival()
    }

    // MARK: What came

    /// Whether bytes are left in the kernel for now.
    private var isPaused: Bool {
        pace.isInLine || machine.isPaused(isWritable: isWritable) { $0.takesBytes }
    }

    /// Lets a read go on that was held back.
    private func readOnIfHeld() {
        guard isReadHeld, !isPaused else { return }
        isReadHeld = false
        context?.read()
    }

    func workOff() { pace.run(self) }

    func restsAfterSteps() {
        machine.tidy()
        readOnIfHeld()
        tellArrival()
    }

    func takeStep() -> Bool {
        switch machine.next(isWritable: isWritable, takesBytes: { $0.takesBytes }) {
        case .body(let bytes, let exchange): exchange.callerSent(bytes)
        case .raw(let bytes, let exchange): exchange.callerSent(bytes)
        case .request(let head, let framing): begin(head, framing)
        case .requestEnd(let trailers, let exchange): exchange.callerEndedRequest(trailers: trailers)
        case .rest: break
        case .restEnd: watch(until: machine.waitsForNext(now: eventLoop.now))
        case .nothing: return false
        case .partOfHead(let deadline):
            watch(until: deadline)
            return false
        case .rawEnd(let exchange):
            exchange.callerEndedRaw()
            return false
        case .malformedHead(let error, let method, let preface):
            answerHere(reception.refuse(.malformed(error, preface)), toMethod: method)
            return false
        case .http2(let bytes):
            speakHTTP2(bytes)
            return false
        case .malformedBody(let error, let exchange):
            exchange.callerBrokeRules(error)
            return false
        case .malformedRest:
            sayFarewell(.linger, isDelimited: true)
            return false
        }
        return true
    }

    private func begin(_ head: RequestHead, _ framing: BodyFraming) {
        let outcome = reception.receive(head, framing, for: self)
        let keepAlive = head.allowsKeepAlive && !isLeaving
        switch outcome {
        case .answer(let answer, let closes):
            // A body that comes with the request is not read.
            let isLast = closes || !keepAlive || framing != .none
            answerHere(answer, toMethod: head.method, head.version, closes: isLast)
        case .upgrade(let look): upgrade(asked: head.method, look)
        case .exchange(let exchange):
            machine.began(exchange, HTTP1Exchange(head, framing, keepAlive: keepAlive, limits: limits.http))
            exchange.start()
        }
    }

    private func upgrade(asked method: String, _ look: UpgradeLook) {
        guard let context else { return }
        look(context.channel) { verdict in
            switch verdict {
            case .leavesHTTP(let takeOver): takeOver(context, self, self.machine.leavesHTTP())
            case .refused(let answer): self.answerHere(answer, toMethod: method)
            }
        }
    }

    /// Gives way to those who do.
    private func speakHTTP2(_ bytes: ByteBuffer) {
        guard let context else { return }
        // They come in by themselves.
        if isIn { reception.left(self) }
        isIn = false
        let pipeline = context.pipeline.syncOperations
        do {
            try HTTP2CallerHandler.add(
                to: pipeline, on: eventLoop, limits: limits, date: date, budget: budget, reception: reception,
                isSecure: isSecure)
        } catch {
            return context.close(promise: nil)
        }
        context.fireChannelRead(NIOAny(bytes))
        context.fireChannelReadComplete()
        pipeline.removeHandler(self, promise: nil)
    }

    private func answerHere(
        _ answer: OwnAnswer, toMethod method: String, _ version: HTTPVersion = .http11, closes: Bool = true
    ) {
        output?.write(answer.encoded(toMethod: method, version, closing: closes, date: date.text))
        output?.flushNow()
        if closes {
            sayFarewell(.linger, isDelimited: true)
        } else {
            watch(until: machine.waitsForNext(now: eventLoop.now))
        }
    }

    // MARK: Ends

    /// The connection says nothing more: what was written goes out, then it ends. See `Farewell`.
    ///
    /// - Parameter isBroken: the answer of the exchange under way broke off, and it is told when that has gone out.
    func sayFarewell(_ manner: Farewell.Manner, isDelimited: Bool, isBroken: Bool = false) {
        guard context != nil, let output else { return }
        guard isUp else { return output.reset() }
        let patience = Farewell.Patience(
            stalled: reception.stall, silence: limits.lingerTimeout, lingering: limits.longestLingering)
        let farewell = Farewell(manner, isDelimited: isDelimited, patience: patience, now: eventLoop.now)
        machine.saysFarewell(
            farewell, isBroken: isBroken, isLeaving: machine.leaving.isAsked || reception.isStopping)
        output.flushNow()
        guard output.borrowWhatWaits() else { return isDelimited ? output.close() : output.reset() }
        // Where our direction was closed before, nothing more can leave, and all that was written has.
        let whenSent = { [self] (_: Bool) in
            guard context != nil else { return }
            output.giveBack()
            tellOut(missing: 0)
            machine.farewellIsSent()
            checkTime()
        }
        if case .linger = manner { output.closeOutput(whenSent) } else { output.whenSent(whenSent) }
        checkTime()
        readOnIfHeld()
    }

    private func goOnWithFarewell() {
        guard let output,
            let step = machine.farewellStep(undelivered: output.undelivered, now: eventLoop.now)
        else { return }
        output.noteWaiting()
        switch step {
        case .wait(let deadline): watch(until: deadline)
        case .close: output.close()
        case .reset: output.reset()
        }
    }

    private func tellOut(missing: Int) { machine.takeBroken()?.answerIsOut(missing: missing) }

    // MARK: Leaving

    /// Whether the next answer is the last.
    var isLeaving: Bool {
        machine.leaving.isAsked || reception.isStopping || reception.keepsNoConnections
    }

    /// The next answer is the last.
    package func leave() { machine.leave() }

    package func shed() { if reception.keepsNoConnections, machine.shed(now: eventLoop.now) { checkTime() } }

    /// Finishes what is under way, then closes. Who came or was answered just now may have sent a request already:
    /// it gets its answer.
    ///
    /// - Returns: when there is nothing more to wait for but answers.
    @discardableResult package func stop() -> EventLoopFuture<Void> {
        let now = eventLoop.now
        let arrival = eventLoop.makePromise(of: Void.self)
        // Not appended: a list that is changed in place is looked at for conflicts behind every request.
        arrivals = arrivals + [arrival]
        switch machine.stop(isWritable: isWritable, now: now) {
        case .nothing: break
        case .checkTime: checkTime()
        case .close: sayFarewell(.close, isDelimited: true)
        case .exchange(let exchange):
            exchange.serverStops()
            watch(until: now + limits.leaveTimeout)
        }
        tellArrival()
        return arrival.futureResult
    }

    /// Tells who waits for a request that it is here, or will not come.
    private func tellArrival() {
        guard !arrivals.isEmpty, !machine.awaitsRequest(now: eventLoop.now) else { return }
        let told = arrivals
        arrivals = []
        for arrival in told { arrival.succeed() }
    }

    /// The grace is over: what came goes out if that takes no time.
    package func cut() {
        switch machine.cut() {
        case .nothing, .checkTime: break
        case .close: sayFarewell(.close, isDelimited: true)
        case .exchange(let exchange): exchange.cutShort()
        }
        machine.hurry(until: eventLoop.now + limits.cutTime)
        checkTime()
    }

    // MARK: Time limits

    func watch(until deadline: NIODeadline) { timer?.ring(by: deadline) }

    private func checkTime() {
        defer { tellArrival() }
        switch machine.due(isWritable: isWritable, patience: reception.stall, now: eventLoop.now) {
        case .nothing(let deadline): watch(until: deadline)
        case .exchange(let exchange): exchange.checkTime()
        case .headTimeout(let method): answerHere(reception.refuse(.headTimeout), toMethod: method)
        case .idle: sayFarewell(.close, isDelimited: true)
        case .stuck: output?.close()
        case .restTimeout: sayFarewell(.linger, isDelimited: true)
        case .farewell: goOnWithFarewell()
        }
    }
}
