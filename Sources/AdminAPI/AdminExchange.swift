import AgentStatus
import HTTPMessage
import HTTPServing
import NIOCore

/// A whole request, and the way back to who sent it.
struct AdminRequest: Sendable {
    let head: RequestHead
    let body: ByteBuffer
    /// The peer, as the log is told.
    let peer: String
    /// What may become of it.
    let entry: AdminEntry
    private let eventLoop: any EventLoop
    private let exchange: NIOLoopBound<AdminExchange>

    /// Called on the exchange's event loop.
    init(
        _ head: RequestHead, _ body: ByteBuffer, _ entry: AdminEntry, from peer: String,
        of exchange: AdminExchange, on eventLoop: any EventLoop
    ) {
        self.peer = peer
        self.head = head
        self.body = body
        self.entry = entry
        self.eventLoop = eventLoop
        self.exchange = NIOLoopBound(exchange, eventLoop: eventLoop)
    }

    /// Answers, unless who asked has left.
    func send(_ answer: OwnAnswer) { eventLoop.execute { exchange.value.answer(answer) } }

    /// Answers for as long as there is something to tell, the server runs, and who asked stays. Returns behind the end.
    func send(_ stream: AdminStream) async {
        let isOver = eventLoop.makePromise(of: Void.self)
        let begun = eventLoop.submit { exchange.value.begin(stream.mediaType, isOver: isOver) }
        begun.whenFailure { _ in isOver.succeed() }
        guard (try? await begun.get()) == true else { return }
        guard head.method != "HEAD" else { return eventLoop.execute { exchange.value.endStream() } }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await isOver.futureResult.get() }
            group.addTask {
                while let piece = await stream.next(), await isTaken(piece) {}
                eventLoop.execute { exchange.value.endStream() }
            }
            // Whichever ends first ends the other.
            await group.next()
            group.cancelAll()
        }
    }

    /// Hands a piece on, and waits until it is taken.
    ///
    /// - Returns: false when the answer is over.
    private func isTaken(_ piece: ByteBuffer) async -> Bool {
        (try? await eventLoop.flatSubmit { exchange.value.send(piece) }.get()) ?? false
    }
}

/// One request to the admin API and its answer, which goes out as fast as it is taken. Bound to its connection's event loop.
final class AdminExchange: ServedExchange {
    /// Few requests need a body, and that is small.
    static let mostBodyBytes = ExplanationQuery.mostBytes
    /// What of a long answer is handed on at once, in bytes.
    private static let piece = 64 << 10
    private static let tooLarge = HTTPMessageError(.malformed, "the body is too large")

    private enum State {
        /// Next: asked, over.
        case receiving(body: ByteBuffer, until: NIODeadline)
        /// The agent is at work, which may take minutes. Next: answering, over.
        case asked
        /// A long answer goes out. Next: over.
        ///
        /// - Parameter rest: what was not handed on yet.
        case answering(rest: ByteBuffer, DeliveryProgress)
        /// Pieces go out as they come. Next: over.
        ///
        /// - Parameters:
        ///   - isOver: fulfilled when it is.
        ///   - waiting: for the last piece to be taken.
        case streaming(isOver: EventLoopPromise<Void>, waiting: EventLoopPromise<Bool>?, DeliveryProgress)
        case over
    }

    private let head: RequestHead
    private let framing: BodyFraming
    private let entry: AdminEntry
    private let gate: AdminGate?
    /// Whether it counts among those that are under way.
    private var hasPlace = false
    /// Let go when the exchange is over: the agent may be at work for one who has left.
    private var stream: (any CallerStream)?
    private let eventLoop: any EventLoop
    /// Time for the request to come, and for the next piece of its answer to be taken.
    private let patience: TimeAmount
    private let peer: String
    private let requests: AsyncStream<AdminRequest>.Continuation
    private var state: State
    /// Whether an answer without an end of its own must not begin any more.
    private var isStopping = false

