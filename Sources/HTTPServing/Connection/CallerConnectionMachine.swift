import HTTPMessage
import NIOCore

/// One connection that speaks HTTP/1, without I/O: what came on it, which exchange is under way, how long it may be silent,
/// and how it leaves. `CallerHandler` carries out what it decides.
///
/// Generic over what stands for an exchange, so that tests use plain numbers.
struct CallerConnectionMachine<Exchange> {
    private enum State {
        /// Between requests, or with part of a head. Next: exchange, farewell, over.
        ///
        /// - Parameter since: when the connection or the last answer came, or the first byte of the head.
        case awaitingHead(since: NIODeadline)
        /// A request and its answer are under way. Next: awaitingHead, takingRest, raw, farewell, over.
        case exchange(Exchange)
        /// The answer is out, and what is left of the request is dropped. Next: awaitingHead, farewell, over.
        case takingRest(since: NIODeadline)
        /// After an upgrade. Next: farewell, over.
        case raw(Exchange, hasInputEnded: Bool, hasOutputEnded: Bool)
        /// The last answer is written; what still comes is dropped. Next: over.
        ///
        /// - Parameter broken: whose answer broke off; it is to be told how much went out.
        indirect case farewell(Farewell, broken: Exchange?)
        /// Not connected yet, closed, or another handler's now.
        case over
    }

    private let limits: ConnectionLimits
    private var state = State.over
    private var input = ByteBuffer()
    private var headReader: RequestHeadReader
    private var hasServed = false
    private(set) var leaving = ConnectionLeaving.no
    /// The exchange under way, as HTTP/1 has it.
    var http: HTTP1Exchange?

    init(_ limits: ConnectionLimits) {
        self.limits = limits
        self.headReader = RequestHeadReader(limits: limits.http)
    }

    // MARK: What came

    mutating func connected(now: NIODeadline) { state = .awaitingHead(since: now) }

    /// - Returns: whether there may be something to do with it.
    mutating func received(_ bytes: ByteBuffer, now: NIODeadline) -> Bool {
        switch state {
        case .farewell(var farewell, let broken):
            farewell.heard(now: now)
            state = .farewell(farewell, broken: broken)
            return false
        case .over:
            return false
        case .awaitingHead, .exchange, .takingRest, .raw:
            guard input.readableBytes > 0 else {
                input = bytes
                if case .awaitingHead = state { state = .awaitingHead(since: now) }
                return true
            }
            input.writeImmutableBuffer(bytes)
            return true
        }
    }

    /// Takes the next thing off what was received.
    ///
    /// - Parameters:
    ///   - isWritable: whether the caller reads its answers: one that does not gets no more of them.
    ///   - takesBytes: whether an exchange takes bytes of its request.
    mutating func next(isWritable: @autoclosure () -> Bool, takesBytes: (Exchange) -> Bool) -> Event {
        let start = input.readerIndex
        do throws(HTTPMessageError) {
            switch state {
            case .awaitingHead(let since):
                // Asked first, as it costs least: most often the answer before has just gone out.
                return input.readableBytes > 0 && isWritable() ? try nextHead(since) : .nothing
            case .exchange(let exchange):
                guard http?.isRequestWhole == false, takesBytes(exchange) else { return .nothing }
                switch try http?.next(&input) {
                case .bytes(let bytes): return .body(bytes, exchange)
                case .end(let trailers): return .requestEnd(trailers: trailers, exchange)
                case nil: return .nothing
                }
            case .takingRest:
                switch try http?.next(&input) {
                case .bytes: return .rest
                case .end: return .restEnd
                case nil: return .nothing
                }
            case .raw(let exchange, let hasInputEnded, _):
                return takesBytes(exchange) ? nextRaw(exchange, hasInputEnded) : .nothing
            case .farewell, .over:
                return .nothing
            }
        } catch {
            switch state {
            case .exchange(let exchange): return .malformedBody(error, exchange)
            case .takingRest: return .malformedRest
            default:
                let request = request(at: start)
                // Its line looks like a request's, of a version that is not read here.
                if !hasServed, request.readableBytesView.starts(with: HTTP2ConnectionSettings.preface) {
                    state = .over
                    input = ByteBuffer()
                    return .http2(request)
                }
                let view = request.readableBytesView
                return .malformedHead(error, method: Self.method(of: view), ForeignPreface(view))
            }
        }
    }

    private mutating func nextHead(_ since: NIODeadline) throws(HTTPMessageError) -> Event {
        guard var head = try headReader.next(&input) else {
            guard input.readableBytes > 0 else { return .nothing }
            // It waits for an answer in TLS, and sends no more.
            guard ForeignPreface(input.readableBytesView) != .tls else {
                throw HTTPMessageError(.malformed, "TLS instead of HTTP")
            }
            return .partOfHead(until: since + limits.headTimeout)
        }
        let framing = try head.bodyFraming()
        try head.settleTarget()
        try head.settleLength()
        return .request(consume head, framing)
    }

