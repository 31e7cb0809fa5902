import HTTPMessage
import NIOCore
import NIOHPACK
import NIOHTTP2

/// One stream of a connection: a request and its answer, and what waits of both. Bound to its connection's event loop.
final class HTTP2CallerStream {
    let id: HTTP2StreamID
    private let connection: HTTP2CallerHandler
    /// The request's head, until its turn comes.
    var arrived: HTTP2Frame.FramePayload.Headers?
    /// Of the request's head, in bytes: HPACK makes many of few.
    var headBytes = 0
    /// Whether the caller has ended its direction, be it that the end waits for its turn.
    var hasEnded = false
    var exchange: (any ServedExchange)?
    /// The one whose answer broke off, until that has gone out.
    var broken: (any ServedExchange)?
    var body = HTTP2RequestBody(.none, isLast: true, isRaw: false)
    var answer: HTTP2AnswerQueue
    var window = HTTP2ReceiveWindow(promised: HTTP2ReceiveWindow.initial, most: mostPromised)
    var method = "GET"
    var isWebSocket = false
    /// Whether its answer is one of gRPC: then a status tells that it has broken off.
    private var isGRPC = false
    /// Whether it has left HTTP.
    private(set) var isRaw = false
    private var hasHead = false
    private var promisesLength = false
    /// Whether its exchange was told to wait, and is to be told when it need not any more.
    var isHeldBack = false
    /// Whether it is in line to send.
    var isInLine = false
    /// When its exchange looks at the time, or what waits of its answer when that is given up.
    var deadline = NIODeadline.distantFuture
    /// How many bytes of the connection had been written with its own last ones.
    var lastWritten = 0

    /// What its window may grow to where its exchange takes all at once, in bytes.
    private static let mostPromised = 1 << 20

    init(_ id: HTTP2StreamID, on connection: HTTP2CallerHandler, sendWindow: Int) {
        self.id = id
        self.connection = connection
        answer = HTTP2AnswerQueue(window: sendWindow)
    }

    /// Whether bytes of its body go to the exchange now. Those behind a WebSocket's handshake wait for its answer.
    var takesBytes: Bool { isWebSocket && !isRaw ? false : exchange?.takesBytes ?? false }
}

extension HTTP2CallerStream: CallerStream {
    var eventLoop: any EventLoop { connection.eventLoop }
    var isWholeConnection: Bool { false }

    var isWritable: Bool {
        let isWritable = connection.takesMore(of: self)
        if !isWritable { isHeldBack = true }
        return isWritable
    }

    var waiting: Int { answer.waiting + connection.waitingOnWire(of: self) }
    var undelivered: Int { answer.waiting + connection.undeliveredOnWire(of: self) }

    func send(interim head: ResponseHead) {
        guard !hasHead, let headers = HTTP2Answer.head(head) else { return }
        connection.write(headers, isLast: false, on: self)
    }

    func send(_ head: consuming ResponseHead, _ length: AnswerLength, isLast: Bool) {
        // It would say that the WebSocket is open (RFC 8441 §5).
        if isWebSocket, 200..<300 ~= head.status { head.status = 502 }
        if !head.fields.contains(.date) { head.fields.append(.date, connection.dateText) }
        promisesLength = head.fields.contains(.contentLength)
        isGRPC = GRPC.hasTrailers(head.fields)
        guard let headers = HTTP2Answer.head(head) else {
            return send(OwnAnswer(502, line: "The answer's head is too large for HTTP/2"), closes: false)
        }
        begin(headers, isLast: isLast)
    }

    func send(switching head: consuming ResponseHead) {
        isRaw = true
        head.status = 200
        head.fields.remove([.connection, .upgrade, .secWebSocketAccept, .contentLength])
        if !head.fields.contains(.date) { head.fields.append(.date, connection.dateText) }
        guard let headers = HTTP2Answer.head(head) else { return connection.reset(self, .internalError) }
        begin(headers, isLast: false)
        connection.deliver(self)
    }

    private func begin(_ headers: HPACKHeaders, isLast: Bool) {
        guard !hasHead else { return }
        hasHead = true
        if isLast { answer.drop() }
        connection.write(headers, isLast: isLast, on: self)
    }

    func send(_ data: ByteBuffer, isLast: Bool) {
        connection.send(data, end: isLast ? .whole : nil, on: self)
    }

    func send(trailers: HeaderFields) {
        guard let headers = HTTP2Answer.trailers(trailers) else {
            return connection.send(ByteBuffer(), end: .broken, on: self)
        }
        let end = headers.isEmpty ? HTTP2AnswerQueue.End.whole : .trailers(headers)
        connection.send(ByteBuffer(), end: end, on: self)
    }

    func send(_ answer: OwnAnswer, closes: Bool) {
        // Its exchange may still speak to one that was reset.
        guard connection.streams[id] === self else { return }
        var (head, body) = answer.parts(toMethod: method)
        head.fields.append(.date, connection.dateText)
        guard let headers = HTTP2Answer.head(head) else { return connection.reset(self, .internalError) }
        begin(headers, isLast: body == nil)
        if let body { connection.send(body, end: .whole, on: self) }
        if closes { connection.leave() }
    }

    func endRawOutput() { connection.send(ByteBuffer(), end: .whole, on: self) }

    func exchangeEnded() {
        exchange = nil
        connection.settle(self)
    }

    func exchangeBroke(isWhole: Bool) {
        broken = exchange
        exchange = nil
        connection.send(ByteBuffer(), end: isWhole ? .whole : brokenEnd, on: self)
        connection.settle(self)
    }

    private var brokenEnd: HTTP2AnswerQueue.End {
        guard isGRPC, !promisesLength,
            let trailers = HTTP2Answer.trailers(GRPC.trailers(GRPC.unavailable, "The answer broke off"))
        else { return .broken }
        return .trailers(trailers)
    }

    func exchangeGaveUp() {
        exchange = nil
        connection.reset(self, .cancel)
    }

    func requestMayFlow() { connection.deliver(self) }

    func ring(by deadline: NIODeadline) {
        self.deadline = min(self.deadline, deadline)
        connection.watch(until: deadline)
    }
}
