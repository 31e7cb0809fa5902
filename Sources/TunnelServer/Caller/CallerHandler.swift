import HTTPMessage
import NIOCore

/// One connection to the public side of a tunnel server: HTTP/1 in, one exchange after another, until it becomes a
/// tunnel session, raw bytes, or ends. Carries out what its `CallerConnectionMachine` decides. Bound to its event loop.
final class CallerHandler: ChannelDuplexHandler, RemovableChannelHandler, StepTaker {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer

    let eventLoop: any EventLoop
    private let core: ServerCore
    private let loopIndex: Int
    /// Which listener it came by.
    private let listener: Int
    /// What the request under way began with, or the latest one.
    private var settings: ServerSettings
    private var machine: CallerConnectionMachine<CallerExchange>
    private var reception: CallerReception
    private var context: ChannelHandlerContext?
    private var output: CallerOutput?
    private var timer: DeadlineTimer?
    private var isReadHeld = false
    private let pace: StepPace
    /// Who waits for a request that may be on its way, while the server stops.
    private var arrivals: [EventLoopPromise<Void>] = []
    private var isCounted = false

    init(core: ServerCore, loopIndex: Int, listener: Int) {
        self.eventLoop = core.loops[loopIndex]
        self.core = core
        self.loopIndex = loopIndex
        self.listener = listener
        self.settings = core.settings
        self.pace = StepPace(on: core.loops[loopIndex])
        self.machine = CallerConnectionMachine(core.limits)
        self.reception = CallerReception(core: core, loopIndex: loopIndex, peer: nil)
    }

