import DequeModule
import HTTPMessage
import NIOCore
import NIOHPACK
import NIOHTTP2

/// One stream of a connection: a request and its answer, and what waits of both. Bound to its connection's event loop.
final class HTTP2OriginStream: OriginChannel {
    /// What the exchange is to hear.
    enum Part {
        case head(ResponseHead, BodyFraming)
        case bytes(ByteBuffer)
        case end(HeaderFields?)
        case failed(OriginError, isUntouched: Bool)
        /// The origin has surely not run the request.
        case refused
        /// It asks for what goes over HTTP/1.1 alone.
        case needsHTTP1
    }

    /// Pieces that wait are joined up to this size, in bytes.
    private static let joined = 16 << 10

    /// Once the head of the request has gone out.
    var id: HTTP2StreamID?
    private let connection: HTTP2OriginConnection
    private(set) var exchange: HTTPExchange?
    private var parts = Deque<Part>()
    private var isDelivering = false
    var reader = HTTP2AnswerReader(method: "GET")
    var queue = HTTP2SendQueue(window: 0)
    var window = HTTP2AnswerWindow()
    /// Whether it is in line to send.
    var isInLine = false
    /// Whether something came for it that was not delivered yet.
    var isTouched = false
    /// Whether any part of an answer came.
    private(set) var hasReceived = false
    /// Whether the origin has ended its direction, or the stream.
    var isOverAtOrigin = false
    /// After the answer's end only our direction is open, which was upgraded.
    private var isOursAlone = false
    /// Whether the exchange has said that nothing more comes.
    private var isEndSaid = false

    init(on connection: HTTP2OriginConnection) { self.connection = connection }

    // MARK: What the exchange does

    var isWritable: Bool { queue.waiting < HTTP2SendQueue.mostWaiting }
    var unsentBytes: Int { queue.waiting }
    var canBeRefused: Bool { true }

    func begin(_ request: OutgoingRequest, for exchange: HTTPExchange) {
        self.exchange = exchange
        connection.begin(request, on: self)
    }

    func send(_ bytes: ByteBuffer, isLast: Bool) {
        queue.append(bytes)
        if isLast, !reader.isUpgraded { queue.finish() }
        connection.hasToSend(self)
    }

    func end(trailers: HeaderFields?) {
        isEndSaid = true
        do throws(OriginError) {
            queue.finish(trailers: try trailers.map(connection.trailers))
            connection.hasToSend(self)
        } catch {
            connection.callOff(self, error)
        }
    }

    func resumeReading() { deliver() }

    func cancel() { finish() }

    // MARK: What the connection says

    /// Something came, or the end of it; delivered in this turn of the loop.
    func take(_ part: Part) {
        if case .head = part { hasReceived = true }
        guard case .bytes(let bytes) = part else { return parts.append(part) }
        window.came(bytes.readableBytes)
        if case .bytes(var last)? = parts.last, last.readableBytes + bytes.readableBytes <= Self.joined {
            // Taken out, so that it is appended to in place.
            parts.removeLast()
            last.writeImmutableBuffer(bytes)
            parts.append(.bytes(last))
        } else if exchange?.isPaused == true {
            // What has to wait is kept without the rest of the buffer that it came in.
            parts.append(.bytes(ByteBuffer(bytes: bytes.readableBytesView)))
        } else {
            parts.append(part)
        }
    }

    /// It is over before its time: what came before is delivered first.
    func fail(_ part: Part) {
        isOverAtOrigin = true
        queue.drop()
        guard exchange != nil else { return finish() }
        take(part)
        connection.touched(self)
    }

    /// Hands on what has come, as far as the exchange takes it.
    func deliver() {
        guard !isDelivering else { return }
        isDelivering = true
        while let exchange, !exchange.isPaused, let part = parts.popFirst() { hand(part, to: exchange) }
        isDelivering = false
        connection.openWindow(of: self)
    }

    private func hand(_ part: Part, to exchange: HTTPExchange) {
        switch part {
        case .head(let head, let framing):
            exchange.answered(head, framing: framing)
        case .bytes(let bytes):
            window.taken(bytes.readableBytes)
            exchange.received(bytes)
        case .end where reader.isUpgraded && !isEndSaid:
            isOursAlone = true
            exchange.originHalfClosed()
        case .end where reader.isUpgraded && !queue.isOver:
            isOursAlone = true
            self.exchange = nil
            exchange.ended(trailers: nil)
        case .end(let trailers):
            finish()
            exchange.ended(trailers: trailers)
        case .failed(let error, let isUntouched):
            finish()
            exchange.channelFailed(error, isUntouched: isUntouched)
        case .refused:
            finish()
            exchange.channelRefused()
        case .needsHTTP1:
            finish()
            exchange.needsHTTP1()
        }
    }

    /// The connection has written some of what waited.
    func wrote() {
        if queue.isOver, isOursAlone { return finish() }
        if queue.waiting <= HTTP2SendQueue.mostWaiting / 4 { exchange?.becameWritable() }
    }

    /// Nobody wants it any more.
    private func finish() {
        exchange = nil
        parts = []
        let isWhole = isOverAtOrigin && queue.isOver
        queue.drop()
        connection.finished(self, isWhole: isWhole)
    }
}
