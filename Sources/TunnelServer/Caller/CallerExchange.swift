import HTTPMessage
import NIOCore
import Observability
import Synchronization
import TunnelProtocol
import TunnelTransport

/// One request of a caller and its answer, from the head to the last byte. Bound to the caller's event loop.
final class CallerExchange {
    private enum Phase {
        /// In the queue of a tunnel that is down or takes no more.
        case waiting(TunnelRegistry.Table.RequestID, Scheduled<Void>)
        /// A stream carries it.
        case attached(TunnelRegistry.Table.SessionID, any StreamPort)
        case over
    }

    /// How often a request that no session has looked at is offered to another.
    private static let mostAttempts = 3
    private static let headLimits = SessionLimits().headLimits

    private let core: ServerCore
    /// Those that the request began with.
    private let settings: ServerSettings
    private let loopIndex: Int
    private weak var connection: (any CallerConnection)?
    private let eventLoop: any EventLoop
    private let output: CallerOutput
    private let token: RendezvousToken
    private let request: RequestHead
    private let forwarding: Forwarding
    /// What the request may leave HTTP for.
    private let upgrade: UpgradeOffer
    private var response: ResponseWriter
    private var record: RequestRecord
    private var phase = Phase.over
    private var attempts = 0
    private var queueDeadline: NIODeadline?
    private var isRequestWhole: Bool
    private var hasSentBody = false
    private var canSend = true
    private var unreported = 0
    private var isAnswerWhole = false
    /// After the connection left HTTP: which direction has ended.
    private var isOutputOver = false
    private var isOriginOver = false
    /// When bytes last went either way, for the time limit.
    private(set) var lastProgress = NIODeadline.now()

    init(
        core: ServerCore, settings: ServerSettings, loopIndex: Int, connection: any CallerConnection,
        output: CallerOutput, token: RendezvousToken,
        request: RequestHead, forwarding: Forwarding, framing: BodyFraming, keepAlive: Bool,
        record: RequestRecord
    ) {
        self.core = core
        self.settings = settings
        self.loopIndex = loopIndex
        self.connection = connection
        self.eventLoop = connection.eventLoop
        self.output = output
        self.token = token
        self.request = request
        self.forwarding = forwarding
        self.upgrade = framing == .none ? request.upgradeOffer : UpgradeOffer()
        self.isRequestWhole = framing == .none
        self.response = ResponseWriter(request: request, keepAlive: keepAlive)
        self.record = record
    }

    // MARK: From the caller

    /// Whether request body (or raw bytes) may come.
    var takesBytes: Bool {
        if case .attached = phase { return canSend }
        return false
    }

    /// Looks for a session, or waits for one.
    func start() {
        attempts += 1
        if attempts == 1 { core.traffic.requestBegan() }
        record.noteArrival(xHost: request.fields[.xHost], attempt: attempts)
        let eventLoop = eventLoop
        let decision = core.registry.request(
            token, loop: loopIndex, caller: record.callerAddress, isListed: settings.lists(token)
        ) {
            WaitingCaller(self, eventLoop: eventLoop)
        }
        switch decision {
        case .send(let id, let session):
            attach(id, session.reference)
        case .wait(let id, let end):
            // The limit holds for all its waiting, also when a session that took it is lost.
            let deadline = queueDeadline ?? .now() + settings.queueTimeout
            queueDeadline = deadline
            wait(id, until: end.map { min(deadline, .uptimeNanoseconds($0.nanoseconds)) } ?? deadline)
            if core.isStopping { refuse(.stopping, .shutdown) }
        case .unknownToken:
            refuse(.tunnelNotFound, .noTunnel)
        case .tooManyWaiting:
            refuse(.tooManyWaiting, .noTunnel)
        }
    }

    func callerSent(_ bytes: ByteBuffer) {
        guard case .attached(_, let port) = phase else { return }
        lastProgress = .now()
        hasSentBody = true
        record.requestBytes += bytes.readableBytes
        core.traffic.requestBody(bytes.readableBytes)
        canSend = port.send(bytes)
    }

    func callerEndedRequest(trailers: HeaderFields?) {
        guard case .attached(_, let port) = phase, !isRequestWhole else { return }
        isRequestWhole = true
        port.finish(trailers: trailers?.trailerLines)
    }

    /// The caller closed its direction of a connection that left HTTP.
    func callerEndedOutput() {
        guard case .attached(_, let port) = phase, !isOutputOver else { return }
        isOutputOver = true
        port.finish(trailers: nil)
        endRawIfOver()
    }

