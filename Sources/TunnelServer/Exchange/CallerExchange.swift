import HTTPMessage
import HTTPServing
import NIOCore
import Observability
import Routing
import TunnelProtocol
import TunnelTransport

/// One request of a caller and its answer, from the head to the last byte: carries out what its `ExchangeMachine` decides,
/// on a session's stream and the caller's. Bound to the caller's event loop.
final class CallerExchange: ServedExchange {
    /// What it holds of its tunnel.
    enum Place {
        case none
        case queued(TunnelRegistry.Table.RequestID)
        /// A session has room for it.
        case offered(TunnelRegistry.Table.SessionID)
        /// A stream carries it.
        case attached(TunnelRegistry.Table.SessionID, any StreamPort)
    }

    static let headLimits = SessionLimits().headLimits

    let core: ServerCore
    /// Those that the request began with.
    let settings: ServerSettings
    private let loopIndex: Int
    let eventLoop: any EventLoop
    let stream: any CallerStream
    private var token: RendezvousToken
    let request: RequestHead
    /// Nil for a connection that is no request of its own: `request` asks for a raw stream, and goes as it is.
    var forwarding: CallerForwarding?
    /// Whether it was a name that led it to its tunnel: that may lead to another one while it waits.
    private let isNamed: Bool
    /// What becomes of the answer's fields, if anything.
    let rewriting: FieldRewriting?
    private let maximumBody: Int?
    /// Bytes of the body that may still come.
    private var bodyLeft: Int
    /// What the request may leave HTTP for.
    let upgrade: UpgradeOffer
    var machine: ExchangeMachine
    var place = Place.none
    var record: RequestRecord
    /// Its place where limits are meant for it.
    private(set) var pass: RequestPass?
    /// While it lets no bytes pass.
    var hold: Hold?
    /// Where its body may not come too slowly, from when on it may come.
    var bodyClock: BodyClock?
    /// The record's: to ask a record that may change would copy it.
    let observer: RequestObserver
    /// Whether the log is told of each step of the way; a reload may change that while a request waits.
    var tellsSteps: Bool { observer.wantsSteps }

    /// - Parameters:
    ///   - isNamed: whether it was a name that led it to its tunnel.
    ///   - request: its target freed of the token.
    ///   - forwarding: nil for a request that is ours, for a raw stream.
    ///   - framing: of the request's body.
    ///   - terms: on which it was let in.
    ///   - idle: how long both raw directions may be silent; nil for any time.
    init(
        core: ServerCore, settings: ServerSettings, loopIndex: Int, stream: any CallerStream,
        token: RendezvousToken, isNamed: Bool = false, request: RequestHead, forwarding: CallerForwarding?,
        framing: BodyFraming, terms: CallerTerms = CallerTerms(), record: consuming RequestRecord,
        idle: TimeAmount? = nil, pass: RequestPass? = nil
    ) {
        let eventLoop = stream.eventLoop
        self.upgrade = framing == .none ? request.upgradeOffer : UpgradeOffer()
        self.core = core
        self.settings = settings
        self.loopIndex = loopIndex
        self.eventLoop = eventLoop
        self.stream = stream
        self.token = token
        self.isNamed = isNamed
        self.request = request
        self.forwarding = forwarding
        self.rewriting = terms.rewriting
        self.maximumBody = terms.maximumBody
        self.bodyLeft = terms.maximumBody ?? .max
        self.machine = ExchangeMachine(
            isRequestWhole: framing == .none,
            ExchangePatience.Limits(
                queue: settings.times.queue, stalled: settings.times.stall, idle: idle),
            now: eventLoop.now)
        self.observer = record.observer
        self.record = record
        self.pass = pass
    }

    // MARK: From the caller

    var takesBytes: Bool { machine.takesBytes && hold == nil }

    /// Looks for a session, or waits for one.
    func start() {
        record.goesToTunnel()
        checkTime()
        look()
    }

    func callerSent(_ bytes: ByteBuffer) {
        guard case .attached(_, let port) = place else { return }
        let count = bytes.readableBytes
        if !machine.isRequestWhole {
            bodyLeft -= count
            guard bodyLeft >= 0 else {
                return perform(machine.fail(.bodyTooLarge(limit: maximumBody ?? .max)))
            }
        }
        record.requestSent(count)
        let takesMore = port.send(bytes)
        machine.requestSent(count, takesMore: takesMore, now: eventLoop.now)
        if pass != nil { bytesPass(count) }
        if bodyClock != nil { bodyCame(count) }
        if pass != nil { endWhereOverdrawn() }
    }

