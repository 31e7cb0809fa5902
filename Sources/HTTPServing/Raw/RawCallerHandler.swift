package import HTTPMessage
import HostSystem
package import NIOCore

/// Whom a connection is for that speaks no HTTP: all that its handler knows of the server behind it. One for each
/// connection, used on its event loop.
package protocol RawReception: AnyObject {
    /// Time that a caller may take nothing of what waits for it.
    var stall: TimeAmount { get }

    /// A connection is there.
    ///
    /// - Parameter channel: whose addresses tell who it is.
    /// - Returns: what carries it, not started yet; nil: it is turned away.
    func welcome(_ connection: RawCallerHandler, on channel: any Channel) -> (any ServedExchange)?
    /// It is over. Called once for each that was let in.
    func left(_ connection: any CallerConnection)
}

/// One connection whose bytes nobody looks at: it waits until its exchange is upgraded, and is carried as it is from then on.
/// Where the exchange comes to nothing, or breaks off, the caller gets a reset: an end in order would look whole. Carries out
/// what its `RawConnectionMachine` decides. Bound to its event loop.
package final class RawCallerHandler: ChannelDuplexHandler, CallerConnection {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = ByteBuffer

    /// Of its channel.
    package let eventLoop: any EventLoop
    private let limits: ConnectionLimits
    private let budget: (any OutputBudget)?
    private let reception: any RawReception
    private var machine = RawConnectionMachine()
    private var exchange: (any ServedExchange)?
    private var context: ChannelHandlerContext?
    private var output: CallerOutput?
    private var timer: DeadlineTimer?
    private var isReadHeld = false
    private var isWorking = false
    /// Whether the reception let it in, and is to be told when it is over.
    private var isIn = false

    /// - Parameters:
    ///   - eventLoop: of its channel; called on it.
    ///   - budget: for what waits to go out.
    package init(
        on eventLoop: any EventLoop, limits: ConnectionLimits, budget: (any OutputBudget)?,
        reception: any RawReception
    ) {
        self.eventLoop = eventLoop
        self.limits = limits
        self.budget = budget
        self.reception = reception
    }

    // MARK: Channel events

    package func channelActive(context: ChannelHandlerContext) {
        self.context = context
        let output = CallerOutput(context, budget: budget, isSecure: false)
        self.output = output
        output.allowHalfClosure()
        timer = DeadlineTimer(on: context.eventLoop) { self.checkTime() }
        if let exchange = reception.welcome(self, on: context.channel) {
            isIn = true
            self.exchange = exchange
            exchange.start()
        } else {
            machine.ended()
            output.reset()
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
        if context.channel.isWritable { exchange?.callerBecameWritable() }
        context.fireChannelWritabilityChanged()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            machine.inputEnded()
            workOff()
        }
        context.fireUserInboundEventTriggered(event)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    package func handlerRemoved(context: ChannelHandlerContext) { end() }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end()
        context.close(promise: nil)
    }

    /// Where the exchange goes on, its stream keeps it, and it keeps this handler.
    private func end() {
        timer?.cancel()
        timer = nil
        output?.letGo()
        context = nil
        tellOut(missing: output?.waitingAtLast ?? 0)
        if machine.closed() {
            let exchange = exchange
            self.exchange = nil
            exchange?.callerLeft()
        }
        guard isIn else { return }
        isIn = false
        reception.left(self)
    }

    // MARK: What came

    private var isPaused: Bool { machine.isPaused(takesBytes: exchange?.takesBytes == true) }

    private func workOff() {
        guard !isWorking else { return }
        isWorking = true
        work: while let exchange {
            switch machine.next(takesBytes: exchange.takesBytes) {
            case .bytes(let bytes): exchange.callerSent(bytes)
            case .end: exchange.callerEndedRaw()
            case .nothing: break work
            }
        }
        isWorking = false
        guard isReadHeld, !isPaused else { return }
        isReadHeld = false
        context?.read()
    }

    // MARK: Ends

    /// What was written goes out, then the connection ends. See `Farewell`.
    private func sayFarewell(_ manner: Farewell.Manner, isBroken: Bool) {
        guard context != nil, let output else { return }
        let patience = Farewell.Patience(
            stalled: reception.stall, silence: limits.lingerTimeout, lingering: limits.longestLingering)
        let farewell = Farewell(manner, isDelimited: false, patience: patience, now: eventLoop.now)
        machine.saysFarewell(farewell, isBroken: isBroken)
        output.flushNow()
        guard output.borrowWhatWaits() else { return output.reset() }
        // Where our direction was closed before, nothing more can leave, and all that was written has.
        output.whenSent { [self] _ in
            guard context != nil else { return }
            output.giveBack()
            tellOut(missing: 0)
            machine.farewellIsSent()
            checkTime()
        }
        checkTime()
        workOff()
    }

    private func tellOut(missing: Int) {
        guard machine.takeBroken() else { return }
        let exchange = exchange
        self.exchange = nil
        exchange?.answerIsOut(missing: missing)
    }

    /// A connection is not moved: it goes on.
    package func leave() {}

    package func shed() {}

    /// One that waits for its tunnel does so no longer; others go on.
    @discardableResult package func stop() -> EventLoopFuture<Void> {
        exchange?.serverStops()
        return eventLoop.makeSucceededVoidFuture()
    }

    /// The grace is over: what came goes out if that takes no time.
    package func cut() {
        exchange?.cutShort()
        machine.hurry(until: eventLoop.now + limits.cutTime)
        checkTime()
    }

    private func checkTime() {
        guard let output,
            let step = machine.farewellStep(undelivered: output.undelivered, now: eventLoop.now)
        else { return exchange?.checkTime() ?? () }
        output.noteWaiting()
        switch step {
        case .wait(let deadline): timer?.ring(by: deadline)
        case .close: output.close()
        case .reset: output.reset()
        }
    }
}