    /// The caller is gone: the origin is told to stop.
    func callerLeft(_ outcome: AccessOutcome = .callerLeft) {
        leave(.cancelled)
        record.finish(outcome)
    }

    /// What was written has gone out to the caller.
    func connectionBecameWritable() {
        guard case .attached(_, let port) = phase else { return }
        port.consumed(unreported)
        unreported = 0
        if isAnswerWhole { answerIsWhole() }
    }

    /// Counts what has gone out, though more waits: a caller that is slow does not stand still.
    func streamReportsProgress() {
        guard case .attached(_, let port) = phase else { return }
        let gone = unreported - output.unsentBytes
        guard gone > 0 else { return }
        lastProgress = .now()
        unreported -= gone
        port.consumed(gone)
    }

    /// No byte came or went for the server's HTTP timeout, or the server stops.
    func abort(with refusal: Refusal, _ outcome: AccessOutcome) {
        leave(.cancelled)
        fail(refusal, outcome)
    }

    /// The server stops taking requests: those that wait would wait in vain.
    func serverStops() {
        if case .waiting = phase { refuse(.stopping, .shutdown) }
    }

    // MARK: From the registry

    func assigned(_ id: TunnelRegistry.Table.SessionID, _ session: SessionReference) {
        guard case .waiting(_, let timer) = phase else {
            // It gave up meanwhile; the place goes to the next.
            core.registry.streamEnded(token, id)
            return
        }
        timer.cancel()
        attach(id, session)
        if takesBytes { connection?.exchangeBecameWritable() }
    }

    private func wait(_ id: TunnelRegistry.Table.RequestID, until deadline: NIODeadline) {
        let timer = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.waitedTooLong() }
        phase = .waiting(id, timer)
    }

    /// For its tunnel, for room in it, or for anything to be heard of it.
    private func waitedTooLong() {
        guard case .waiting(let id, _) = phase else { return }
        let isTimeOver = queueDeadline.map { $0 <= .now() } ?? true
        if !isTimeOver, let queueDeadline, core.registry.hasSeen(token) {
            return wait(id, until: queueDeadline)
        }
        guard core.registry.abandon(token, id) else { return }
        phase = .over
        let reason: Refusal =
            !isTimeOver ? .tunnelNotFound : core.registry.isUp(token) ? .tunnelBusy : .tunnelTimeout
        fail(reason, .noTunnel)
    }

    private func attach(_ id: TunnelRegistry.Table.SessionID, _ session: SessionReference) {
        let port = session.open(
            head: forwarding.head(of: request, upgrade: upgrade),
            isLast: isRequestWhole && upgrade.isEmpty, receiver: self, on: eventLoop)
        guard let port else {
            core.registry.streamEnded(token, id)
            tryAgain()
            return
        }
        canSend = port.isTaken
        phase = .attached(id, port)
        record.noteDeparture()
    }

    /// No session has looked at the request yet, so another may have it.
    private func tryAgain() {
        phase = .over
        guard attempts < Self.mostAttempts else {
            fail(.tunnelBusy, .noTunnel)
            return
        }
        start()
        if takesBytes { connection?.exchangeBecameWritable() }
    }

    // MARK: Ends

    private func refuse(_ refusal: Refusal, _ outcome: AccessOutcome) {
        leave(.cancelled)
        fail(refusal, outcome)
    }

    /// Leaves queue or stream, and gives the place back.
    private func leave(_ code: ResetCode) {
        switch phase {
        case .waiting(let id, let timer):
            timer.cancel()
            _ = core.registry.abandon(token, id)
        case .attached(let id, let port):
            port.reset(code, reason: "")
            core.registry.streamEnded(token, id)
        case .over:
            break
        }
        phase = .over
    }

    /// The stream is over on its own.
    private func detach() {
        if case .attached(let id, let port) = phase {
            port.forget()
            core.registry.streamEnded(token, id)
        }
        phase = .over
    }

    /// An answer of our own if the head has not gone out, else a cut connection.
    private func fail(_ refusal: Refusal, _ outcome: AccessOutcome) {
        guard !response.hasBegun else {
            record.finish(outcome)
            connection?.exchangeBroke()
            return
        }
        let keepAlive = response.keepAlive && isRequestWhole && connection?.isLeaving == false
        let (bytes, bodyBytes) = refusal.encoded(closing: !keepAlive, method: request.method)
        record.responded(refusal.status)
        record.responseBytes += bodyBytes
        record.finish(outcome)
        output.write(bytes)
        output.flushNow()
        connection?.exchangeEnded(keepAlive: keepAlive)
    }

    private func originEndedRaw() {
        isOriginOver = true
        output.flushNow()
        connection?.exchangeEndedOutput()
        endRawIfOver()
    }

    private func endRawIfOver() {
        guard isOutputOver, isOriginOver else { return }
        detach()
        record.finish(.ok)
        connection?.exchangeEnded(keepAlive: false)
    }

    private func brokenAnswer() {
        leave(.malformedMessage)
        fail(.badAnswer, .tunnelLost)
    }

    private func answerIsWhole() {
        output.flushNow()
        isAnswerWhole = true
        // What a slow caller has not read lies in our memory: until then the stream counts as in use.
        guard output.isWritable || !isRequestWhole else { return }
        let keepAlive = response.keepAlive && isRequestWhole
        if isRequestWhole { detach() } else { leave(.noError) }
        record.finish(.ok)
        connection?.exchangeEnded(keepAlive: keepAlive)
    }
}

