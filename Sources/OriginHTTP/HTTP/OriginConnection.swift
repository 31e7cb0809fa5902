import HTTPMessage
import HostSystem
import NIOCore

/// A connection to an HTTP/1.1 server: carries one exchange at a time, and waits in the pool in between.
final class OriginConnection: ChannelDuplexHandler, PooledConnection, OriginChannel, TurnTaker, TurnEnder {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum InputEnd {
        /// The origin closed its direction in order.
        case clean
        /// Reset, or cut without TLS's own end.
        case broken
    }

    /// How far our direction is.
    private enum Request {
        /// More of the body may come. Next: whole.
        case body(isChunked: Bool)
        /// Next: raw.
        case whole
        /// After 101. Next: ended.
        case raw
        /// After 101: nothing more is sent. Next: closed.
        case ended
        /// The kernel has all of it, and our direction is closed.
        case closed
    }

    private struct Place {
        let pool: OriginPool
        let id: OriginPool.ConnectionID
    }

    private enum Delivery {
        /// Next: under way.
        case atRest
        /// Parts are handed on; what comes meanwhile is taken by the same. Next: at rest, in line.
        case underWay
        /// Waits for its turn of the event loop. Next: under way.
        case inLine
    }

    /// Bytes that are gathered before they are handed to the channel.
    private static let gatheredBytes = 64 << 10
    /// Pieces of an answer that are handed on as soon as they have come: an origin may send chunks of a byte, and what is more
    /// waits for its turn of the event loop.
    private static let freePieces = 64
    /// What one of them is in units of `LoopTurns`.
    private static let pieceWork = 32
    /// So many are handed on at least when its turn has come.
    private static let fewestPieces = 8

    private let origin: String
    private let eventLoop: any EventLoop
    private var context: ChannelHandlerContext?
    /// In the pool, from the end of the attempt until it is closed.
    private var place: Place?
    /// The one that it carries.
    private var exchange: HTTPExchange?
    private var request = Request.whole
    private var parser = ResponseParser(method: "", upgrade: UpgradeOffer())
    /// Whether it carried an exchange before the present one.
    private var isReused = false
    private var inputEnd: InputEnd?
    private var delivery = Delivery.atRest
    private let turns: LoopTurns
    private var readIsHeld = false
    private var output = Output()
    /// What the last request was written into, empty: for the next.
    private var memory = ByteBuffer()
    private var flushIsScheduled = false
    private let turnEnd: TurnEnd

    /// - Parameter origin: where the server is, for messages.
    init(to origin: OriginAddress, on eventLoop: any EventLoop) {
        self.origin = origin.place
        self.eventLoop = eventLoop
        turns = .of(eventLoop)
        turnEnd = turns.end
    }

    // MARK: What the pool does

    /// RFC 9112 §9.3.2 is used by nobody.
    var capacity: Int { 1 }
    func whenReady(_ completion: @escaping (Result<Void, any Error>) -> Void) {
        let isUsable = context?.channel.isActive == true && inputEnd == nil
        completion(isUsable ? .success(()) : .failure(ChannelError.eof))
    }

    func makeChannel() -> any OriginChannel { self }

    func joined(_ pool: OriginPool, as id: OriginPool.ConnectionID) { place = Place(pool: pool, id: id) }

    func close() { context?.close(promise: nil) }

    // MARK: What the exchange does

    var isWritable: Bool { context?.channel.isWritable ?? true }
    var canBeRefused: Bool { false }

