import HTTPMessage
import NIOCore
import Observability
import Routing
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// One connection to the public side of a tunnel server: HTTP/1 in, one exchange after another, until it becomes a
/// tunnel session, raw bytes, or ends. Bound to its event loop.
final class CallerHandler: ChannelDuplexHandler, RemovableChannelHandler, TurnTaker {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Requests and pieces of a body that are taken as soon as they have come; who sends more small ones at once waits for
    /// its turn of the event loop.
    private static let freeSteps = 20
    /// What one of them is in units of `LoopTurns`.
    private static let stepWork = 64

    let core: ServerCore
    let loopIndex: Int
    /// Which listener it came by.
    let listener: Int
    /// What the request under way began with, or the latest one.
    var settings: ServerSettings
    var phase = CallerPhase.awaitingHead
    var context: ChannelHandlerContext?
    var input = ByteBuffer()
    private var headReader: RequestHeadReader
    /// The exchange under way, as HTTP/1 has it.
    var http: HTTP1Exchange?
    private var isAdvancing = false
    /// Whether it waits for its turn to go on with what came.
    private var isInLine = false
    private var isReadHeld = false
    private lazy var turns = LoopTurns.of(eventLoop)
    var output: CallerOutput?
    private var timer: DeadlineTimer?
    /// After an upgrade: the caller has closed its direction.
    private var hasInputEnded = false
    /// After an upgrade: the origin has closed its direction.
    var hasOutputEnded = false
    var waitingSince = NIODeadline.distantPast
    /// How it leaves, once it was asked to.
    var leaving: Leaving?
    /// How it ends, once it says nothing more.
    var farewell: Farewell?
    /// Told when the last answer has gone out, or how much of it could not.
    var brokenExchange: CallerExchange?
    /// What waited to go out when that was last looked at.
    var waitingAtLast = 0
    /// What of it is borrowed from the budget of the process.
    var borrowed = 0
    /// The address that connected.
    private var peer = ""
    /// What it counts as.
    private var peerGroup = AddressGroup.unknown
    private var peerPort: Int?
    /// Who calls, as far as is known from its latest request.
    var address = ""
    private var isCounted = false
    var hasServed = false

    init(core: ServerCore, loopIndex: Int, listener: Int) {
        self.core = core
        self.loopIndex = loopIndex
        self.listener = listener
        self.settings = core.settings
        self.headReader = RequestHeadReader(limits: core.limits.http)
    }

    /// Who calls, with the port where that is known.
    var endpoint: String {
        guard address == peer, let peerPort else { return address }
        return hostAndPort(peer, peerPort)
    }