// MARK: - From the session

extension CallerExchange: StreamReceiver {
    func streamReceived(head bytes: ByteBuffer, isInterim: Bool, isLast: Bool) {
        guard case .attached(let session, _) = phase else { return }
        lastProgress = .now()
        if !isInterim { record.note(.answered(sessionID: session, bytes: bytes.readableBytes)) }
        do throws(HTTPMessageError) {
            let head = try ResponseHead(whole: bytes, limits: Self.headLimits)
            guard head.isInterim == isInterim else {
                throw HTTPMessageError(.malformed, "a head of another kind than it was said to be")
            }
            guard head.status != 101 || upgrade.allows(head.fields) && !isLast else {
                leave(.malformedMessage)
                return fail(.unaskedUpgrade, .originFailed)
            }
            // No credit holds interim heads back: a caller that does not read would make us keep them.
            guard !isInterim || output.isWritable else { return }
            if connection?.isLeaving == true { response.leave() }
            guard let answer = try response.begin(head, isLast: isLast) else { return }
            output.write(answer)
            if !isInterim { record.responded(head.status) }
            if head.status == 101 {
                output.flushNow()
                connection?.exchangeSwitchedProtocols()
            } else if isLast {
                answerIsWhole()
            } else {
                output.flushSoon()
            }
        } catch {
            brokenAnswer()
        }
    }

    func streamReceived(data: ByteBuffer, isLast: Bool) {
        guard case .attached(_, let port) = phase else { return }
        lastProgress = .now()
        let count = data.readableBytes
        guard response.accepts(count, isLast: isLast) else {
            brokenAnswer()
            return
        }
        record.responseBytes += count
        core.traffic.responseBody(count)
        response.write(data, isLast: isLast) { output.write($0) }
        if output.isWritable {
            port.consumed(count)
        } else {
            unreported += count
        }
        if !isLast {
            output.flushSoon()
        } else if response.isRaw {
            originEndedRaw()
        } else {
            answerIsWhole()
        }
    }

    func streamReceived(trailers bytes: ByteBuffer) {
        guard case .attached = phase else { return }
        guard response.accepts(0, isLast: true), !response.isRaw,
            let trailers = try? HeaderFields(trailerLines: bytes)
        else {
            brokenAnswer()
            return
        }
        response.writeEnd(trailers: trailers) { output.write($0) }
        answerIsWhole()
    }

    func streamWasReset(_ code: ResetCode, reason: String) {
        guard case .attached(let id, _) = phase, !isAnswerWhole else { return }
        phase = .over
        core.registry.streamEnded(token, id)
        switch code {
        case .refused where !hasSentBody && !response.hasBegun:
            tryAgain()
        case .originFailed:
            fail(.originFailed, .originFailed)
        case .malformedMessage:
            fail(.badAnswer, .originFailed)
        case .requestTooLarge:
            fail(.requestTooLarge, .callerFailed)
        case .upgradeUnsupported:
            fail(.upgradeUnsupported, .answeredHere)
        case .tooSlow:
            fail(.requestTooSlow, .callerFailed)
        default:
            fail(.tunnelLost, .tunnelLost)
        }
    }

    func streamBecameWritable() {
        guard case .attached = phase else { return }
        canSend = true
        connection?.exchangeBecameWritable()
    }
}