    private mutating func nextRaw(_ exchange: Exchange, _ hasInputEnded: Bool) -> Event {
        guard input.readableBytes > 0 else {
            // What came before the end goes first, however long it has to wait.
            return hasInputEnded ? .rawEnd(exchange) : .nothing
        }
        let bytes = input
        input = ByteBuffer()
        return .raw(bytes, exchange)
    }

    /// What came from there on, read or not: `tidy` discards what was. No bytes are copied.
    private func request(at start: Int) -> ByteBuffer {
        var request = input
        if start <= request.writerIndex { request.moveReaderIndex(to: start) }
        return request
    }

    /// Lets go of what was taken.
    mutating func tidy() {
        if input.readableBytes == 0 { input = ByteBuffer() } else { input.discardReadBytes() }
    }

    /// Whether what comes is left in the kernel for now.
    func isPaused(isWritable: @autoclosure () -> Bool, takesBytes: (Exchange) -> Bool) -> Bool {
        switch state {
        case .awaitingHead: !isWritable()
        case .exchange(let exchange):
            http?.isRequestWhole == false ? !takesBytes(exchange) : input.readableBytes > 0
        case .raw(let exchange, _, _): !takesBytes(exchange)
        case .takingRest, .farewell, .over: false
        }
    }

    // MARK: Exchanges

    /// How the connection goes on behind the answer that is whole now; nil where none was under way. Changes nothing: it is
    /// `mutating`, as `bodyEncoder` is, because to ask what a class holds would copy it first.
    ///
    /// - Returns: also by what farewell it ends, if it does.
    mutating func answerEnd() -> (farewell: Farewell.Manner?, isDelimited: Bool)? {
        guard let isDelimited = http?.isDelimited, let keepAlive = http?.keepAlive else { return nil }
        return (isRaw ? .close : keepAlive ? nil : .linger, isDelimited)
    }

    /// What writes the body of the answer under way; a value of a few bytes. Who writes must not do so from within the
    /// machine: to write may change whether the channel is writable, and the handler asks the machine then.
    mutating func bodyEncoder() -> ResponseEncoder? { http?.encoder }

    /// The exchange under way, if any.
    var current: Exchange? {
        switch state {
        case .exchange(let exchange), .raw(let exchange, _, _): exchange
        case .awaitingHead, .takingRest, .farewell, .over: nil
        }
    }

    /// Ends the caller's raw direction, where ours is over: TLS says no more of an end in order behind ours than that the
    /// connection is closed. One that breaks is an error.
    mutating func endsInputBehindOutput() -> Bool {
        guard case .raw(let exchange, hasInputEnded: false, hasOutputEnded: true) = state else {
            return false
        }
        state = .raw(exchange, hasInputEnded: true, hasOutputEnded: true)
        return true
    }

    var isRaw: Bool {
        if case .raw = state { return true }
        return false
    }

    /// A request goes to an exchange.
    mutating func began(_ exchange: Exchange, _ http: consuming HTTP1Exchange) {
        self.http = http
        state = .exchange(exchange)
    }

    mutating func switchedProtocols() {
        guard case .exchange(let exchange) = state else { return }
        state = .raw(exchange, hasInputEnded: false, hasOutputEnded: false)
    }

    /// The connection goes on behind an answer: with the next request, or what is left of this one.
    ///
    /// - Parameters:
    ///   - isStopping: the server takes no requests any more. One that leaves, and had promised to stay before it knew,
    ///     takes the request that this brings.
    ///   - isShed: it is to be kept for no more than that.
    /// - Returns: when it is to be looked after.
    mutating func goesOn(isStopping: Bool, isShed: Bool = false, now: NIODeadline) -> NIODeadline {
        if isStopping { leaving.extend(to: now + limits.leaveTimeout) }
        if isShed, http?.isRequestWhole != false { leaving.go(by: now + limits.leaveTimeout) }
        guard http?.isRequestWhole == false else { return waitsForNext(now: now) }
        state = .takingRest(since: now)
        return now + limits.headTimeout
    }

    /// The next request is waited for.
    ///
    /// - Returns: when it is to be looked after.
    @discardableResult mutating func waitsForNext(now: NIODeadline) -> NIODeadline {
        http = nil
        hasServed = true
        state = .awaitingHead(since: now)
        return idleDeadline(now)
    }

    // MARK: Ends

    mutating func inputEnded() -> InputEnd {
        switch state {
        case .raw(let exchange, _, let hasOutputEnded):
            state = .raw(exchange, hasInputEnded: true, hasOutputEnded: hasOutputEnded)
            return .workOff
        // It has ended its direction, and may still read.
        case .farewell: return .goesOn
        case .awaitingHead, .exchange, .takingRest, .over: return .close
        }
    }

    /// The raw direction to the caller is over.
    mutating func outputEnded() {
        guard case .raw(let exchange, let hasInputEnded, _) = state else { return }
        state = .raw(exchange, hasInputEnded: hasInputEnded, hasOutputEnded: true)
    }

    /// Nothing more is said.
    ///
    /// - Parameter isBroken: the answer of the exchange under way broke off.
    mutating func saysFarewell(_ farewell: Farewell, isBroken: Bool, isLeaving: Bool) {
        let broken = isBroken ? current : nil
        var farewell = farewell
        if isLeaving { farewell.leave() }
        http = nil
        input = ByteBuffer()
        state = .farewell(farewell, broken: broken)
    }

