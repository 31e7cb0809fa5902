import HTTPMessage
import NIOCore

/// A connection to an HTTP server: carries one exchange at a time, and waits in the pool in between.
final class OriginConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum InputEnd {
        /// The origin closed its direction in order.
        case clean
        /// Reset, or cut without TLS's own end.
        case broken
    }

    /// Pieces of an answer that are handed on before the event loop looks at its other sockets: an origin may send chunks of
    /// a byte.
    private static let piecesPerTurn = 64
    /// What the loop has for these.
    private static let breather: TimeAmount = .microseconds(50)

    /// Whether the pool counts it as active: it carries an exchange.
    var isActive = false
    /// When it was put back into the pool.
    var idleSince = NIODeadline.uptimeNanoseconds(0)
    /// Whether it carried an exchange before the present one.
    private(set) var isReused = false

    private let pool: OriginPool
    private var context: ChannelHandlerContext?
    private var exchange: HTTPExchange?
    private var parser: ResponseParser?
    private var inputEnd: InputEnd?
    private var isDelivering = false
    private var waitsForTurn = false
    private var readIsHeld = false
    private var flushIsScheduled = false
    private var outputIsSent = false

    init(pool: OriginPool) {
        self.pool = pool
    }

    /// Whether the channel takes more bytes.
    var isWritable: Bool { context?.channel.isWritable ?? true }

    /// What was written and the kernel has not taken.
    var unsentBytes: Int {
        let buffered = try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)
        return buffered ?? 0
    }

    /// Whether a request can be sent: the origin has not closed its direction.
    var isUsable: Bool { context?.channel.isActive == true && inputEnd == nil }

    // MARK: What pool and exchange do

    /// Carries this exchange; the connection is usable and idle.
    func carry(_ exchange: HTTPExchange) {
        self.exchange = exchange
        parser = ResponseParser(method: exchange.request.method, upgrade: exchange.request.upgrade)
        exchange.connected(self)
    }

    /// Flushes at the end of this turn of the event loop, so that what is sent together leaves together.
    func flushSoon() {
        guard !flushIsScheduled, let context else { return }
        flushIsScheduled = true
        context.eventLoop.assumeIsolated().execute { self.flush() }
    }

    /// Hands bytes to the channel, without a flush.
    func write(_ bytes: ByteBuffer) {
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    /// After 101: no more bytes from us, once those at hand are sent.
    ///
    /// NIO drops unsent bytes when the second direction closes; so neither is closed before they have left.
    func halfClose() {
        guard let context else { return }
        exchange?.drainOutput { write($0) }
        let sent = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: sent)
        sent.futureResult.assumeIsolated().whenComplete { _ in
            self.outputIsSent = true
            if self.inputEnd == nil {
                self.context?.close(mode: .output, promise: nil)
            } else {
                self.close()
            }
        }
    }

    /// The exchange was given up in the middle: nobody can use the connection again.
    func abandon() {
        exchange = nil
        parser = nil
        close()
    }

    /// Closes the connection; the pool hears of it by `channelInactive`.
    func close() {
        context?.close(promise: nil)
    }

    /// Delivers what was held back while the exchange was paused, and reads on.
    func resumeReading() {
        deliver()
        guard readIsHeld, !waitsForTurn, exchange?.isPaused != true else { return }
        readIsHeld = false
        context?.read()
    }

    private func flush() {
        flushIsScheduled = false
        guard let context else { return }
        exchange?.drainOutput { write($0) }
        context.flush()
        if context.channel.isWritable { exchange?.becameWritable() }
    }

    // MARK: What the channel says

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func read(context: ChannelHandlerContext) {
        if waitsForTurn || exchange?.isPaused == true {
            readIsHeld = true
        } else {
            context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        guard exchange != nil else {
            // Nobody asked: nothing that follows could be told from an answer.
            return close()
        }
        parser?.feed(bytes)
        deliver()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent {
            inputEnd = inputEnd ?? .clean
            if exchange == nil { close() } else { deliver() }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { exchange?.becameWritable() }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        inputEnd = inputEnd ?? .broken
        if exchange == nil { close() } else { deliver() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        // The origin's end comes as an event of its own, but for when it is the second of both directions:
        // NIO closes the channel then, after an error if there was one.
        inputEnd = inputEnd ?? (outputIsSent ? .clean : .broken)
        pool.closed(self)
        deliver()
        if let exchange, exchange.originHasHalfClosed, !exchange.hasHalfClosed { brokeAfterItsEnd(exchange) }
        context.fireChannelInactive()
    }

    // MARK: The response

    private func deliver() {
        guard !isDelivering, !waitsForTurn else { return }
        isDelivering = true
        defer { isDelivering = false }
        var left = Self.piecesPerTurn
        while let exchange, !exchange.isPaused {
            guard left > 0 else { return waitForTurn() }
            left -= 1
            do throws(HTTPMessageError) {
                switch try nextEvent() {
                case .head(let head, let framing)?:
                    guard head.status != 101 || exchange.request.isComplete else {
                        throw HTTPMessageError(.malformed, "101 before the end of the request")
                    }
                    exchange.answered(head, framing: framing)
                case .bytes(let bytes)?: exchange.received(bytes)
                case .end(let trailers)?: ended(exchange, trailers: trailers)
                case nil: return
                }
            } catch {
                failed(exchange, error)
            }
        }
    }

    /// A task for at once, or one that the pieces have brought about, would run before sockets are looked at.
    private func waitForTurn() {
        waitsForTurn = true
        pool.eventLoop.assumeIsolated().execute {
            self.pool.eventLoop.assumeIsolated().scheduleTask(in: Self.breather) {
                self.waitsForTurn = false
                self.resumeReading()
            }
        }
    }

    private func nextEvent() throws(HTTPMessageError) -> ResponseParser.Event? {
        if let event = try parser?.next() { return event }
        guard let inputEnd else { return nil }
        return try parser?.endOfInput(isClean: inputEnd == .clean)
    }

    private func ended(_ exchange: HTTPExchange, trailers: HeaderFields?) {
        guard parser?.isUpgraded == false else {
            return rawInputEnded(exchange)
        }
        let allowsReuse =
            parser?.allowsReuse == true && exchange.request.isComplete && !flushIsScheduled && isUsable
        self.exchange = nil
        parser = nil
        if allowsReuse {
            isReused = true
            pool.takeBack(self)
        } else {
            close()
        }
        exchange.ended(trailers: trailers)
    }

    private func rawInputEnded(_ exchange: HTTPExchange) {
        guard exchange.hasHalfClosed else {
            exchange.originHalfClosed()
            if context == nil { brokeAfterItsEnd(exchange) }
            return
        }
        self.exchange = nil
        if outputIsSent { close() }
        exchange.ended(trailers: nil)
    }

    /// The origin had closed its direction after 101, and no longer listens either.
    private func brokeAfterItsEnd(_ exchange: HTTPExchange) {
        self.exchange = nil
        parser = nil
        exchange.connectionFailed(
            .closedEarly, "\(pool.address.hostAndPort) closed the upgraded connection", isUntouched: false)
    }

    private func failed(_ exchange: HTTPExchange, _ error: HTTPMessageError) {
        let isUntouched = isReused && parser?.hasReceived == false
        let origin = pool.address.hostAndPort
        let other = parser?.otherProtocol
        self.exchange = nil
        parser = nil
        close()
        if let other {
            exchange.connectionFailed(.malformed, "\(origin) \(other.explanation)", isUntouched: false)
            return
        }
        switch error.code {
        case .truncated where inputEnd == .broken:
            exchange.connectionFailed(
                .closedEarly, "connection to \(origin) broke before the response was whole",
                isUntouched: isUntouched)
        case .truncated:
            exchange.connectionFailed(
                .closedEarly, "\(origin) closed the connection before the response was whole",
                isUntouched: isUntouched)
        default:
            exchange.connectionFailed(
                .malformed, "answer of \(origin) is not valid HTTP/1: \(error)", isUntouched: false)
        }
    }
}