    /// - Parameter peer: who asks, as the log is told.
    init(
        _ head: RequestHead, _ framing: BodyFraming, _ entry: AdminEntry = .admitted(.administer),
        gate: AdminGate? = nil, on stream: any CallerStream, from peer: String, patience: TimeAmount,
        requests: AsyncStream<AdminRequest>.Continuation
    ) {
        self.head = head
        self.peer = peer
        self.framing = framing
        self.entry = entry
        self.gate = gate
        self.stream = stream
        self.eventLoop = stream.eventLoop
        self.patience = patience
        self.requests = requests
        self.state = .receiving(body: ByteBuffer(), until: stream.eventLoop.now + patience)
    }

    // MARK: The request

    var takesBytes: Bool { true }

    func start() {
        // What strangers send is dropped as it comes.
        guard case .admitted = entry else { return ask() }
        if let gate {
            guard gate.beginRequest() else {
                return answerLast(.adminError(503, "too many requests are under way here: ask again"))
            }
            hasPlace = true
        }
        switch framing {
        case .none: return ask()
        case .length(let length) where length > Self.mostBodyBytes: return refuse(Self.tooLarge)
        default: break
        }
        if head.fields.list(.expect, contains: "100-continue") {
            stream?.send(interim: ResponseHead(status: 100))
        }
        checkTime()
    }

    func callerSent(_ bytes: ByteBuffer) {
        guard case .receiving(var body, let deadline) = state else { return }
        guard body.readableBytes + bytes.readableBytes <= Self.mostBodyBytes else {
            return refuse(Self.tooLarge)
        }
        state = .over
        body.writeImmutableBuffer(bytes)
        state = .receiving(body: body, until: deadline)
    }

    func callerEndedRequest(trailers: HeaderFields?) { ask() }

    func callerBrokeRules(_ error: HTTPMessageError) { refuse(error) }

    private func ask() {
        guard case .receiving(let body, _) = state else { return }
        state = .asked
        let request = AdminRequest(head, body, entry, from: peer, of: self, on: eventLoop)
        if case .enqueued = requests.yield(request) { return }
        answerLast(.adminError(503, "no more requests are taken here: ask again"))
    }

    // MARK: The answer

    func answer(_ answer: OwnAnswer) {
        guard case .asked = state, let stream else { return }
        // Who has no token is to keep no place.
        guard answer.status != 401, answer.status != 421 else { return answerLast(answer) }
        let answer = answer.forNoPage
        var (head, body) = answer.parts(toMethod: self.head.method)
        guard let body, body.readableBytes > Self.piece,
            let length = try? AnswerLength(settling: &head, toMethod: self.head.method, isLast: false)
        else { return end { $0.send(answer, closes: false) } }
        state = .answering(rest: body, DeliveryProgress(now: eventLoop.now))
        stream.send(head, length, isLast: false)
        goOn()
    }

    /// Hands on as much as is taken. The exchange is over when all of it was: behind it the connection has no eye on how
    /// far its caller gets.
    private func goOn() {
        while case .answering(var rest, let progress) = state, let stream, stream.isWritable {
            guard rest.readableBytes > 0,
                let piece = rest.readSlice(length: min(Self.piece, rest.readableBytes))
            else { return end { _ in } }
            state = .answering(rest: rest, progress)
            stream.send(piece, isLast: rest.readableBytes == 0)
        }
        checkTime()
    }

    func callerBecameWritable() {
        switch state {
        case .answering(let rest, _):
            state = .answering(rest: rest, DeliveryProgress(now: eventLoop.now))
            goOn()
        case .streaming(let isOver, let waiting, _):
            state = .streaming(isOver: isOver, waiting: nil, DeliveryProgress(now: eventLoop.now))
            waiting?.succeed(true)
        case .receiving, .asked, .over: break
        }
    }

    // MARK: An answer without an end of its own

