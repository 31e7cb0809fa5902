import HTTPMessage
import NIOCore
import Observability
import TunnelProtocol

/// What is known of one request: counted here alone, and told to the server's `RequestObserver` as it comes and at the end.
struct RequestRecord {
    let observer: RequestObserver
    private let started: NIODeadline
    private let serverName: String
    private var tokenHint: String?
    private let requestID: UInt64
    private let externalID: String?
    private let method: String
    private let path: String
    let callerAddress: String
    private let certificateName: String?
    private let trace: RequestTrace?
    private var firstByte: NIODeadline?
    private var status: Int?
    private var isFinished = false
    var level = AccessLevel.info
    /// Of the bodies.
    private var requestBytes = 0
    private var responseBytes = 0

    /// - Parameter path: the target inside the tunnel: the caller's own may hold the token.
    init(
        observer: RequestObserver, serverName: String, tokenHint: String?, requestID: UInt64,
        externalID: String?, method: String, path: String, callerAddress: String, certificateName: String?,
        trace: RequestTrace? = nil, now: NIODeadline
    ) {
        self.observer = observer
        self.started = now
        self.serverName = serverName
        self.tokenHint = tokenHint
        self.requestID = requestID
        self.externalID = externalID
        self.method = method
        self.path = path
        self.callerAddress = callerAddress
        self.certificateName = certificateName
        self.trace = trace
    }

    /// Tells of the request on its way, where the log is text.
    func note(_ step: @autoclosure () -> AccessStep) {
        observer.note(step(), tokenHint: tokenHint, requestID: requestID)
    }

    /// It came, or is offered to another session.
    func noteArrival(xHost: @autoclosure () -> String?, attempt: Int) {
        note(.received(method: method, path: path, caller: callerAddress, xHost: xHost(), attempt: attempt))
    }

    func noteDeparture() { note(.sent(method: method, path: path)) }

    /// Says nothing: the request is told otherwise, with others of its kind.
    mutating func keepSilent() { isFinished = true }

    /// It is for another tunnel than it seemed.
    mutating func leads(to token: RendezvousToken) { tokenHint = token.hint }

    /// It is one for a tunnel.
    func goesToTunnel() { observer.requestBegan() }

    /// So many more bytes of its body went into the tunnel.
    mutating func requestSent(_ bytes: Int) {
        requestBytes += bytes
        observer.requestBody(bytes)
    }

    /// So many more bytes of the answer's body came out of the tunnel.
    mutating func answerCame(_ bytes: Int) {
        responseBytes += bytes
        observer.responseBody(bytes)
    }

    /// The final head goes out.
    mutating func responded(_ status: Int, now: NIODeadline) {
        self.status = status
        firstByte = now
    }

    /// An answer of our own goes out, which no tunnel carried.
    mutating func responded(with answer: OwnAnswer, now: NIODeadline) {
        responded(answer.status, now: now)
        responseBytes += answer.textBytes
    }

    /// All that came of it is an answer of our own.
    mutating func answeredHere(_ answer: OwnAnswer, now: NIODeadline) {
        responded(with: answer, now: now)
        finish(.answeredHere, now: now)
    }

    /// The exchange is over; writes its line, once.
    ///
    /// - Parameter missing: bytes of the answer that were counted, and did not go out.
    mutating func finish(_ outcome: AccessOutcome, missing: Int = 0, now: NIODeadline) {
        guard !isFinished else { return }
        isFinished = true
        responseBytes -= min(missing, responseBytes)
        observer.finished(
            AccessRecord(
                serverName: serverName, tokenHint: tokenHint, requestID: requestID,
                externalID: externalID, method: method, path: path,
                status: status, requestBytes: requestBytes, responseBytes: responseBytes,
                timeToFirstByte: firstByte.map { Self.duration(from: started, to: $0) },
                duration: Self.duration(from: started, to: now), callerAddress: callerAddress,
                certificateName: certificateName, trace: trace, outcome: outcome, level: level),
            of: trace)
    }

    private static func duration(from start: NIODeadline, to end: NIODeadline) -> Duration {
        .nanoseconds((end - start).nanoseconds)
    }
}
