import HTTPMessage
import NIOCore

/// One exchange with an HTTP server: keeps the request until a connection takes it, and repeats it once where
/// that is harmless.
final class HTTPExchange: OriginExchange {
    private enum State {
        /// For a connection. Next: connected, over.
        case waiting
        /// Next: waiting (to be repeated), over.
        case connected(OriginConnection)
        /// The receiver was let go.
        case over
    }

    /// Bytes of a body that are kept while there is no connection, before the sender is told to stop; and those
    /// that are gathered before they are handed to the channel.
    private static let gatheredBytes = 64 << 10

    /// The request, and how much of it has been encoded.
    private(set) var request: RequestEncoder
    /// Whether the receiver wants nothing for now.
    private(set) var isPaused = false
    /// Whether the sender ended its direction after 101.
    private(set) var hasHalfClosed = false
    /// Whether the origin ended its direction after 101.
    private(set) var originHasHalfClosed = false
    /// Whether this is the second try: it must not go on a connection that was used before.
    private(set) var isRepetition = false
    /// The attempt made for this exchange; abandoned with it.
    var attempt: ConnectAttempt?
    /// Whether it waits in the pool's queue.
    var isQueued = false
    /// Why there was no connection yet.
    var lack: OriginError?

    private let pool: OriginPool
    private var receiver: (any OriginResponseReceiver)?
    private var state = State.waiting
    private var output = Output()
    private var timer: Scheduled<Void>?
    private var senderAwaitsWritability = false
    private var isUpgraded = false

    init(_ request: RequestEncoder, pool: OriginPool, receiver: any OriginResponseReceiver) {
        self.request = request
        self.pool = pool
        self.receiver = receiver
    }

    /// Whether a connection is wanted.
    var isWaiting: Bool {
        if case .waiting = state { true } else { false }
    }

    // MARK: What the sender of the request does

    var isWritable: Bool {
        let isWritable =
            switch state {
            case .waiting: output.count < Self.gatheredBytes
            case .connected(let connection): connection.isWritable
            case .over: true
            }
        if !isWritable { senderAwaitsWritability = true }
        return isWritable
    }

    var unsentBytes: Int {
        guard case .connected(let connection) = state else { return output.count }
        return output.count + connection.unsentBytes
    }

    func send(_ bytes: ByteBuffer) {
        if case .over = state { return }
        if isUpgraded {
            guard !hasHalfClosed else { return }
            output.append(bytes)
            return outputGrew()
        }
        do throws(OriginError) {
            try request.encode(bytes, to: &output)
            outputGrew()
        } catch {
            abort(error)
        }
    }

    func end(trailers: HeaderFields?) {
        guard case .connected(let connection) = state, isUpgraded else { return endBody(trailers) }
        guard !hasHalfClosed else { return }
        hasHalfClosed = true
        connection.halfClose()
        if originHasHalfClosed { letGo() }
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
        if case .connected(let connection) = state { connection.resumeReading() }
    }

    private func endBody(_ trailers: HeaderFields?) {
        if case .over = state { return }
        guard !request.isComplete else { return }
        do throws(OriginError) {
            try request.end(trailers: trailers, to: &output)
            outputGrew()
        } catch {
            abort(error)
        }
    }

    // MARK: What the pool says

    /// No connection was idle: one is being made, or has to be waited for.
    func startConnectTimer() {
        guard timer == nil else { return }
        timer = pool.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(pool.options.connectTimeout)) {
            let late = OriginError(.timedOut, "no connection to \(self.pool.address.hostAndPort) in time")
            self.abort(self.lack ?? late)
        }
    }

    /// The connection is ours: the request goes out with the next flush.
    func connected(_ connection: OriginConnection) {
        stopTimer()
        attempt = nil
        state = .connected(connection)
        var whole = Output()
        whole.append(request.head)
        output.drain { whole.append($0) }
        output = whole
        outputGrew()
    }

    /// There is no connection to be had.
    func failed(_ error: OriginError) {
        guard isWaiting else { return }
        letGo()?.originFailed(error)
    }

    // MARK: What the connection says

    func answered(_ head: ResponseHead, framing: BodyFraming) {
        if !head.isInterim { isUpgraded = head.status == 101 }
        receiver?.originAnswered(head, framing: framing)
    }

    func received(_ bytes: ByteBuffer) {
        receiver?.originSent(bytes)
    }

    /// The response is whole, and the connection no longer ours.
    func ended(trailers: HeaderFields?) {
        letGo()?.originEnded(trailers: trailers)
    }

    /// The origin closed its direction after 101.
    func originHalfClosed() {
        originHasHalfClosed = true
        receiver?.originEnded(trailers: nil)
    }

    /// The connection broke, or what came on it makes no sense; it is no longer ours.
    ///
    /// - Parameter isUntouched: it had been used before, and closed without a byte for this request: the
    ///   origin has most likely closed it while it was idle (RFC 9112 §9.3.1).
    func connectionFailed(_ code: OriginError.Code, _ message: String, isUntouched: Bool) {
        if isUntouched, request.isRepeatable, !isRepetition {
            isRepetition = true
            state = .waiting
            output = Output()
            pool.submit(self)
        } else {
            letGo()?.originFailed(OriginError(code, message))
        }
    }

    /// Hands gathered bytes to the channel.
    func drainOutput(_ write: (ByteBuffer) -> Void) {
        output.drain(write)
    }

    /// The channel takes bytes.
    func becameWritable() {
        guard senderAwaitsWritability else { return }
        senderAwaitsWritability = false
        receiver?.originBecameWritable()
    }

    // MARK: -

    private func outputGrew() {
        guard case .connected(let connection) = state else { return }
        if output.count >= Self.gatheredBytes { output.drain { connection.write($0) } }
        connection.flushSoon()
    }

    private func stopTimer() {
        timer?.cancel()
        timer = nil
    }

    private func abort(_ error: OriginError) {
        abandon()?.originFailed(error)
    }

    /// Lets go of receiver and connection; the connection is closed.
    @discardableResult
    private func abandon() -> (any OriginResponseReceiver)? {
        let abandoned = state
        let receiver = letGo()
        switch abandoned {
        case .waiting: pool.withdraw(self)
        case .connected(let connection): connection.abandon()
        case .over: break
        }
        return receiver
    }

    /// Ends the exchange. The caller of this calls the receiver last: it may do anything.
    @discardableResult
    private func letGo() -> (any OriginResponseReceiver)? {
        defer { receiver = nil }
        stopTimer()
        state = .over
        output = Output()
        return receiver
    }
}