    func callerEndedRequest(trailers: HeaderFields?) {
        perform(machine.requestEnded(), trailers: trailers.flatMap { forwarding?.lines(ofTrailers: $0) })
    }

    func callerEndedRaw() { perform(machine.rawRequestEnded()) }

    /// The origin is told to stop.
    func callerLeft() { perform(machine.callerLeft()) }

    func callerBecameWritable() {
        if hold == nil { perform(machine.becameWritable()) }
    }

    func answerIsOut(missing: Int) { perform(machine.answerIsOut(missing: missing)) }

    func callerBrokeRules(_ error: HTTPMessageError) { perform(machine.fail(.malformedRequest(error))) }

    func cutShort() { perform(machine.fail(.cutShort)) }

    func serverStops() { perform(machine.serverStops()) }

    // MARK: Time

    func checkTime() {
        streamReportsProgress()
        let now = eventLoop.now
        if bodyClock != nil, isBodyTooSlow() { return perform(machine.fail(.bodyTooSlow)) }
        if let hold { return stream.ring(by: hold.until) }
        switch machine.due(now) {
        case .nothing(let deadline): stream.ring(by: deadline)
        case .waitedTooLong: waitedTooLong(now)
        case .stalled:
            perform(machine.stalled(undelivered: stream.undelivered, waiting: stream.waiting, now: now))
        }
    }

    /// For its tunnel, for room in it, or for anything to be heard of it.
    private func waitedTooLong(_ now: NIODeadline) {
        guard case .queued(let id) = place else { return }
        if machine.waitsOn(isKnown: core.registry.hasSeen(token), now: now) { return checkTime() }
        guard core.registry.abandon(token, id) else {
            machine.waitsForAssignment()
            return checkTime()
        }
        place = .none
        perform(machine.waitedTooLong(isUp: core.registry.isUp(token), now: now))
    }

    // MARK: The way to a session

    private func look() {
        record.looksForSession()
        let eventLoop = eventLoop
        let decision = core.registry.request(
            token, loop: loopIndex, caller: record.callerAddress, isListed: settings.lists(token)
        ) {
            WaitingCaller(self, eventLoop: eventLoop)
        }
        // A token that the configuration names is none, though its tunnel has not come yet.
        let isGuess = if case .unknownToken = decision { !settings.lists(token) } else { false }
        if isGuess, core.isOneGuessTooMany(token.secret, from: record.callerAddress) {
            record.keepSilent()
            return found(.failed(.tooManyGuesses))
        }
        if tellsSteps {
            record.noteArrival(xHost: request.fields[.xHost], attempt: machine.attempts)
        }
        switch decision {
        case .send(let id, let session):
            open(id, session.reference)
        case .wait(let id, let end):
            place = .queued(id)
            found(.queued(until: end.map { .uptimeNanoseconds($0.nanoseconds) }))
            // It may have moved since it was looked up.
            nameMoved()
        case .unknownToken:
            found(.failed(.tunnelUnknown))
        case .tooManyWaiting:
            found(.failed(.tooManyWaiting))
        }
    }

    private func found(_ finding: ExchangeMachine.Finding) {
        perform(machine.found(finding, isStopping: core.isStopping, now: eventLoop.now))
    }

    /// A session has room for a request that waits.
    func assigned(_ id: TunnelRegistry.Table.SessionID, _ session: SessionReference) {
        // If it gave up meanwhile, the place goes to the next.
        guard machine.assigned() else { return core.registry.streamEnded(id) }
        open(id, session)
        if takesBytes { stream.requestMayFlow() }
    }

    /// The name that led here may lead to another tunnel now: while it waits it goes there.
    func nameMoved() {
        guard isNamed, case .queued(let id) = place else { return }
        // A route holds for those by which it was found.
        let settings = core.settings
        guard let route = settings.routes.route(named: request, claimed: core.hosts.owner),
            route.token != token
        else { return }
        // It was held to other rules. Who has to log in, say, sends it again.
        guard settings.access.alsoLetsIn(request, to: route.token, from: record.callerAddress) else {
            return perform(machine.fail(.tunnelBusy))
        }
        guard core.registry.abandon(token, id), machine.assigned() else { return }
        place = .none
        token = route.token
        forwarding = forwarding?.leading(to: token.secret)
        record.leads(to: token)
        guard takesPlaceAnew(route, settings) else { return perform(machine.fail(.tunnelBusy)) }
        look()
        if takesBytes { stream.requestMayFlow() }
    }

