import HTTPMessage
import NIOCore

/// One exchange with an HTTP server: hands the parts of the request to a channel, keeps a bounded few until there is one, and
/// repeats the request once where that is harmless.
final class HTTPExchange: OriginExchange {
    private enum State {
        /// `start` was not called yet. Next: waiting, carried.
        case new
        /// For a channel. Next: carried, over.
        case waiting(OriginPool.WaiterID?, HeldBody)
        /// Request and answer are under way. Next: switched, waiting (to be repeated), over.
        case carried(any OriginChannel)
        /// After 101: raw bytes. Next: over.
        case switched(any OriginChannel, OpenDirections)
        /// The receiver was let go.
        case over
    }

    private enum OpenDirections {
        case both
        /// The origin has ended its own.
        case oursAlone
        /// The sender has ended its own.
        case originsAlone
    }

    /// What was sent while there was no channel.
    private final class HeldBody {
        var bytes = Output()
        var trailers: HeaderFields?
    }

    /// Bytes of a body that are kept while there is no channel, before the sender is told to stop.
    private static let heldBytes = 64 << 10

    let request: OutgoingRequest
    /// Whether the receiver wants nothing for now: the channel looks here before each part that it hands on.
    private(set) var isPaused = false

    private let pool: OriginPool
    private var receiver: (any OriginResponseReceiver)?
    private var state = State.new
    private var body: RequestBody
    /// Whether this is the second try.
    private var isRepetition = false
    private var senderAwaitsWritability = false

    init(_ request: OutgoingRequest, pool: OriginPool, receiver: any OriginResponseReceiver) {
        self.request = request
        self.pool = pool
        self.receiver = receiver
        body = RequestBody(request.framing)
    }

    /// Looks for a channel: to be called once. The receiver is not called before this returns.
    func start() {
        let needs = OriginPoolMachine.Needs(isRepeatable: request.isRepeatable, mustBeNew: isRepetition)
        switch pool.place(self, needs) {
        case .channel(let connection):
            state = .carried(connection)
            connection.begin(request, for: self)
        case .waiting(let id):
            state = .waiting(id, HeldBody())
        case .refused(let error):
            state = .waiting(nil, HeldBody())
            pool.eventLoop.assumeIsolated().execute { self.failed(error) }
        }
    }

    // MARK: What the sender of the request does

    var isWritable: Bool {
        let isWritable =
            switch state {
            case .new, .over: true
            case .waiting(_, let held): held.bytes.count < Self.heldBytes
            case .carried(let channel), .switched(let channel, _): channel.isWritable
            }
        if !isWritable { senderAwaitsWritability = true }
        return isWritable
    }

    var unsentBytes: Int {
        switch state {
        case .new, .over: 0
        case .waiting(_, let held): held.bytes.count
        case .carried(let channel), .switched(let channel, _): channel.unsentBytes
        }
    }

    func send(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        switch state {
        case .switched(let channel, .both), .switched(let channel, .oursAlone):
            channel.send(bytes, isLast: false)
        case .switched(_, .originsAlone), .over:
            return
        case .new, .waiting, .carried:
            do throws(OriginError) {
                try body.take(bytes.readableBytes)
                handOn(bytes)
            } catch {
                abort(error)
            }
        }
    }

    func end(trailers: HeaderFields?) {
        switch state {
        case .switched(let channel, .both):
            state = .switched(channel, .originsAlone)
            channel.end(trailers: nil)
        case .switched(let channel, .oursAlone):
            letGo()
            channel.end(trailers: nil)
        case .switched(_, .originsAlone), .over:
            return
        case .new, .waiting, .carried:
            guard !body.isWhole else { return }
            do throws(OriginError) {
                try body.end()
                handOnEnd(trailers)
            } catch {
                abort(error)
            }
        }
    }

    func cancel() {
        abandon()
    }

    func pauseReading() {
        isPaused = true
    }

    func resumeReading() {
        guard isPaused else { return }
        isPaused = false
        switch state {
        case .carried(let channel), .switched(let channel, _): channel.resumeReading()
        case .new, .waiting, .over: break
        }
    }

    private func handOn(_ bytes: ByteBuffer) {
        switch state {
        case .carried(let channel):
            channel.send(bytes, isLast: body.isWhole)
        case .waiting(_, let held):
            held.bytes.append(bytes)
        case .new, .switched, .over:
            break
        }
    }

    private func handOnEnd(_ trailers: HeaderFields?) {
        switch state {
        case .carried(let channel): channel.end(trailers: trailers)
        case .waiting(_, let held): held.trailers = trailers
        case .new, .switched, .over: break
        }
    }

    // MARK: What the pool says

    /// There is a channel, after a time: the request goes out.
    func attach(to channel: OriginConnection) {
        guard case .waiting(_, let held) = state else { return }
        state = .carried(channel)
        channel.begin(request, for: self)
        held.bytes.drain { channel.send($0, isLast: false) }
        if body.isWhole, !RequestBody(request.framing).isWhole { channel.end(trailers: held.trailers) }
    }

    /// There is no channel to be had.
    func failed(_ error: OriginError) {
        guard case .waiting = state else { return }
        letGo()?.originFailed(error)
    }

    // MARK: What the channel says

    func answered(_ head: consuming ResponseHead, framing: BodyFraming) {
        if head.status == 101, case .carried(let channel) = state { state = .switched(channel, .both) }
        receiver?.originAnswered(head, framing: framing)
    }

    func received(_ bytes: ByteBuffer) {
        receiver?.originSent(bytes)
    }

    /// The response is whole, and the channel no longer ours.
    func ended(trailers: HeaderFields?) {
        letGo()?.originEnded(trailers: trailers)
    }

    /// The origin ended its direction after 101; the other one is open.
    func originHalfClosed() {
        if case .switched(let channel, .both) = state { state = .switched(channel, .oursAlone) }
        receiver?.originEnded(trailers: nil)
    }

    /// The channel broke, or what came on it makes no sense; it is no longer ours.
    ///
    /// - Parameter isUntouched: its connection had been used before, and closed without a byte for this request: the
    ///   origin has most likely closed it while it was idle (RFC 9112 §9.3.1).
    func channelFailed(_ error: OriginError, isUntouched: Bool) {
        if isUntouched, request.isRepeatable, !isRepetition {
            isRepetition = true
            start()
        } else {
            letGo()?.originFailed(error)
        }
    }

    /// The channel takes bytes.
    func becameWritable() {
        guard senderAwaitsWritability else { return }
        senderAwaitsWritability = false
        receiver?.originBecameWritable()
    }

    // MARK: -

    private func abort(_ error: OriginError) {
        abandon()?.originFailed(error)
    }

    /// Lets go of the receiver, and of channel or place.
    @discardableResult
    private func abandon() -> (any OriginResponseReceiver)? {
        let abandoned = state
        let receiver = letGo()
        switch abandoned {
        case .waiting(let id?, _): pool.withdraw(id)
        case .carried(let channel), .switched(let channel, _): channel.cancel()
        case .new, .waiting, .over: break
        }
        return receiver
    }

    /// Ends the exchange. The caller of this calls the receiver last: it may do anything.
    @discardableResult
    private func letGo() -> (any OriginResponseReceiver)? {
        defer { receiver = nil }
        state = .over
        return receiver
    }
}
