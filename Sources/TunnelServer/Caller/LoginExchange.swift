import HTTPMessage
import HTTPServing
import NIOCore
import Observability
import Routing
import TunnelConfiguration

/// A request whose caller's password is being looked at. Once that is right it is the exchange that is behind it in all but
/// name; until then none of its body is taken.
final class LoginExchange: ServedExchange {
    /// What came of the look.
    enum Verdict {
        case isRight
        /// - Parameter isFirst: whether it was this request's to have it looked at.
        case isWrong(isFirst: Bool)
        case isBusy
    }

    private let desk: LoginDesk
    private let claim: PasswordClaim
    private let digest: LoginDigest
    private let address: AddressGroup
    private let eventLoop: any EventLoop
    private var stream: (any CallerStream)?
    /// What comes next; nil once it was asked.
    private var next: ((Verdict) -> RequestOutcome)?
    /// Tells the log of one that ends before.
    private let abandon: (AccessOutcome) -> Void
    private var isFirst = false
    private var inner: (any ServedExchange)?

    /// - Parameters:
    ///   - next: what comes of the request then; called once at most, on the stream's event loop.
    ///   - abandon: called in its place where the request ends before.
    init(
        _ desk: LoginDesk, _ claim: PasswordClaim, _ digest: LoginDigest, from address: AddressGroup,
        for stream: any CallerStream, abandon: @escaping (AccessOutcome) -> Void,
        next: @escaping (Verdict) -> RequestOutcome
    ) {
        self.desk = desk
        self.claim = claim
        self.digest = digest
        self.address = address
        self.eventLoop = stream.eventLoop
        self.stream = stream
        self.next = next
        self.abandon = abandon
    }

    var takesBytes: Bool { inner?.takesBytes ?? false }

    func start() {
        let waiter = LoginDesk.Waiter(
            eventLoop: eventLoop, exchange: NIOLoopBound(self, eventLoop: eventLoop))
        switch desk.look(at: claim, digest, from: address, waiter) {
        case .isRight: goOn(.isRight)
        case .look: isFirst = true
        case .waits: break
        case .isBusy: goOn(.isBusy)
        }
    }

    /// Called on its event loop, unless it was not to wait.
    func wasLookedAt(isRight: Bool) { goOn(isRight ? .isRight : .isWrong(isFirst: isFirst)) }

    private func goOn(_ verdict: Verdict) {
        guard let stream, let next else { return }
        self.next = nil
        switch next(verdict) {
        case .answer(let answer, let closes):
            self.stream = nil
            stream.send(answer, closes: closes)
            stream.exchangeEnded()
        case .exchange(let inner):
            self.inner = inner
            inner.start()
            if inner.takesBytes { stream.requestMayFlow() }
        case .upgrade:
            // Tunnel clients do not log in.
            end(.shutdown)
            stream.exchangeBroke(isWhole: false)
        }
    }

    private func end(_ outcome: AccessOutcome) {
        if next != nil { abandon(outcome) }
        next = nil
        stream = nil
    }

    // MARK: From the caller

    func callerSent(_ bytes: ByteBuffer) { inner?.callerSent(bytes) }

    func callerEndedRequest(trailers: HeaderFields?) { inner?.callerEndedRequest(trailers: trailers) }

    func callerEndedRaw() { inner?.callerEndedRaw() }

    func callerBrokeRules(_ error: HTTPMessageError) {
        guard let inner else { return cutShort() }
        inner.callerBrokeRules(error)
    }

    func callerLeft() {
        guard let inner else { return end(.callerLeft) }
        inner.callerLeft()
    }

    func callerBecameWritable() { inner?.callerBecameWritable() }

    func answerIsOut(missing: Int) { inner?.answerIsOut(missing: missing) }

    func serverStops() { inner?.serverStops() }

    func cutShort() {
        guard inner == nil else {
            inner?.cutShort()
            return
        }
        let stream = stream
        end(.shutdown)
        stream?.exchangeBroke(isWhole: false)
    }

    func checkTime() { inner?.checkTime() }
}
