import HTTPMessage
import NIOCore
import Observability
import TunnelProtocol

/// What is known of one request: counted here alone, and told to the server's `RequestObserver` as it comes and at the end.
/// There is one of each: a copy would cost more than all that is counted.
struct RequestRecord: ~Copyable {
    let observer: RequestObserver
    private let started: NIODeadline
    /// What will be told of it.
    private var told: AccessRecord
    /// Whether it is one for a tunnel.
    private var isForTunnel = false
    /// When a session took it.
    private var taken: NIODeadline?
    private var firstByte: NIODeadline?
    /// As the tunnel client says, in microseconds.
    private var originTime: UInt32?
    private var isSilent = false
    private var isFinished = false

    /// - Parameter path: the target inside the tunnel: the caller's own may hold the token.
    init(
        observer: RequestObserver, serverName: String, tokenHint: String?, requestID: UInt64,
        externalID: String?, method: String, path: String, callerAddress: String, certificateName: String?,
        trace: RequestTrace? = nil, now: NIODeadline
    ) {
        self.observer = observer
        self.started = now
        self.told = AccessRecord(
            serverName: serverName, tokenHint: tokenHint, requestID: requestID, externalID: externalID,
            method: method, path: path, callerAddress: callerAddress, certificateName: certificateName,
            trace: trace, outcome: .ok)
    }

    var callerAddress: String { told.callerAddress }

    /// It is told of as one that is asked again and again.
    mutating func matters(_ level: AccessLevel) { told.level = level }

    /// Tells of the request on its way, where the log is text.
    func note(_ step: @autoclosure () -> AccessStep) {
        observer.note(step(), tokenHint: told.tokenHint, requestID: told.requestID)
    }

    /// It came, or is offered to another session.
    func noteArrival(xHost: @autoclosure () -> String?, attempt: Int) {
        note(
            .received(
                method: told.method, path: told.path, caller: told.callerAddress, xHost: xHost(),
                attempt: attempt))
    }

    func noteDeparture() { note(.sent(method: told.method, path: told.path)) }

    /// Says nothing: the request is told otherwise, with others of its kind.
    mutating func keepSilent() { isSilent = true }

    /// It is for another tunnel than it seemed.
    mutating func leads(to token: RendezvousToken) { told.tokenHint = token.hint }

    /// It is one for a tunnel.
    mutating func goesToTunnel() {
        isForTunnel = true
        observer.requestBegan()
    }

    /// It has no session, for now.
    mutating func looksForSession() { taken = nil }

    mutating func sessionTookIt(now: NIODeadline) { taken = now }

    /// So many more bytes of its body went into the tunnel.
    mutating func requestSent(_ bytes: Int) {
        told.requestBytes += bytes
        observer.requestBody(bytes)
    }

    /// So many more bytes of the answer's body came out of the tunnel.
    mutating func answerCame(_ bytes: Int) {
        told.responseBytes += bytes
        observer.responseBody(bytes)
    }

    /// The final head goes out.
    ///
    /// - Parameter originTime: as the tunnel client says, in microseconds.
    mutating func responded(_ status: Int, originTime: UInt32? = nil, now: NIODeadline) {
        told.status = status
        self.originTime = originTime
        firstByte = now
    }

    /// An answer of our own goes out, which no tunnel carried.
    mutating func responded(with answer: OwnAnswer, now: NIODeadline) {
        responded(answer.status, now: now)
        told.responseBytes += answer.textBytes
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
        told.responseBytes -= min(missing, told.responseBytes)
        told.outcome = outcome
        told.timing = timing(now)
        observer.finished(told, isTold: !isSilent)
    }

    private func timing(_ now: NIODeadline) -> RequestTiming {
        var timing = RequestTiming(
            whole: (now - started).nanoseconds, firstByte: firstByte.map { ($0 - started).nanoseconds })
        guard isForTunnel else { return timing }
        timing.queue = ((taken ?? firstByte ?? now) - started).nanoseconds
        timing.isRaw = told.status == 101
        if let taken, let firstByte, let originTime {
            timing.split((firstByte - taken).nanoseconds, originMicroseconds: originTime)
        }
        return timing
    }
}