    // MARK: Channel events

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        output = CallerOutput(context, date: core.dates[loopIndex].value, budget: core.budget)
        timer = DeadlineTimer(on: context.eventLoop)
        peer = context.remoteAddress?.ipAddress ?? "unknown"
        peerGroup = AddressGroup(peer)
        peerPort = context.remoteAddress?.port
        address = peer
        waitingSince = eventLoop.now
        let caller = ConnectionTable.Caller(
            eventLoop: context.eventLoop, handler: NIOLoopBound(self, eventLoop: context.eventLoop))
        isCounted = core.connections.enter(ObjectIdentifier(self), caller, address: peerGroup)
        if !isCounted {
            refuse(.tooManyCallers, method: "GET", record: nil)
        } else if core.isOver {
            context.close(promise: nil)
        } else {
            watch(until: eventLoop.now + core.limits.headTimeout)
            if core.isStopping { stop() }
        }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        switch phase {
        case .lingering:
            farewell?.heard(now: eventLoop.now)
        case .over:
            return
        case .awaitingHead, .exchange, .takingRest, .raw:
            if input.readableBytes == 0 {
                input = bytes
                if case .awaitingHead = phase { waitingSince = eventLoop.now }
            } else {
                input.writeBuffer(&bytes)
            }
            advance()
        }
    }

    func read(context: ChannelHandlerContext) {
        if isPaused {
            isReadHeld = true
        } else {
            context.read()
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            phase.currentExchange?.callerBecameWritable()
            advance()
        }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            switch phase {
            case .raw:
                hasInputEnded = true
                advance()
            // It has ended its direction, and may still read.
            case .lingering: break
            default: context.close(promise: nil)
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func end() {
        timer?.cancel()
        output?.letGo()
        context = nil
        endFarewell()
        // Where both directions ended in order, some of what the caller sent may still be to be taken: its stream keeps
        // the exchange, and that keeps this handler.
        if case .raw = phase, hasInputEnded, hasOutputEnded {
        } else {
            let exchange = phase.currentExchange
            phase = .over
            exchange?.callerLeft()
        }
        if isCounted {
            isCounted = false
            core.connections.leave(ObjectIdentifier(self), address: peerGroup)
        }
        tellArrival()
    }

    // MARK: Requests

    /// Whether bytes are left in the kernel for now.
    private var isPaused: Bool {
        switch phase {
        case _ where isInLine: true
        case .awaitingHead: !isWritable
        case .takingRest, .lingering, .over: false
        case .exchange(let exchange):
            http?.isRequestWhole == false ? !exchange.takesBytes : input.readableBytes > 0
        case .raw(let exchange): !exchange.takesBytes
        }
    }

    /// Takes as much of the input as there is use for now, and time.
    func advance() { advance(steps: Self.freeSteps) }

    /// - Parameter steps: how many may be taken in this turn of the event loop.
    private func advance(steps: Int) {
        guard !isAdvancing, !isInLine else { return }
        isAdvancing = true
        var left = steps
        defer {
            isAdvancing = false
            // A few are not worth counting.
            if steps - left >= Self.freeSteps / 4 { turns.spend((steps - left) * Self.stepWork) }
            if left == 0 {
                isInLine = true
                turns.wait(self)
            }
            if input.readableBytes == 0 { input = ByteBuffer() } else { input.discardReadBytes() }
            readOnIfHeld()
            tellArrival()
        }
        var start = input.readerIndex
        do throws(HTTPMessageError) {
            while left > 0, try step() {
                left -= 1
                start = input.readerIndex
            }
        } catch {
            requestIsMalformed(error, at: start)
        }
    }

    /// - Returns: whether there may be more to do.
    private func step() throws(HTTPMessageError) -> Bool {
        switch phase {
        case .awaitingHead:
            // A caller that does not read its answers gets no more of them.
            guard isWritable else { return false }
            guard let head = try headReader.next(&input) else {
                // It waits for an answer in TLS, and sends no more.
                if isTLS { throw HTTPMessageError(.malformed, "TLS instead of HTTP") }
                if input.readableBytes > 0 { watch(until: waitingSince + core.limits.headTimeout) }
                return false
            }
            try begin(head)
            return true
        case .exchange(let exchange):
            guard http?.isRequestWhole == false, exchange.takesBytes else { return false }
            switch try http?.next(&input) {
            case .bytes(let bytes):
                exchange.callerSent(bytes)
            case .end(let trailers):
                exchange.callerEndedRequest(trailers: trailers)
            case nil:
                return false
            }
            return true
        case .takingRest:
            switch try http?.next(&input) {
            case .bytes: break
            case .end: waitForNext()
            case nil: return false
            }
            return true
        case .raw(let exchange):
            guard exchange.takesBytes else { return false }
            guard input.readableBytes > 0 else {
                // What came before the end goes first, however long it has to wait.
                if hasInputEnded { exchange.callerEndedRaw() }
                return false
            }
            let bytes = input
            input = ByteBuffer()
            exchange.callerSent(bytes)
            return true
        case .lingering, .over:
            return false
        }
    }

    /// Whether what came is the beginning of TLS.
    private var isTLS: Bool { input.getInteger(at: input.readerIndex, as: UInt16.self) == 0x1603 }

    private func begin(_ head: RequestHead) throws(HTTPMessageError) {
        var head = head
        let framing = try head.bodyFraming()
        try head.settleTarget()
        try head.settleLength()
        settings = core.settings
        let caller = CallerAddress(peer: peer, head.fields, trusted: settings.trustedProxies)
        address = caller.text
        switch CallerRoute(head, basePath: settings.basePath, hosts: settings.hosts) {
        case .healthCheck:
            let refusal = Refusal(200, "WSTUNSRV RUNNING", "ok")
            answerHere(refusal, head, framing, path: "/_health_check", level: .debug)
        case .stats:
            let stats = Refusal(200, core.stats(isDetailed: caller.isLocal), "ok")
            answerHere(stats, head, framing, path: "/_stats")
        case .tunnel:
            becomeTunnel(head, framing)
        case .refuse(.tunnelNotFound) where core.isOneGuessTooMany(from: address):
            refuse(.tooManyGuesses, method: head.method, record: nil)
        case .refuse(let error):
            answerHere(Refusal(error), head, framing, path: "")
        case .forward(let token, let target, let namedBy):
            guard output != nil else { return }
            guard !TokenRemoval.mayFind(token.secret, in: head.method) else {
                throw HTTPMessageError(.malformed, "the method holds the token")
            }
            var request = head
            // The log shows it, too.
            request.target = TokenRemoval.clean(target, token: token.secret, basePath: settings.basePath)
            // Who asks how far it gets, not the origin (RFC 9110 §7.6.2).
            if request.takeHop() == 0 {
                return answerHere(
                    .hopsUsedUp(head.method), head, framing, path: TokenRemoval.masked(request.target))
            }
            http = HTTP1Exchange(
                head, framing, keepAlive: head.allowsKeepAlive && !isLeaving, limits: core.limits.http)
            let exchange = CallerExchange(
                core: core, settings: settings, loopIndex: loopIndex, stream: self, token: token,
                request: request,
                forwarding: Forwarding(
                    token: token, namedBy: namedBy, basePath: settings.basePath, peer: peer,
                    isPeerTrusted: caller.isPeerTrusted),
                framing: framing,
                record: makeRecord(
                    head.method, path: TokenRemoval.masked(request.target), tokenHint: token.hint))
            phase = .exchange(exchange)
            exchange.start()
        }
    }

    func makeRecord(_ method: String, path: String, tokenHint: String? = nil) -> RequestRecord {
        RequestRecord(
            log: core.access, serverName: core.name, tokenHint: tokenHint, requestID: core.nextRequestID(),
            method: method, path: path, callerAddress: address, now: eventLoop.now)
    }

    /// Lets a read go on that was held back.
    func readOnIfHeld() {
        guard isReadHeld, !isPaused else { return }
        isReadHeld = false
        context?.read()
    }

    func haveTurn(_ share: Int) {
        isInLine = false
        advance(steps: max(Self.freeSteps, share / Self.stepWork))
    }

    // MARK: Time limits

    func watch(until deadline: NIODeadline) {
        timer?.ring(by: deadline) { self.checkTime() }
    }

    func checkTime() {
        defer { tellArrival() }
        let now = eventLoop.now
        switch phase {
        case .awaitingHead where !isWritable:
            let deadline = waitingSince + settings.httpTimeout
            guard now >= deadline else { return watch(until: deadline) }
            output?.close()
        case .takingRest:
            let deadline = min(waitingSince + core.limits.headTimeout, leaving?.deadline ?? .distantFuture)
            guard now >= deadline else { return watch(until: deadline) }
            linger()
        case .awaitingHead where input.readableBytes > 0:
            let deadline = min(waitingSince + core.limits.headTimeout, leaving?.deadline ?? .distantFuture)
            guard now >= deadline else { return watch(until: deadline) }
            refuse(.headTimeout, method: method(at: input.readerIndex), record: makeRecord("-", path: "-"))
        case .awaitingHead:
            guard now >= headDeadline else { return watch(until: headDeadline) }
            sayFarewell(.close, isDelimited: true)
        case .exchange(let exchange):
            exchange.checkTime()
        case .raw:
            break
        case .lingering:
            checkFarewell()
        case .over:
            break
        }
    }
}
