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
    /// Bytes of a body that are kept though they were handed to a channel, where that can be refused: what clients of gRPC ask
    /// is seldom longer.
    private static let keptBytes = 16 << 10
    /// Channels on which a request is tried that was surely not looked at on those before.
    private static let mostRefusals = 3

    let request: OutgoingRequest
    /// Whether the receiver wants nothing for now: the channel looks here before each part that it hands on.
    private(set) var isPaused = false
    /// Whether it was handed to a channel, and may not simply be sent again.
    private(set) var hasBegun = false

    private var pool: OriginPool
    private var receiver: (any OriginResponseReceiver)?
    private var state = State.new
    private var body: RequestBody
    /// Whether it was repeated after a connection broke.
    private var isRepetition = false
    /// How often the origin has surely not looked at it.
    private var refusals = 0
    /// What of the body was handed to the channel, as long as that may be needed again and is short.
    private var kept: ByteBuffer?
    private var keptTrailers: HeaderFields?
    private(set) var senderAwaitsWritability = false

    init(_ request: OutgoingRequest, pool: OriginPool, receiver: any OriginResponseReceiver) {
        self.request = request
        self.pool = pool
        self.receiver = receiver
        body = RequestBody(request.framing)
    }

    /// Looks for a channel: to be called once. The receiver is not called before this returns.
    func start() { place(nil) }

    /// - Parameter held: what there is of the body.
    private func place(_ held: HeldBody?) {
        let needs = OriginPoolMachine.Needs(isRepeatable: request.isRepeatable, mustBeNew: isRepetition)
        switch pool.place(self, needs) {
        case .channel(let channel):
            carry(on: channel, held)
        case .waiting(let id):
            state = .waiting(id, held ?? HeldBody())
        case .refused(let error):
            state = .waiting(nil, held ?? HeldBody())
            pool.eventLoop.assumeIsolated().execute { self.failed(error) }
        }
    }

    private func carry(on channel: any OriginChannel, _ held: HeldBody?) {
        state = .carried(channel)
        hasBegun = true
        kept = channel.canBeRefused ? ByteBuffer() : nil
        channel.begin(request, for: self)
        guard let held else { return }
        held.bytes.takeAll().forEach {
            keep($0)
            channel.send($0, isLast: false)
        }
        if body.isWhole, !RequestBody(request.framing).isWhole {
            keptTrailers = held.trailers
            channel.end(trailers: held.trailers)
        }
    }

    private func keep(_ bytes: ByteBuffer) {
        guard let count = kept?.readableBytes else { return }
        if count + bytes.readableBytes > Self.keptBytes {
            kept = nil
        } else {
            kept?.writeImmutableBuffer(bytes)
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
            keep(bytes)
            channel.send(bytes, isLast: body.isWhole)
        case .waiting(_, let held):
            held.bytes.append(bytes)
        case .new, .switched, .over:
            break
        }
    }

    private func handOnEnd(_ trailers: HeaderFields?) {
        switch state {
        case .carried(let channel):
            keptTrailers = trailers
            channel.end(trailers: trailers)
        case .waiting(_, let held): held.trailers = trailers
        case .new, .switched, .over: break
        }
    }

    // MARK: What the pool says

    /// There is a channel, after a time: the request goes out.
    func attach(to channel: any OriginChannel) {
        guard case .waiting(_, let held) = state else { return }
        carry(on: channel, held)
    }

    /// There is no channel to be had.
    func failed(_ error: OriginError) {
        guard case .waiting = state else { return }
        letGo()?.originFailed(error)
    }

    // MARK: What the channel says

    func answered(_ head: consuming ResponseHead, framing: BodyFraming) {
        kept = nil
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
            hasBegun = false
            start()
        } else {
            letGo()?.originFailed(error)
        }
    }

    /// The channel is no longer ours, and the origin has surely not run the request (RFC 9113 §8.7).
    func channelRefused() {
        refusals += 1
        guard refusals < Self.mostRefusals, let held = takeKept() else {
            letGo()?.originFailed(
                OriginError(.tooBusy, "\(pool.address.place) refuses requests for now"))
            return
        }
        place(held)
    }

    /// The channel is no longer ours, and cannot carry what the request asks for, which went nowhere.
    func needsHTTP1() {
        guard let http1 = pool.http1, let held = takeKept() else {
            let words = "speaks HTTP/2 there, and does not take over that what the request asks for"
            letGo()?.originFailed(OriginError(.unsupported, "\(pool.address.place) \(words)"))
            return
        }
        pool = http1
        place(held)
    }

    /// What is to be sent again; nil where not all of it is here any more.
    private func takeKept() -> HeldBody? {
        guard let bytes = kept.take() else { return nil }
        let held = HeldBody()
        if bytes.readableBytes > 0 { held.bytes.append(bytes) }
        held.trailers = keptTrailers
        return held
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
