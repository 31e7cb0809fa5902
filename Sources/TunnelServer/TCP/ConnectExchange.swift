import HTTPMessage
import HTTPServing
import NIOCore
import TunnelProtocol
import TunnelTransport

/// A connection to the service behind a tunnel, in the messages of a caller's WebSocket (`wstunnel connect`): stands between
/// the connection of that, whose exchange it is, and the exchange that carries the bytes, whose caller it is. Until the service
/// is there the caller waits for the answer to its handshake, and what goes wrong is an answer in HTTP.
final class ConnectExchange {
    private let outer: any CallerStream
    /// The answer that the caller gets.
    private let grant: ResponseHead
    /// Nil before `carry` and behind the end.
    private var inner: (any ServedExchange)?
    private var reader = RawMessageReader(expectsMask: true)
    private var writer = RawMessageWriter(isClient: false)
    private var input = ByteBuffer()
    /// Whether the exchange that carries the bytes has broken off, which the caller has been told.
    private var hasBroken = false

    /// - Parameters:
    ///   - outer: the WebSocket's.
    ///   - grant: what its handshake is answered.
    init(on outer: any CallerStream, grant: ResponseHead) {
        self.outer = outer
        self.grant = grant
    }

    /// - Parameter exchange: made for this as its caller.
    func carry(_ exchange: any ServedExchange) { inner = exchange }

    /// The exchange that carries the bytes, which hears nothing more.
    private func takeInner() -> (any ServedExchange)? {
        defer { inner = nil }
        return inner
    }

    /// The caller leaves, or breaks the rules: there is nobody to whom anything could be brought.
    private func end(_ code: WebSocketCloseCode) {
        takeInner()?.callerLeft()
        outer.send(writer.close(code), isLast: true)
        outer.exchangeEnded()
    }
}

// From the WebSocket.
extension ConnectExchange: ServedExchange {
    var takesBytes: Bool { inner?.takesBytes == true }

    func start() { inner?.start() }

    /// What came together goes on together: a caller may send it in messages of a byte.
    func callerSent(_ bytes: ByteBuffer) {
        guard inner != nil else { return }
        if input.readableBytes == 0 { input = bytes } else { input.writeImmutableBuffer(bytes) }
        var plain = ByteBuffer()
        var (hasEnded, hasClosed) = (false, false)
        do throws(WebSocketError) {
            while !hasClosed, let event = try reader.next(&input) {
                switch event {
                case .bytes(let bytes):
                    if plain.readableBytes == 0 { plain = bytes } else { plain.writeImmutableBuffer(bytes) }
                case .end: hasEnded = true
                case .ping(let payload):
                    if outer.isWritable { outer.send(writer.pong(payload), isLast: false) }
                case .close: hasClosed = true
                }
            }
        } catch {
            return end(error.closeCode)
        }
        input.discardReadBytes()
        if plain.readableBytes > 0 { inner?.callerSent(plain) }
        // Those bytes may have been more than the tunnel may have: then the Close has been said.
        guard !hasBroken else { return }
        if hasEnded { inner?.callerEndedRaw() }
        // What came before it has gone on: where both directions are over, nothing is left to break off.
        if hasClosed, inner != nil { end(.normal) }
    }

    func callerEndedRequest(trailers: HeaderFields?) { inner?.callerEndedRequest(trailers: trailers) }

    /// Without a Close.
    func callerEndedRaw() {
        guard let inner = takeInner() else { return }
        inner.callerLeft()
        outer.exchangeEnded()
    }

    func callerBrokeRules(_ error: HTTPMessageError) { inner?.callerBrokeRules(error) }

    func callerLeft() { takeInner()?.callerLeft() }

    func callerBecameWritable() { inner?.callerBecameWritable() }

    func answerIsOut(missing: Int) { takeInner()?.answerIsOut(missing: missing) }

    func serverStops() { inner?.serverStops() }

    func cutShort() { inner?.cutShort() }

    func checkTime() { inner?.checkTime() }
}

// From what carries the bytes.
extension ConnectExchange: CallerStream {
    var eventLoop: any EventLoop { outer.eventLoop }
    var isWholeConnection: Bool { outer.isWholeConnection }
    var isWritable: Bool { outer.isWritable }
    var waiting: Int { outer.waiting }
    var undelivered: Int { outer.undelivered }

    func send(switching head: consuming ResponseHead) { outer.send(switching: grant) }

    func send(interim head: ResponseHead) { outer.send(interim: head) }

    func send(_ head: consuming ResponseHead, _ length: AnswerLength, isLast: Bool) {
        outer.send(head, length, isLast: isLast)
    }

    func send(_ data: ByteBuffer, isLast: Bool) {
        if data.readableBytes > 0 { outer.send(writer.message(data), isLast: isLast) }
    }

    func send(trailers: HeaderFields) { outer.send(trailers: trailers) }

    func send(_ answer: OwnAnswer, closes: Bool) {
        inner = nil
        outer.send(answer, closes: closes)
    }

    func endRawOutput() { outer.send(writer.end(), isLast: true) }

    func exchangeEnded() {
        if takeInner() != nil { outer.send(writer.close(.normal), isLast: true) }
        outer.exchangeEnded()
    }

    func exchangeBroke(isWhole: Bool) {
        hasBroken = true
        outer.send(writer.close(isWhole ? .normal : .internalError), isLast: true)
        outer.exchangeBroke(isWhole: true)
    }

    func exchangeGaveUp() {
        inner = nil
        outer.exchangeGaveUp()
    }

    func requestMayFlow() { outer.requestMayFlow() }

    func ring(by deadline: NIODeadline) { outer.ring(by: deadline) }
}
