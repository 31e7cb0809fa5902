import HTTPMessage
import NIOCore

/// An answer made in this process: head, body and end, handed over in order and only while the receiver reads.
///
/// The parts that origins of our own share: the start after `begin`, pausing, and letting go of the receiver.
final class LocalAnswer {
    /// Bytes held back for a paused receiver before the source is told to stop.
    static let heldBytes = 256 << 10

    private enum Part {
        case head(ResponseHead, BodyFraming)
        case bytes(ByteBuffer)
        case end(HeaderFields?)
        case failure(OriginError)
    }

    /// Called when everything was taken and more is wanted.
    var wantsMore: (() -> Void)?

    private var receiver: (any OriginResponseReceiver)?
    private var parts = CircularBuffer<Part>()
    private var held = 0
    private var isPaused = false
    private var isStarted = false
    private var isDelivering = false
    private var awaitsWritability = false

    init(on eventLoop: any EventLoop, receiver: any OriginResponseReceiver) {
        self.receiver = receiver
        eventLoop.assumeIsolated().execute {
            self.isStarted = true
            self.deliver()
        }
    }

    /// Whether nobody listens any more.
    var isOver: Bool { receiver == nil }

    /// Whether the receiver takes what is given; noted, so that it hears when it does again.
    var isWritable: Bool {
        if held >= Self.heldBytes { awaitsWritability = true }
        return held < Self.heldBytes
    }

    func answer(_ head: ResponseHead, framing: BodyFraming) { add(.head(head, framing)) }

    func send(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        held += bytes.readableBytes
        add(.bytes(bytes))
    }

    /// Sends a whole answer that is known beforehand.
    func send(_ whole: OwnAnswer, to request: RequestHead) {
        let (head, body) = whole.parts(toMethod: request.method)
        answer(head, framing: body.map { .length($0.readableBytes) } ?? .none)
        if let body { send(body) }
        end()
    }

    func end(trailers: HeaderFields? = nil) { add(.end(trailers)) }

    func fail(_ code: OriginError.Code, _ message: String) { add(.failure(OriginError(code, message))) }

    func cancel() {
        receiver = nil
        parts.removeAll()
        held = 0
        wantsMore = nil
    }

    func pause() { isPaused = true }

    func resume() {
        isPaused = false
        deliver()
    }

    private func add(_ part: Part) {
        guard !isOver else { return }
        parts.append(part)
        deliver()
    }

    private func deliver() {
        guard isStarted, !isDelivering else { return }
        isDelivering = true
        defer { isDelivering = false }
        while let receiver, !isPaused {
            if let part = parts.popFirst() {
                hand(part, to: receiver)
            } else if awaitsWritability {
                awaitsWritability = false
                receiver.originBecameWritable()
            } else {
                wantsMore?()
                // A source that answers at once adds parts; any other calls again when it has some.
                if parts.isEmpty { return }
            }
        }
    }

    private func hand(_ part: Part, to receiver: any OriginResponseReceiver) {
        switch part {
        case .head(let head, let framing):
            receiver.originAnswered(head, framing: framing)
        case .bytes(let bytes):
            held -= bytes.readableBytes
            receiver.originSent(bytes)
        case .end(let trailers):
            cancel()
            receiver.originEnded(trailers: trailers)
        case .failure(let error):
            cancel()
            receiver.originFailed(error)
        }
    }
}