    /// - Parameter isOver: is fulfilled when the answer is over, also when it has not begun.
    /// - Returns: false where who asked has left.
    func begin(_ mediaType: String, isOver: EventLoopPromise<Void>) -> Bool {
        var head = ResponseHead(
            status: 200, fields: HeaderFields([.contentType: mediaType]))
        head.fields.append(named: "Cache-Control", "no-store")
        head.fields.append(named: "X-Content-Type-Options", "nosniff")
        if case .asked = state, isStopping {
            answerLast(.adminError(503, "the agent stopped before the answer was there"))
        }
        guard case .asked = state, let stream,
            let length = try? AnswerLength(settling: &head, toMethod: self.head.method, isLast: false)
        else {
            isOver.succeed()
            return false
        }
        state = .streaming(isOver: isOver, waiting: nil, DeliveryProgress(now: eventLoop.now))
        stream.send(head, length, isLast: false)
        checkTime()
        return true
    }

    /// - Returns: whether there is to be more, told when the piece is taken.
    func send(_ piece: ByteBuffer) -> EventLoopFuture<Bool> {
        guard case .streaming(let isOver, _, var progress) = state, let stream else {
            return eventLoop.makeSucceededFuture(false)
        }
        if stream.undelivered == 0 { progress.moved(now: eventLoop.now) }
        state = .streaming(isOver: isOver, waiting: nil, progress)
        stream.send(piece, isLast: false)
        guard case .streaming = state, !stream.isWritable else { return eventLoop.makeSucceededFuture(true) }
        let waiting = eventLoop.makePromise(of: Bool.self)
        state = .streaming(isOver: isOver, waiting: waiting, progress)
        checkTime()
        return waiting.futureResult
    }

    /// There is no more to tell.
    func endStream() {
        guard case .streaming = state else { return }
        end { $0.send(ByteBuffer(), isLast: true) }
    }

    private func refuse(_ error: HTTPMessageError) { answerLast(.adminError(error.status, "\(error)")) }

    /// The connection ends behind the answer.
    private func answerLast(_ answer: OwnAnswer) { end { $0.send(answer.forNoPage, closes: true) } }

    // MARK: Ends

    /// - Parameter finish: what is to be done on the stream before; whatever that brings about, the exchange is over.
    private func end(_ finish: (any CallerStream) -> Void) {
        guard let stream else { return }
        over()
        finish(stream)
        stream.exchangeEnded()
    }

    private func over() {
        let before = state
        state = .over
        stream = nil
        if hasPlace { gate?.endRequest() }
        hasPlace = false
        guard case .streaming(let isOver, let waiting, _) = before else { return }
        waiting?.succeed(false)
        isOver.succeed()
    }

    func callerLeft() { over() }

    func cutShort() {
        switch (state, stream) {
        case (.answering, let stream?):
            over()
            stream.exchangeBroke(isWhole: false)
        case (.streaming, _): endStream()
        default: answerLast(.adminError(503, "the agent stopped before the answer was there"))
        }
    }

    func checkTime() {
        guard let stream else { return }
        let now = eventLoop.now
        switch state {
        case .receiving(_, let deadline):
            if now >= deadline { return answerLast(.adminTimeout) }
            stream.ring(by: deadline)
        case .answering(let rest, var progress):
            progress.sees(undelivered: stream.undelivered, now: now)
            guard now < progress.last + patience else {
                over()
                return stream.exchangeGaveUp()
            }
            state = .answering(rest: rest, progress)
            stream.ring(by: progress.last + patience)
        case .streaming(let isOver, let waiting, var progress):
            progress.sees(undelivered: stream.undelivered, now: now)
            guard now < progress.last + patience || stream.undelivered == 0 else {
                over()
                return stream.exchangeGaveUp()
            }
            state = .streaming(isOver: isOver, waiting: waiting, progress)
            stream.ring(by: now + patience)
        case .asked, .over: break
        }
    }

    /// The connection ends behind the answer by itself; one without an end of its own ends now.
    func serverStops() {
        isStopping = true
        endStream()
    }

    /// Nobody waits for that.
    func answerIsOut(missing: Int) {}

    /// No connection to the admin API leaves HTTP.
    func callerEndedRaw() {}
}
