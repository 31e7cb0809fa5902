import Glibc
import HTTPMessage
import Logging
import NIOCore
import NIOPosix
import Observability
import Synchronization
import TunnelProtocol
import TunnelTransport

/// One connection to the public side of a tunnel server: HTTP/1 in, one exchange after another, until it becomes a
/// tunnel session, raw bytes, or ends. Bound to its event loop.
final class CallerHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// Between requests, or with part of a head.
        case awaitingHead
        /// A request and its answer are under way.
        case exchange(CallerExchange)
        /// After an upgrade.
        case raw(CallerExchange)
        /// The last answer is out; what still comes is dropped.
        case lingering
        case over
    }

    private let core: ServerCore
    private let loopIndex: Int
    private var phase = Phase.awaitingHead
    private var context: ChannelHandlerContext?
    private var input = ByteBuffer()
    private var headReader: RequestHeadReader
    private var body: BodyDecoder?
    private var isAdvancing = false
    private var isReadHeld = false
    /// After an upgrade: the caller has closed its direction.
    private var hasInputEnded = false
    /// After an upgrade: the origin has closed its direction.
    private var hasOutputEnded = false
    /// Keeps this handler beyond its channel until the exchange has taken the caller's last bytes, or broke.
    private var restKeeper: CallerHandler?
    private var isFlushScheduled = false
    private var timer: Scheduled<Void>?
    private var timerDeadline = NIODeadline.distantFuture
    private var waitingSince = NIODeadline.now()
    private var lingerDeadline = NIODeadline.distantFuture
    private var address = ""
    private var isCounted = false
    private var hasServed = false

    init(core: ServerCore, loopIndex: Int) {
        self.core = core
        self.loopIndex = loopIndex
        self.headReader = RequestHeadReader(limits: core.limits.http)
    }

    // MARK: Channel events

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        address = context.remoteAddress?.ipAddress ?? "unknown"
        waitingSince = .now()
        let caller = ConnectionCensus.Caller(
            eventLoop: context.eventLoop, handler: NIOLoopBound(self, eventLoop: context.eventLoop))
        isCounted = core.census.enter(ObjectIdentifier(self), caller, address: address)
        if !isCounted {
            refuse(.tooManyCallers, method: "GET", record: nil)
        } else if core.isStopping {
            stop()
        } else {
            watch(after: core.limits.headTimeout)
        }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        switch phase {
        case .lingering, .over:
            return
        case .awaitingHead, .exchange, .raw:
            if input.readableBytes == 0 {
                input = bytes
                if case .awaitingHead = phase { waitingSince = .now() }
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
        if context.channel.isWritable { currentExchange?.connectionBecameWritable() }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            if case .raw = phase {
                hasInputEnded = true
                advance()
            } else {
                context.close(promise: nil)
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
        timer = nil
        context = nil
        if case .raw = phase, hasInputEnded, hasOutputEnded {
            // Both directions ended in order, but some of what the caller sent is still to be taken.
            restKeeper = self
        } else {
            let exchange = currentExchange
            phase = .over
            exchange?.callerLeft()
        }
        if isCounted {
            isCounted = false
            core.census.leave(ObjectIdentifier(self), address: address)
        }
    }

    // MARK: Requests

    private var currentExchange: CallerExchange? {
        switch phase {
        case .exchange(let exchange), .raw(let exchange): exchange
        case .awaitingHead, .lingering, .over: nil
        }
    }

    /// Whether bytes are left in the kernel for now.
    private var isPaused: Bool {
        switch phase {
        case .awaitingHead, .lingering, .over: false
        case .exchange(let exchange):
            body != nil ? !exchange.takesBytes : input.readableBytes > 0
        case .raw(let exchange): !exchange.takesBytes
        }
    }

    /// Takes as much of the input as there is use for now.
    private func advance() {
        guard !isAdvancing else { return }
        isAdvancing = true
        defer {
            isAdvancing = false
            if input.readableBytes == 0 { input = ByteBuffer() } else { input.discardReadBytes() }
            if isReadHeld, !isPaused {
                isReadHeld = false
                context?.read()
            }
        }
        do throws(HTTPMessageError) {
            while try step() {}
        } catch {
            requestIsMalformed(error)
        }
    }

    /// - Returns: whether there may be more to do.
    private func step() throws(HTTPMessageError) -> Bool {
        switch phase {
        case .awaitingHead:
            guard let head = try headReader.next(&input) else {
                if input.readableBytes > 0 { watch(until: waitingSince + core.limits.headTimeout) }
                return false
            }
            try begin(head)
            return true
        case .exchange(let exchange):
            guard body != nil, exchange.takesBytes else { return false }
            switch try body?.next(&input) {
            case .bytes(let bytes):
                exchange.callerSent(bytes)
            case .end(let trailers):
                body = nil
                exchange.callerEndedRequest(trailers: trailers)
            case nil:
                return false
            }
            return true
        case .raw(let exchange):
            guard exchange.takesBytes else { return false }
            guard input.readableBytes > 0 else {
                // What came before the end goes first, however long it has to wait.
                if hasInputEnded { exchange.callerEndedOutput() }
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

    private func begin(_ head: RequestHead) throws(HTTPMessageError) {
        let framing = try head.bodyFraming()
        let hosts = head.fields.count(of: .host)
        guard hosts == 1 || hosts == 0 && head.version == .http10 else {
            throw HTTPMessageError(.malformed, "exactly one Host header is required")
        }
        let route = CallerRoute(head, basePath: core.basePath)
        switch route {
        case .healthCheck:
            let refusal = Refusal(200, "WSTUNSRV RUNNING", "ok")
            answerHere(refusal, head, framing, path: "/_health_check")
        case .tunnel:
            becomeTunnel(head, framing)
        case .refuse(let refusal):
            answerHere(refusal, head, framing, path: "")
        case .forward(let token, let target):
            let keepAlive = head.allowsKeepAlive && !core.isStopping
            var request = head
            request.target = target
            body = framing == .none ? nil : BodyDecoder(framing, limits: core.limits.http)
            let exchange = CallerExchange(
                core: core, loopIndex: loopIndex, connection: self, token: token, request: request,
                framing: framing, keepAlive: keepAlive,
                record: makeRecord(head.method, path: target, tokenHint: token.hint))
            phase = .exchange(exchange)
            watch(after: core.httpTimeout)
            exchange.start()
        }
    }

    private func makeRecord(_ method: String, path: String, tokenHint: String? = nil) -> RequestRecord {
        RequestRecord(
            log: core.access, serverName: core.name, tokenHint: tokenHint, requestID: core.nextRequestID(),
            method: method, path: path, callerAddress: address)
    }

    // MARK: Answers of our own

    private func requestIsMalformed(_ error: HTTPMessageError) {
        switch phase {
        case .awaitingHead:
            refuse(.malformed(error), method: "GET", record: makeRecord("-", path: "-"))
        case .exchange(let exchange):
            exchange.timedOut(.malformed(error), .callerFailed)
            linger()
        case .raw, .lingering, .over:
            context?.close(promise: nil)
        }
    }

    private func answerHere(_ refusal: Refusal, _ head: RequestHead, _ framing: BodyFraming, path: String) {
        let record = makeRecord(head.method, path: path)
        guard framing == .none, head.allowsKeepAlive, !core.isStopping else {
            refuse(refusal, method: head.method, record: record)
            return
        }
        answer(refusal, closing: false, method: head.method, record: record)
        waitForNext()
    }

    /// Answers and closes.
    private func refuse(_ refusal: Refusal, method: String, record: RequestRecord?) {
        answer(refusal, closing: true, method: method, record: record)
        linger()
    }

    private func answer(_ refusal: Refusal, closing: Bool, method: String, record: RequestRecord?) {
        let (head, body) = refusal.response(closing: closing)
        var bytes = ByteBuffer()
        bytes.writeResponseHead(head)
        if method != "HEAD" { bytes.writeString(body) }
        context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        if var record {
            record.responded(refusal.status)
            record.responseBytes = body.utf8.count
            record.finish(.answeredHere)
        }
    }

    private func waitForNext() {
        phase = .awaitingHead
        hasServed = true
        body = nil
        waitingSince = .now()
        watch(after: core.limits.idleTimeout)
    }

    /// Closes our direction, and reads on for a moment: a connection closed with bytes unread is reset, and the
    /// caller might lose the answer.
    private func linger() {
        guard let context else { return }
        phase = .lingering
        input = ByteBuffer()
        body = nil
        // A slow caller may still have much to read: the moment begins when all has left.
        lingerDeadline = .now() + core.httpTimeout
        let sent = context.eventLoop.makePromise(of: Void.self)
        context.close(mode: .output, promise: sent)
        sent.futureResult.assumeIsolated().whenComplete { _ in
            self.lingerDeadline = .now() + self.core.limits.lingerTimeout
            self.watch(until: self.lingerDeadline)
        }
        watch(until: lingerDeadline)
        if isReadHeld {
            isReadHeld = false
            context.read()
        }
    }

    // MARK: Time limits

    private func watch(after amount: TimeAmount) {
        watch(until: .now() + amount)
    }

    /// One timer serves a connection; it is set anew only when it would ring too late.
    private func watch(until deadline: NIODeadline) {
        guard let context, timer == nil || deadline < timerDeadline else { return }
        timer?.cancel()
        timerDeadline = deadline
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.timer = nil
            self.timerDeadline = .distantFuture
            self.checkTime()
        }
    }

    private func checkTime() {
        let now = NIODeadline.now()
        switch phase {
        case .awaitingHead where input.readableBytes > 0:
            let deadline = waitingSince + core.limits.headTimeout
            guard now >= deadline else { return watch(until: deadline) }
            refuse(.headTimeout, method: "GET", record: makeRecord("-", path: "-"))
        case .awaitingHead:
            let patience = hasServed ? core.limits.idleTimeout : core.limits.headTimeout
            let deadline = waitingSince + patience
            guard now >= deadline else { return watch(until: deadline) }
            context?.close(promise: nil)
        case .exchange(let exchange):
            let deadline = exchange.lastProgress + core.httpTimeout
            guard now >= deadline else { return watch(until: deadline) }
            exchange.timedOut()
        case .raw:
            break
        case .lingering:
            guard now >= lingerDeadline else { return watch(until: lingerDeadline) }
            context?.close(promise: nil)
        case .over:
            break
        }
    }

    // MARK: Tunnels

    private func becomeTunnel(_ head: RequestHead, _ framing: BodyFraming) {
        guard let context else { return }
        let now = MonotonicInstant.now
        let peer = address
        guard !core.throttle.withLock({ $0.refuses(peer, now: now) }) else {
            rejectTunnel(.tooManyFailures, head)
            return
        }
        let token: RendezvousToken
        do throws(Refusal) {
            token = try core.admission.token(of: head)
        } catch {
            if error.status == 401 { core.throttle.withLock { $0.failed(peer, now: now) } }
            rejectTunnel(error, head)
            return
        }
        let core = core
        let client = ClientIdentity(
            text: head.fields.first(named: "X-Tunnel-Client"), otherwise: "connection-\(core.nextRequestID())"
        )
        guard core.registry.admits(token, client), core.census.hasRoomForSession else {
            rejectTunnel(.tooManyClients, head)
            return
        }
        guard framing == .none, !core.isStopping else {
            rejectTunnel(core.isStopping ? .stopping : .notWebSocket, head)
            return
        }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        WebSocketHandshake.accept(head, subprotocol: WebSocketHandshake.subprotocol, on: context.channel)
            .whenSuccess { answer in
                guard let answer else { return bound.value.rejectTunnel(.notWebSocket, head) }
                bound.value.seat(answer, token, client)
            }
    }

    private func seat(_ answer: ResponseHead, _ token: RendezvousToken, _ client: ClientIdentity) {
        guard let context else { return }
        var preface = ByteBuffer()
        preface.writeResponseHead(answer)
        let leftover = input
        input = ByteBuffer()
        phase = .over
        let (core, address) = (core, address)
        let makeHandler: @Sendable (any EventLoop) -> SessionHandler = { eventLoop in
            ServerSession(core: core, token: token, client: client, address: address, eventLoop: eventLoop)
                .makeHandler()
        }
        let counts = core.registry.sessionsPerLoop(token, loops: core.loops.count)
        let seat = SessionSeating.choose(counts: counts, current: loopIndex)
        if seat != loopIndex,
            SessionSeating.move(
                context, to: core.loops[seat], preface: preface, leftover: leftover, makeHandler: makeHandler)
        {
            return
        }
        context.write(wrapOutboundOut(preface), promise: nil)
        let handler = makeHandler(context.eventLoop)
        do {
            try context.pipeline.syncOperations.addHandler(handler, position: .after(self))
        } catch {
            context.close(promise: nil)
            return
        }
        if leftover.readableBytes > 0 {
            context.fireChannelRead(wrapInboundOut(leftover))
            context.fireChannelReadComplete()
        }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    private func rejectTunnel(_ refusal: Refusal, _ head: RequestHead) {
        let hint = head.fields[.origin].map { RendezvousToken.hint(of: $0) }
        core.logger.warning(
            "Tunnel refused",
            metadata: [
                .peerAddress: "\(address)", .tokenHint: "\(hint ?? "none")", .errorCode: "\(refusal.label)",
                .errorMessage: "\(refusal.text)",
            ])
        refuse(
            refusal, method: head.method,
            record: makeRecord(head.method, path: "/_tunnel", tokenHint: hint))
    }

    // MARK: Stopping

    /// Finishes what is under way, then closes.
    func stop() {
        switch phase {
        case .awaitingHead: context?.close(promise: nil)
        case .exchange(let exchange): exchange.serverStops()
        case .raw, .lingering, .over: break
        }
    }

    /// Closes at once.
    func cut() {
        currentExchange?.callerLeft(.shutdown)
        context?.close(promise: nil)
    }
}

// MARK: - The exchange's view

extension CallerHandler: CallerConnection {
    var eventLoop: any EventLoop { core.loops[loopIndex] }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func write(_ bytes: ByteBuffer) {
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    func flushSoon() {
        guard !isFlushScheduled, let context else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute {
            self.isFlushScheduled = false
            self.context?.flush()
        }
    }

    func flushNow() { context?.flush() }

    func exchangeBecameWritable() { advance() }

    func exchangeSwitchedProtocols() {
        guard case .exchange(let exchange) = phase, let context else { return }
        phase = .raw(exchange)
        try? context.channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        advance()
    }

    func exchangeEnded(keepAlive: Bool) {
        restKeeper = nil
        guard context != nil else { return }
        switch phase {
        case .raw:
            phase = .lingering
            lingerDeadline = .now() + core.httpTimeout
            watch(until: lingerDeadline)
            whenSent { $0.close(promise: nil) }
        default:
            guard keepAlive, !core.isStopping else { return linger() }
            waitForNext()
            advance()
        }
    }

    func exchangeBroke() {
        restKeeper = nil
        phase = .over
        // With a body that is told by its end, an orderly close would make it look whole.
        let reset = Glibc.linger(l_onoff: 1, l_linger: 0)
        (context?.channel as? any SocketOptionProvider)?.setSoLinger(reset).whenFailure { _ in }
        context?.close(promise: nil)
    }

    func exchangeEndedOutput() {
        hasOutputEnded = true
        whenSent { context in
            // NIO closes a channel whose output it knows to be closed as soon as the input ends, without a word
            // about that end: a caller that ends in order could not be told from one that leaves.
            let result = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
                of: NIOBSDSocket.Handle.self
            ) { shutdown($0, Int32(SHUT_WR)) }
            if result == nil { context.close(mode: .output, promise: nil) }
        }
    }

    /// Waits until what was written has left: NIO drops unsent bytes when a channel closes.
    private func whenSent(_ action: @escaping (ChannelHandlerContext) -> Void) {
        guard let context else { return }
        let sent = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: sent)
        sent.futureResult.assumeIsolated().whenComplete { _ in
            if let context = self.context { action(context) }
        }
    }
}