    /// Everything written was given to the kernel.
    mutating func farewellIsSent() { changeFarewell { $0.sent() } }

    /// The farewell has to be over by then.
    mutating func hurry(until deadline: NIODeadline) { changeFarewell { $0.hurry(until: deadline) } }

    /// - Parameter undelivered: bytes that have not arrived at the caller's machine.
    /// - Returns: nil where there is no farewell.
    mutating func farewellStep(undelivered: Int, now: NIODeadline) -> Farewell.Step? {
        var step: Farewell.Step?
        changeFarewell { step = $0.next(undelivered: undelivered, now: now) }
        return step
    }

    private mutating func changeFarewell(_ change: (inout Farewell) -> Void) {
        guard case .farewell(var farewell, let broken) = state else { return }
        change(&farewell)
        state = .farewell(farewell, broken: broken)
    }

    /// All of a broken answer that could go out has gone out: whom to tell, once.
    mutating func takeBroken() -> Exchange? {
        guard case .farewell(let farewell, let broken) = state, let broken else { return nil }
        state = .farewell(farewell, broken: nil)
        return broken
    }

    /// The connection is another handler's from now on.
    ///
    /// - Returns: what came behind the handshake.
    mutating func leavesHTTP() -> ByteBuffer {
        state = .over
        let leftover = input
        input = ByteBuffer()
        return leftover
    }

    /// The connection is closed, or its exchange takes nothing more.
    ///
    /// - Returns: the exchange that is to be told. None is where both raw directions ended in order: some of what the
    ///   caller sent may still be to be taken.
    mutating func closed() -> Exchange? {
        if case .raw(_, hasInputEnded: true, hasOutputEnded: true) = state { return nil }
        let exchange = current
        state = .over
        return exchange
    }

    /// An exchange ended that had outlived its connection.
    mutating func ended() { state = .over }

    // MARK: Leaving

    /// The next answer is the last.
    mutating func leave() { leaving.ask() }

    /// The server stops. Who came or was answered just now may have sent a request already: it gets its answer.
    mutating func stop(isWritable: Bool, now: NIODeadline) -> Parting {
        switch state {
        case .awaitingHead(let since):
            leaving.go(by: since + limits.leaveTimeout)
            // It may not even read its answers.
            return isWritable ? .checkTime : .close
        case .takingRest(let since):
            leaving.go(by: since + limits.leaveTimeout)
            return .checkTime
        case .exchange(let exchange):
            leaving = .by(now + limits.leaveTimeout)
            return .exchange(exchange)
        case .farewell:
            leaving.go(by: now)
            changeFarewell { $0.leave() }
            return .checkTime
        case .raw, .over:
            leaving.go(by: now)
            return .nothing
        }
    }

    /// Ends where it only waits for the next request. Who was answered just now may have sent one already: it gets its answer.
    ///
    /// - Returns: whether it is to be looked after.
    mutating func shed(now: NIODeadline) -> Bool {
        guard case .awaitingHead(let since) = state, hasServed, input.readableBytes == 0 else { return false }
        leaving.go(by: max(since + limits.leaveTimeout, now + ConnectionLeaving.glance))
        return true
    }

    /// Whether a request may be on its way that is answered yet.
    func awaitsRequest(now: NIODeadline) -> Bool {
        switch state {
        case .awaitingHead: true
        case .exchange: http?.hasPromisedToStay == true && now < leaving.deadline
        case .takingRest, .raw, .farewell, .over: false
        }
    }

    /// The grace is over.
    func cut() -> Parting {
        switch state {
        case .awaitingHead, .takingRest: .close
        case .exchange(let exchange), .raw(let exchange, _, _): .exchange(exchange)
        case .farewell, .over: .nothing
        }
    }

    // MARK: Time

    private func idleDeadline(_ since: NIODeadline) -> NIODeadline {
        min(since + (hasServed ? limits.idleTimeout : limits.headTimeout), leaving.deadline)
    }

    /// - Parameters:
    ///   - isWritable: whether the caller reads its answers.
    ///   - patience: with one that does not.
    func due(isWritable: @autoclosure () -> Bool, patience: TimeAmount, now: NIODeadline) -> Due {
        switch state {
        case .awaitingHead(let since):
            if !isWritable() { return Self.due(.stuck, since + patience, now) }
            guard input.readableBytes > 0 else { return Self.due(.idle, idleDeadline(since), now) }
            let deadline = min(since + limits.headTimeout, leaving.deadline)
            return Self.due(.headTimeout(method: Self.method(of: input.readableBytesView)), deadline, now)
        case .takingRest(let since):
            return Self.due(.restTimeout, min(since + limits.headTimeout, leaving.deadline), now)
        case .exchange(let exchange), .raw(let exchange, _, _): return .exchange(exchange)
        case .farewell: return .farewell
        case .over: return .nothing(until: .distantFuture)
        }
    }

    private static func due(_ what: Due, _ deadline: NIODeadline, _ now: NIODeadline) -> Due {
        now >= deadline ? what : .nothing(until: deadline)
    }
}