    // MARK: Channel events

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        output = CallerOutput(context, date: core.dates[loopIndex].value, budget: core.budget)
        timer = DeadlineTimer(on: context.eventLoop) { self.checkTime() }
        reception = CallerReception(core: core, loopIndex: loopIndex, peer: context.remoteAddress)
        machine.connected(now: eventLoop.now)
        let caller = ConnectionTable.Caller(
            eventLoop: context.eventLoop, handler: NIOLoopBound(self, eventLoop: context.eventLoop))
        isCounted = core.connections.enter(ObjectIdentifier(self), caller, address: reception.group)
        if !isCounted {
            answerHere(Refusal.tooManyCallers.answer, method: "GET", record: nil, closes: true)
        } else if core.isOver {
            context.close(promise: nil)
        } else {
            checkTime()
            if core.isStopping { stop() }
        }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if machine.received(unwrapInboundIn(data), now: eventLoop.now) { workOff() }
    }

    func read(context: ChannelHandlerContext) {
        if isPaused { isReadHeld = true } else { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            machine.current?.callerBecameWritable()
            workOff()
        }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            switch machine.inputEnded() {
            case .workOff: workOff()
            case .goesOn: break
            case .close: context.close(promise: nil)
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// Where an exchange goes on, its stream keeps it, and it keeps this handler.
    private func end() {
        timer?.cancel()
        timer = nil
        output?.letGo()
        context = nil
        tellOut(missing: output?.waitingAtLast ?? 0)
        machine.closed()?.callerLeft()
        if isCounted {
            isCounted = false
            core.connections.leave(ObjectIdentifier(self), address: reception.group)
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

    private func workOff() { pace.run(self) }

    func restsAfterSteps() {
        machine.tidy()
        readOnIfHeld()
        tellArrival()
    }

    func takeStep() -> Bool {
        switch machine.next(isWritable: isWritable, takesBytes: { $0.takesBytes }) {
        case .body(let bytes, let exchange), .raw(let bytes, let exchange):
            exchange.callerSent(bytes)
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
            if let preface { core.tell("Connection is not HTTP", preface.refusal, from: reception.address) }
            refuse(preface?.refusal ?? .malformed(error), method: method)
            return false
        case .malformedBody(let error, let exchange):
            exchange.abort(.malformedRequest(error))
            return false
        case .malformedRest:
            sayFarewell(.linger, isDelimited: true)
            return false
        }
        return true
    }

    private func begin(_ head: RequestHead, _ framing: BodyFraming) {
        settings = core.settings
        switch reception.receive(head, framing, settings, isLeaving: isLeaving, for: self) {
        case .answer(let answer, let record, let closes):
            answerHere(answer, method: head.method, record: record, closes: closes)
        case .tunnel(let handshake):
            becomeTunnel(head, framing, by: handshake)
        case .exchange(let exchange):
            let keepAlive = head.allowsKeepAlive && !isLeaving
            machine.began(
                exchange, HTTP1Exchange(head, framing, keepAlive: keepAlive, limits: core.limits.http))
            exchange.start()
        }
    }

    private func becomeTunnel(_ head: RequestHead, _ framing: BodyFraming, by handshake: TunnelHandshake) {
        guard let context else { return }
        handshake.receive(head, framing, on: context.channel) { result in
            switch result {
            case .success(let admitted):
                handshake.seat(admitted, in: context, from: self, leftover: self.machine.leavesHTTP())
            case .failure(let refusal):
                let record = handshake.report(refusal, head, now: self.eventLoop.now)
                self.answerHere(refusal.answer, method: head.method, record: record, closes: true)
            }
        }
    }

    /// Answers what was no request, and closes.
    private func refuse(_ refusal: Refusal, method: String) {
        let record = reception.makeRecord("-", path: "-", now: eventLoop.now)
        answerHere(refusal.answer, method: method, record: record, closes: true)
    }

    private func answerHere(_ answer: OwnAnswer, method: String, record: RequestRecord?, closes: Bool) {
        let now = eventLoop.now
        output?.answer(answer, closing: closes, method: method, record: record, now: now)
        if closes {
            sayFarewell(.linger, isDelimited: true)
        } else {
            watch(until: machine.waitsForNext(now: now))
        }
    }

    // MARK: Ends

    /// The connection says nothing more: what was written goes out, then it ends. See `Farewell`.
    ///
    /// - Parameter isBroken: the answer of the exchange under way broke off, and it is told when that has gone out.
    private func sayFarewell(_ manner: Farewell.Manner, isDelimited: Bool, isBroken: Bool = false) {
        guard context != nil, let output else { return }
        let limits = core.limits
        let patience = Farewell.Patience(
            stalled: settings.times.stall, silence: limits.lingerTimeout, lingering: limits.longestLingering)
        let farewell = Farewell(manner, isDelimited: isDelimited, patience: patience, now: eventLoop.now)
        machine.saysFarewell(farewell, isBroken: isBroken, isLeaving: isLeaving)
        output.flushNow()
        guard output.borrowWhatWaits() else { return isDelimited ? output.close() : output.reset() }
        let whenSent = { [self] (isSent: Bool) in
            guard isSent, context != nil else { return }
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
    private var isLeaving: Bool { machine.leaving.isAsked || core.isStopping }

    /// Its listener is closed, and another in its place: the next answer is the last.
    func leave(ifBy listener: Int) { if listener == self.listener { machine.leave() } }

    /// Finishes what is under way, then closes. Who came or was answered just now may have sent a request already:
    /// it gets its answer.
    ///
    /// - Returns: when there is nothing more to wait for but answers.
    @discardableResult func stop() -> EventLoopFuture<Void> {
        let now = eventLoop.now
        let arrival = eventLoop.makePromise(of: Void.self)
        arrivals.append(arrival)
        switch machine.stop(isWritable: isWritable, now: now) {
        case .nothing: break
        case .checkTime: checkTime()
        case .close: sayFarewell(.close, isDelimited: true)
        case .exchange(let exchange):
            exchange.serverStops()
            watch(until: now + core.limits.leaveTimeout)
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
    func cut() {
        switch machine.cut() {
        case .nothing, .checkTime: break
        case .close: sayFarewell(.close, isDelimited: true)
        case .exchange(let exchange): exchange.abort(.cutShort)
        }
        machine.hurry(until: eventLoop.now + core.limits.cutTime)
        checkTime()
    }

    // MARK: Time limits

    private func watch(until deadline: NIODeadline) { timer?.ring(by: deadline) }

    private func checkTime() {
        defer { tellArrival() }
        switch machine.due(isWritable: isWritable, patience: settings.times.stall, now: eventLoop.now) {
        case .nothing(let deadline): watch(until: deadline)
        case .exchange(let exchange): exchange.checkTime()
        case .headTimeout(let method): refuse(.headTimeout, method: method)
        case .idle: sayFarewell(.close, isDelimited: true)
        case .stuck: output?.close()
        case .restTimeout: sayFarewell(.linger, isDelimited: true)
        case .farewell: goOnWithFarewell()
        }
    }
}

// MARK: - The exchange under way

extension CallerHandler: CallerStream {
    var isWritable: Bool { output?.isWritable ?? false }
    var waiting: Int { output?.waiting ?? 0 }
    var undelivered: Int { output?.undelivered ?? 0 }

    func send(interim head: ResponseHead) {
        guard let output, let bytes = machine.http?.interim(head) else { return }
        output.write(bytes)
        output.flushSoon()
    }

    func send(_ head: consuming ResponseHead, _ length: AnswerLength, isLast: Bool) {
        let isLeaving = isLeaving
        guard let output,
            let bytes = machine.http?.begin(head, length, isLeaving: isLeaving, date: output.date.text)
        else { return }
        write(bytes, to: output, isLast: isLast)
    }

    func send(switching head: consuming ResponseHead) {
        guard let output, let bytes = machine.http?.switchProtocols(head) else { return }
        write(bytes, to: output, isLast: true)
        machine.switchedProtocols()
        output.allowHalfClosure()
        workOff()
    }

    func send(_ data: ByteBuffer, isLast: Bool) {
        guard let output else { return }
        machine.http?.write(data, isLast: isLast) { output.write($0) }
        if isLast { output.flushNow() } else { output.flushSoon() }
    }

    func send(trailers: HeaderFields) {
        guard let output else { return }
        machine.http?.writeEnd(trailers: trailers) { output.write($0) }
        output.flushNow()
    }

    func send(_ answer: OwnAnswer, closes: Bool) {
        let isLast = closes || isLeaving
        guard let output,
            let bytes = machine.http?.encode(answer, isLeaving: isLast, date: output.date.text)
        else { return }
        write(bytes, to: output, isLast: true)
    }

    private func write(_ bytes: ByteBuffer, to output: CallerOutput, isLast: Bool) {
        output.write(bytes)
        if isLast { output.flushNow() } else { output.flushSoon() }
    }

    func endRawOutput() {
        machine.outputEnded()
        output?.shutDownOnceSent()
    }

    func exchangeEnded() {
        guard let http = machine.http, context != nil else { return machine.ended() }
        if machine.isRaw { return sayFarewell(.close, isDelimited: http.isDelimited) }
        guard http.keepAlive else { return sayFarewell(.linger, isDelimited: http.isDelimited) }
        watch(until: machine.goesOn(isStopping: core.isStopping, now: eventLoop.now))
        workOff()
    }

    func exchangeBroke(isWhole: Bool) {
        guard let http = machine.http, context != nil else {
            let exchange = machine.current
            machine.ended()
            exchange?.answerIsOut(missing: 0)
            return
        }
        sayFarewell(
            isWhole || http.isDelimited ? .linger : .reset, isDelimited: http.isDelimited, isBroken: true)
    }

    func exchangeGaveUp() {
        machine.ended()
        output?.reset()
    }

    func requestMayFlow() { workOff() }

    func ring(by deadline: NIODeadline) { watch(until: deadline) }
}
