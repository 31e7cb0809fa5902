import HTTPMessage
import NIOCore
import Observability
import OriginHTTP
import TunnelProtocol
import TunnelTransport

/// Joins one stream of a session to one exchange with an origin, on the event loop of both.
final class OriginStream {
    private let session: any Session
    private let id: StreamID
    /// Who counts and logs for all streams of the session: to give each a logger of its own would copy it each time.
    private let owner: ClientSession
    private var exchange: (any OriginExchange)?
    private var method = ""
    /// Its content type, where that is one of gRPC.
    private var grpcType: String?
    /// How the answer is made one for callers; nil where it may stay as it is.
    private var view: PublicView?
    private var isRequestWhole: Bool
    private var hasAnswered = false
    private var isAnswerWhole = false
    /// After 101, where each direction ends on its own.
    private var isUpgraded = false
    private var unreported = 0
    /// What came of the body before the exchange began; the stream's window bounds it.
    private var early: [ByteBuffer] = []
    private var earlyTrailers: HeaderFields?
    private var endCameEarly = false
    private var hasBegun = false
    /// Whether the stream was over before the exchange began.
    private(set) var isWithdrawn = false
    private let clock: any EventLoop
    /// When the request's head was there.
    private let started: NIODeadline
    /// Whether it is counted among those that are under way.
    private var isUnderWay = false
    /// Of the final head; 0 before that.
    private var status = 0

    init(
        session: any Session, id: StreamID, isRequestWhole: Bool, owner: ClientSession, clock: any EventLoop
    ) {
        self.clock = clock
        self.started = clock.now
        self.session = session
        self.id = id
        self.isRequestWhole = isRequestWhole
        self.owner = owner
    }

    /// It is no longer withdrawn in silence: from now on it counts.
    func isTaken() {
        isUnderWay = true
        owner.counts.requestBegan()
    }

    private func isOver() {
        guard isUnderWay else { return }
        isUnderWay = false
        owner.counts.requestEnded(status)
    }

    /// Since the request's head was there, in microseconds.
    private var elapsed: UInt32 { UInt32(clamping: (clock.now - started).nanoseconds / 1000) }

    func begin(
        _ request: consuming RequestHead, at destination: Destination, framing: BodyFraming,
        on eventLoop: any EventLoop
    ) {
        hasBegun = true
        method = request.method
        grpcType = GRPC.type(of: request.fields)
        view = destination.view
        exchange = destination.origin.begin(
            consume request, framing: framing, host: destination.host, on: eventLoop, receiver: self)
        for bytes in early { pass(bytes) }
        early = []
        if endCameEarly { exchange?.end(trailers: earlyTrailers) }
    }

    /// The head makes no sense.
    func refuseMalformed(_ reason: String) {
        hasBegun = true
        early = []
        isOver()
        session.reset(id, .malformedMessage, reason: reason)
    }

    /// Answers a request in the origin's place.
    func refuse(_ status: Int, _ words: String, to request: RequestHead) {
        method = request.method
        grpcType = GRPC.type(of: request.fields)
        refuse(status, words)
    }

    private func refuse(_ status: Int, _ words: String) {
        hasBegun = true
        early = []
        hasAnswered = true
        var answer = OwnAnswer(status, line: words)
        if status == 503 { answer.append(.retryAfter, "1") }
        if let grpcType { answer = answer.asGRPC(grpcType) }
        let (head, body) = answer.parts(toMethod: method)
        respond(head, isLast: body == nil, after: elapsed)
        if let body {
            owner.counts.responseBody(body.readableBytes)
            _ = session.send(id, body)
        }
        answerIsWhole(trailers: nil)
    }

    private func pass(_ bytes: ByteBuffer) {
        guard let exchange else { return }
        exchange.send(bytes)
        if exchange.isWritable {
            session.consumed(id, bytes.readableBytes)
        } else {
            unreported += bytes.readableBytes
        }
    }

    /// - Parameter time: in microseconds; nil for an interim head.
    private func respond(_ head: ResponseHead, isLast: Bool, after time: UInt32?) {
        if !head.isInterim { status = head.status }
        owner.respond(id, by: session, head, isLast: isLast, after: time)
    }

    private func answerIsWhole(trailers: HeaderFields?) {
        guard !isAnswerWhole else { return }
        isAnswerWhole = true
        session.finish(id, trailers: trailers?.trailerLines)
        if isRequestWhole {
            letGo()
        } else if !isUpgraded {
            session.ignoreRest(id)
            exchange = nil
            isOver()
        }
    }

    private func requestIsWhole(trailers: HeaderFields?) {
        guard !isRequestWhole else { return }
        isRequestWhole = true
        if hasBegun {
            exchange?.end(trailers: trailers)
        } else {
            endCameEarly = true
            earlyTrailers = trailers
        }
        if isAnswerWhole { letGo() }
    }

    /// Both directions are over.
    private func letGo() {
        session.forget(id)
        exchange = nil
        isOver()
    }
}

// MARK: - From the tunnel

extension OriginStream: StreamReceiver {
    func streamReceived(head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32?) {
        // The session machine lets no server send response heads.
    }

    func streamReceived(data: ByteBuffer, isLast: Bool) {
        if data.readableBytes > 0 {
            owner.counts.requestBody(data.readableBytes)
            if hasBegun { pass(data) } else { early.append(data) }
        }
        if isLast { requestIsWhole(trailers: nil) }
    }

    func streamReceived(trailers bytes: ByteBuffer) {
        guard let trailers = try? HeaderFields(trailerLines: bytes) else {
            letGoOfExchange()
            session.reset(id, .malformedMessage, reason: "malformed trailers")
            return
        }
        requestIsWhole(trailers: trailers)
    }

    func streamWasReset(_ end: StreamTermination, reason: String) {
        letGoOfExchange()
    }

    private func letGoOfExchange() {
        isWithdrawn = !hasBegun
        early = []
        exchange?.cancel()
        exchange = nil
        isOver()
    }

    func streamBecameWritable() {
        exchange?.resumeReading()
    }

    /// Counts what has gone out, though more waits: an origin that is slow does not stand still.
    func streamReportsProgress() {
        guard let exchange else { return }
        let gone = unreported - exchange.unsentBytes
        guard gone > 0 else { return }
        unreported -= gone
        session.consumed(id, gone)
    }
}

// MARK: - From the origin

extension OriginStream: OriginResponseReceiver {
    func originAnswered(_ head: consuming ResponseHead, framing: BodyFraming) {
        Forwarding.rewrite(&head, at: .answerIntoTunnel)
        view?.rewrite(&head)
        guard !head.isInterim else { return respond(head, isLast: false, after: nil) }
        let time = elapsed
        owner.counts.originAnswered(after: time)
        hasAnswered = true
        isUpgraded = head.status == 101
        let isLast = framing == .none
        respond(head, isLast: isLast, after: time)
        if isLast { answerIsWhole(trailers: nil) }
    }

    func originSent(_ bytes: ByteBuffer) {
        owner.counts.responseBody(bytes.readableBytes)
        if !session.send(id, bytes) { exchange?.pauseReading() }
    }

    func originEnded(trailers: HeaderFields?) {
        answerIsWhole(trailers: trailers)
    }

    func originFailed(_ error: OriginError) {
        owner.originFailed(id, error)
        exchange = nil
        guard !isAnswerWhole || isUpgraded else { return }
        guard !hasAnswered else {
            isOver()
            session.breakOff(id, .originFailed, reason: error.message)
            return
        }
        refuse(error.status, error.message)
    }

    func originBecameWritable() {
        session.consumed(id, unreported)
        unreported = 0
    }
}