// The exchange that carries it.
extension RawCallerHandler: CallerStream {
    package var isWholeConnection: Bool { true }
    package var speaksHTTP: Bool { false }
    package var isWritable: Bool { output?.isWritable ?? false }
    package var waiting: Int { output?.waiting ?? 0 }
    package var undelivered: Int { output?.undelivered ?? 0 }

    /// The other side is there.
    package func send(switching head: consuming ResponseHead) {
        machine.opened()
        workOff()
    }

    // What is said in HTTP there is nobody to hear.
    package func send(interim head: ResponseHead) {}
    package func send(_ head: consuming ResponseHead, _ length: AnswerLength, isLast: Bool) {}
    package func send(trailers: HeaderFields) {}
    package func send(_ answer: OwnAnswer, closes: Bool) {}

    package func send(_ data: ByteBuffer, isLast: Bool) {
        guard let output, machine.isOpen else { return }
        if data.readableBytes > 0 { output.write(data) }
        if isLast { output.flushNow() } else { output.flushSoon() }
    }

    package func endRawOutput() {
        machine.outputEnded()
        output?.shutDownOnceSent()
    }

    package func exchangeEnded() {
        let isOpen = machine.isOpen
        exchange = nil
        guard context != nil else { return machine.ended() }
        if isOpen { return sayFarewell(.close, isBroken: false) }
        machine.ended()
        output?.reset()
    }

    package func exchangeBroke(isWhole: Bool) {
        guard context != nil else {
            let exchange = exchange
            self.exchange = nil
            machine.ended()
            exchange?.answerIsOut(missing: 0)
            return
        }
        sayFarewell(isWhole ? .close : .reset, isBroken: true)
    }

    package func exchangeGaveUp() {
        exchange = nil
        machine.ended()
        output?.reset()
    }

    package func requestMayFlow() { workOff() }

    package func ring(by deadline: NIODeadline) { timer?.ring(by: deadline) }
}