    var unsentBytes: Int {
        let buffered = try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)
        return output.count + (buffered ?? 0)
    }

    func begin(_ request: OutgoingRequest, for exchange: HTTPExchange) {
        self.request =
            RequestBody(request.framing).isWhole ? .whole : .body(isChunked: request.framing == .chunked)
        self.exchange = exchange
        parser.begin(method: request.method, upgrade: request.upgrade)
        let memory = memory
        self.memory = ByteBuffer()
        outputGrew(to: output.appendHead(request, in: consume memory))
    }

    func send(_ bytes: ByteBuffer, isLast: Bool) {
        guard exchange != nil else { return }
        switch request {
        case .body(isChunked: true):
            output.appendChunk(bytes)
        case .body(isChunked: false):
            output.append(bytes)
            if isLast { request = .whole }
        case .raw:
            output.append(bytes)
        case .whole, .ended, .closed:
            return
        }
        outputGrew(to: output.count)
    }

    func end(trailers: HeaderFields?) {
        guard exchange != nil else { return }
        switch request {
        case .body(let isChunked):
            request = .whole
            guard isChunked else { return }
            output.appendLastChunk(trailers: trailers)
            outputGrew(to: output.count)
        case .raw:
            request = .ended
            halfClose()
        case .whole, .ended, .closed:
            break
        }
    }

    func resumeReading() {
        deliver()
        readOnIfHeld()
    }

    func cancel() {
        letGo()
        close()
    }

    /// Nothing more of the exchange leaves: where TLS says farewell, the connection still takes bytes.
    private func letGo() {
        exchange = nil
        parser.letGo()
        output = Output()
    }

    // MARK: Writing

    /// Flushes at the end of this turn of the event loop, so that what is sent together leaves together.
    private func outputGrew(to bytes: Int) {
        if bytes >= Self.gatheredBytes { writeOutput() }
        guard !flushIsScheduled, context != nil else { return }
        flushIsScheduled = true
        turnEnd.tell(self)
    }

    func turnEnds() {
        flushIsScheduled = false
        guard let context else { return }
        var written = writeOutput()
        context.flush()
        if let empty = written.takeMemory() { memory = empty }
        guard let exchange, exchange.senderAwaitsWritability, context.channel.isWritable else { return }
        exchange.becameWritable()
    }

    /// Hands bytes to the channel, without a flush.
    ///
    /// - Returns: what they lie in.
    @discardableResult
    private func writeOutput() -> Output {
        let pending = output.takeAll()
        pending.forEach { context?.write(wrapOutboundOut($0), promise: nil) }
        return pending
    }

    /// After 101: no more bytes from us, once those at hand are sent.
    ///
    /// NIO drops unsent bytes when the second direction closes; so neither is closed before they have left.
    private func halfClose() {
        guard let context else { return }
        writeOutput()
        let sent = eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: sent)
        sent.futureResult.assumeIsolated().whenComplete { _ in
            if self.exchange != nil { self.request = .closed }
            if self.inputEnd == nil {
                self.context?.close(mode: .output, promise: nil)
            } else {
                self.close()
            }
        }
    }

    // MARK: What the channel says

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func read(context: ChannelHandlerContext) {
        if holdsReads {
            readIsHeld = true
        } else {
            context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Where nobody asked, nothing that follows could be told from an answer.
        guard exchange != nil else { return leave() }
        parser.feed(unwrapInboundIn(data))
        deliver()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent { inputEnded(.clean) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { exchange?.becameWritable() }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        inputEnded(.broken)
    }

    func channelInactive(context: ChannelHandlerContext) {
        // The origin's end comes as an event of its own, but for when it is the second of both directions:
        // NIO closes the channel then, after an error if there was one.
        if inputEnd == nil, exchange != nil, case .closed = request { inputEnd = .clean }
        inputEnd = inputEnd ?? .broken
        if let place {
            self.place = nil
            place.pool.closed(place.id)
        }
        deliver()
        if exchange != nil, parser.rawHasEnded, case .raw = request { brokeAfterItsEnd() }
        context.fireChannelInactive()
    }

    private func inputEnded(_ end: InputEnd) {
        inputEnd = inputEnd ?? end
        if exchange == nil { leave() } else { deliver() }
    }

    /// It waits in the pool, or is about to get there, and can carry nothing.
    private func leave() {
        if let place { place.pool.takesNoMore(place.id) } else { close() }
    }

    // MARK: The response

    /// Whether bytes are left in the kernel for now.
    private var holdsReads: Bool {
        if case .inLine = delivery { true } else { exchange?.isPaused == true }
    }

    private func readOnIfHeld() {
        guard readIsHeld, !holdsReads else { return }
        readIsHeld = false
        context?.read()
    }

    private func deliver() { if case .atRest = delivery { deliver(pieces: Self.freePieces) } }

    func haveTurn(_ share: Int) {
        deliver(pieces: max(Self.fewestPieces, share / Self.pieceWork))
        readOnIfHeld()
    }

    /// Hands on what has come, as far as the exchange takes it, and so many pieces at most.
    private func deliver(pieces: Int) {
        delivery = .underWay
        var left = pieces
        while let exchange, !exchange.isPaused {
            guard left > 0 else {
                delivery = .inLine
                turns.spend(pieces * Self.pieceWork)
                return turns.wait(self)
            }
            left -= 1
            do throws(HTTPMessageError) {
                guard let event = try nextEvent() else { break }
                switch consume event {
                case .head(let head, let framing): try answered(exchange, head, framing)
                case .bytes(let bytes): exchange.received(bytes)
                case .end(let trailers): ended(exchange, trailers: trailers)
                }
            } catch {
                failed(exchange, error)
            }
        }
        delivery = .atRest
        // A few are not worth counting.
        if pieces - left > Self.fewestPieces { turns.spend((pieces - left) * Self.pieceWork) }
    }

    private func nextEvent() throws(HTTPMessageError) -> ResponseParser.Event? {
        if let event = try parser.next() { return event }
        guard let inputEnd else { return nil }
        return try parser.endOfInput(isClean: inputEnd == .clean)
    }

    private func answered(
        _ exchange: HTTPExchange, _ head: consuming ResponseHead, _ framing: BodyFraming
    ) throws(HTTPMessageError) {
        if head.status == 101 {
            guard case .whole = request else {
                throw HTTPMessageError(.malformed, "101 before the end of the request")
            }
            request = .raw
        }
        exchange.answered(head, framing: framing)
    }

    private func ended(_ exchange: HTTPExchange, trailers: HeaderFields?) {
        let (isUpgraded, allowsReuse) = parser.ended()
        guard !isUpgraded else { return rawInputEnded(exchange) }
        self.exchange = nil
        var isReusable = allowsReuse && !flushIsScheduled && inputEnd == nil
        if case .whole = request {} else { isReusable = false }
        if !isReusable { letGo() }
        isReused = true
        if let place {
            place.pool.exchangeEnded(on: place.id, isReusable: isReusable)
        } else {
            close()
        }
        exchange.ended(trailers: trailers)
    }

    private func rawInputEnded(_ exchange: HTTPExchange) {
        switch request {
        case .closed:
            self.exchange = nil
            close()
            exchange.ended(trailers: nil)
        case .ended:
            self.exchange = nil
            exchange.ended(trailers: nil)
        case .body, .whole, .raw:
            exchange.originHalfClosed()
            if context == nil { brokeAfterItsEnd() }
        }
    }

    /// The origin had closed its direction after 101, and no longer listens either.
    private func brokeAfterItsEnd() {
        guard let exchange else { return }
        self.exchange = nil
        exchange.channelFailed(
            OriginError(.closedEarly, "\(origin) closed the upgraded connection"), isUntouched: false)
    }

    private func failed(_ exchange: HTTPExchange, _ error: HTTPMessageError) {
        guard self.exchange != nil else { return }
        let isUntouched = isReused && !parser.hasReceived && error.code == .truncated
        let reason =
            if let other = parser.otherProtocol {
                OriginError(.malformed, "\(origin) \(other.explanation)")
            } else if error.code != .truncated {
                OriginError(.malformed, "answer of \(origin) is not valid HTTP/1: \(error)")
            } else if inputEnd == .broken {
                OriginError(.closedEarly, "connection to \(origin) broke before the response was whole")
            } else {
                OriginError(.closedEarly, "\(origin) closed the connection before the response was whole")
            }
        letGo()
        close()
        exchange.channelFailed(reason, isUntouched: isUntouched)
    }
}