    /// Its token is another one: its limits hold now, and count it.
    ///
    /// - Returns: false where it would be one too many.
    private func takesPlaceAnew(_ route: Route, _ settings: ServerSettings) -> Bool {
        pass?.leave()
        pass = nil
        let address = record.callerAddress
        do throws(Refusal) {
            pass = try core.meter.admit(
                settings.limitedParties(route, request.fields, from: address), of: token, from: address,
                settings.callerLimits)
            return true
        } catch {
            return false
        }
    }

    private func open(_ id: TunnelRegistry.Table.SessionID, _ session: SessionReference) {
        place = .offered(id)
        guard forwarding != nil || session.takesRawStreams else {
            return perform(machine.sessionCannotCarryIt())
        }
        let port = session.open(
            head: openingHead,
            isLast: machine.isRequestWhole && upgrade.isEmpty, receiver: self, on: eventLoop)
        guard let port else { return perform(machine.wasNotOpened()) }
        place = .attached(id, port)
        record.sessionTookIt(now: eventLoop.now)
        machine.opened(takesBytes: port.isTaken)
        bodyBegins()
        if tellsSteps { record.noteDeparture() }
    }

    private var openingHead: ByteBuffer {
        if let forwarding { return forwarding.head(of: request, upgrade: upgrade) }
        var head = ByteBuffer()
        head.writeRequestHead(request)
        return head
    }

    /// Bytes may pass again.
    func goOnAfterHold() {
        machine.wasHeld(now: eventLoop.now)
        if stream.isWritable { perform(machine.becameWritable()) }
        if takesBytes { stream.requestMayFlow() }
        checkTime()
    }

    var isRequestWhole: Bool { machine.isRequestWhole }

    private func giveBackPlace() {
        switch place {
        case .none, .queued: break
        case .offered(let id), .attached(let id, _):
            place = .none
            core.registry.streamEnded(id)
        }
    }

    // MARK: Actions

    func perform(_ actions: ExchangeActions, trailers: ByteBuffer? = nil) {
        if actions.consumed > 0, case .attached(_, let port) = place { port.consumed(actions.consumed) }
        perform(actions.tunnel, trailers: trailers)
        perform(actions.caller)
    }

    private func perform(_ action: ExchangeActions.Tunnel, trailers: ByteBuffer?) {
        switch (action, place) {
        case (.none, _): return
        case (.leaveQueue, .queued(let id)):
            place = .none
            _ = core.registry.abandon(token, id)
            return
        case (.finish, .attached(_, let port)):
            port.finish(trailers: trailers)
            return
        case (.finishAndForget, .attached(_, let port)):
            port.finish(trailers: nil)
            port.forget()
        case (.forget, .attached(_, let port)): port.forget()
        case (.reset(let code), .attached(_, let port)): port.reset(code, reason: "")
        default: break
        }
        giveBackPlace()
        guard case .lookAgain = action else { return }
        look()
        if takesBytes { stream.requestMayFlow() }
    }

    private func perform(_ action: ExchangeActions.Caller) {
        switch action {
        case .none, .pass: break
        case .resume: stream.requestMayFlow()
        case .ring(let deadline): stream.ring(by: deadline)
        case .end:
            finish(.ok)
            stream.exchangeEnded()
        case .endRawOutput(let isLast):
            stream.endRawOutput()
            if isLast { perform(.end) }
        case .answer(let failure): answer(failure)
        case .cut(let isWhole): stream.exchangeBroke(isWhole: isWhole)
        case .giveUp(let missing):
            finish(.timeout, missing: missing)
            stream.exchangeGaveUp()
        case .finish(let outcome, let missing):
            finish(outcome, missing: missing)
        }
    }

    private func answer(_ failure: ExchangeFailure) {
        let refusal = failure.refusal
        if failure == .noRawStreams || failure == .noRawOrigin {
            core.tell(
                "A tunnel carries no TCP", refusal, from: record.callerAddress, tokenHint: token.hint)
        }
        observer.refused(refusal.code)
        if stream.speaksHTTP { record.responded(with: refusal.answer, now: eventLoop.now) }
        pass?.leave()
        stream.send(refusal.answer.spoken(to: request.fields), closes: failure == .tooManyGuesses)
        finish(failure.outcome)
        stream.exchangeEnded()
    }

    private func finish(_ outcome: AccessOutcome, missing: Int = 0) {
        if pass != nil || bodyClock != nil { endLimits() }
        record.finish(outcome, missing: missing, now: eventLoop.now)
    }

    /// What was to be passed on has been written.
    func wrote(_ count: Int, isLast: Bool) {
        perform(machine.wrote(count, isLast: isLast, isWritable: hold == nil && stream.isWritable))
    }
}
