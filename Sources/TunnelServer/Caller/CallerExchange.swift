import HTTPMessage
import NIOCore
import Observability
import Synchronization
import TunnelProtocol
import TunnelTransport

/// One request of a caller and its answer, from the head to the last byte. Bound to the caller's event loop.
final class CallerExchange {
    enum Phase {
        /// In the queue of a tunnel that is down or takes no more.
        case waiting(TunnelRegistry.Table.RequestID, Scheduled<Void>)
        /// A stream carries it.
        case attached(TunnelRegistry.Table.SessionID, any StreamPort)
        case over
    }

    /// How often a request that no session has looked at is offered to another.
    private static let mostAttempts = 3
    /// How much of a request whose answer is whole already is taken, so that the connection can go on.
    private static let mostRest = 64 << 10
    private static let headLimits = SessionLimits().headLimits

    let core: ServerCore
    /// Those that the request began with.
    private let settings: ServerSettings
    private let loopIndex: Int
    weak var connection: (any CallerConnection)?
    let eventLoop: any EventLoop
    private let output: CallerOutput
    let token: RendezvousToken
    private let request: RequestHead
    private let forwarding: Forwarding
    /// What the request may leave HTTP for.
    private let upgrade: UpgradeOffer
    private var response: ResponseEncoder
    /// What the final head promised, once it has gone out.
    private var length: AnswerLength?
    private var record: RequestRecord
    var phase = Phase.over
    private var attempts = 0
    var queueDeadline: NIODeadline?
    /// As announced; nil where only its end tells.
    private let requestLength: Int?
    private var isRequestWhole: Bool
    private var hasSentBody = false
    private var canSend = true
    private var unreported = 0
    private var isAnswerWhole = false
    /// After the connection left HTTP: which direction has ended.
    private var isOutputOver = false
    private var isOriginOver = false
    /// When bytes last went either way, for the time limit.
    private(set) var lastProgress: NIODeadline

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
        self.requestLength = if case .length(let length) = framing { length } else { nil }
        self.response = ResponseEncoder(request.version, keepAlive: keepAlive)
        self.lastProgress = eventLoop.now
        self.record = record
    }

    /// Whether request body (or raw bytes) may come.
    var takesBytes: Bool {
        if case .attached = phase { return canSend }
        return false
    }

    /// Whether its answer has said that the connection may be used again.
    var hasPromisedToStay: Bool { response.hasBegun && response.keepAlive }

    /// Looks for a session, or waits for one.
    func start() {
        attempts += 1
        if attempts == 1 { core.traffic.requestBegan() }
        let eventLoop = eventLoop
        let decision = core.registry.request(
            token, loop: loopIndex, caller: record.callerAddress, isListed: settings.lists(token)
        ) {
            WaitingCaller(self, eventLoop: eventLoop)
        }
        // A token that the configuration names is none, though its tunnel has not come yet.
        let isGuess = if case .unknownToken = decision { !settings.lists(token) } else { false }
        if isGuess, core.isOneGuessTooMany(from: record.callerAddress) {
            record.keepSilent()
            response.leave()
            return abort(with: .tooManyGuesses, .noTunnel)
        }
        record.noteArrival(xHost: request.fields[.xHost], attempt: attempts)
        switch decision {
        case .send(let id, let session):
            attach(id, session.reference)
        case .wait(let id, let end):
            // The limit holds for all its waiting, also when a session that took it is lost.
            let deadline = queueDeadline ?? eventLoop.now + settings.queueTimeout
            queueDeadline = deadline
            wait(id, until: end.map { min(deadline, .uptimeNanoseconds($0.nanoseconds)) } ?? deadline)
            if core.isStopping { abort(with: .stopping, .shutdown) }
        case .unknownToken:
            abort(with: .tunnelNotFound, .noTunnel)
        case .tooManyWaiting:
            abort(with: .tooManyWaiting, .noTunnel)
        }
    }

    func callerSent(_ bytes: ByteBuffer) {
        guard case .attached(_, let port) = phase else { return }
        lastProgress = eventLoop.now
        hasSentBody = true
        record.requestBytes += bytes.readableBytes
        core.traffic.requestBody(bytes.readableBytes)
        canSend = port.send(bytes)
    }

    func callerEndedRequest(trailers: HeaderFields?) {
        guard case .attached(_, let port) = phase, !isRequestWhole else { return }
        isRequestWhole = true
        port.finish(trailers: trailers.map { forwarding.lines(ofTrailers: $0) })
    }

    /// The caller closed its direction of a connection that left HTTP.
    func callerEndedOutput() {
        guard case .attached(_, let port) = phase, !isOutputOver else { return }
        isOutputOver = true
        port.finish(trailers: nil)
        endRawIfOver()
    }

    /// The caller is gone: the origin is told to stop.
    ///
    /// - Parameter missing: bytes that were written, and did not go out.
    func callerLeft(_ outcome: AccessOutcome = .callerLeft, missing: Int = 0) {
        leave(.cancelled)
        record.finish(outcome, missing: missing, now: eventLoop.now)
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
        let gone = unreported - output.waiting
        guard gone > 0 else { return }
        lastProgress = eventLoop.now
        unreported -= gone
        port.consumed(gone)
    }

    /// No byte came or went for the server's HTTP timeout, the caller broke the rules, or the server stops.
    func abort(with refusal: Refusal, _ outcome: AccessOutcome) {
        leave(.cancelled)
        fail(refusal, outcome)
    }

    /// The caller takes what was written, though nothing comes or goes otherwise.
    func noteProgress() { lastProgress = eventLoop.now }

    func attach(_ id: TunnelRegistry.Table.SessionID, _ session: SessionReference) {
        let port = session.open(
            head: forwarding.head(of: request, upgrade: upgrade),
            isLast: isRequestWhole && upgrade.isEmpty, receiver: self, on: eventLoop)
        guard let port else {
            core.registry.streamEnded(id)
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

    /// Leaves queue or stream, and gives the place back.
    private func leave(_ code: ResetCode) {
        switch phase {
        case .waiting(let id, let timer):
            timer.cancel()
            _ = core.registry.abandon(token, id)
        case .attached(let id, let port):
            port.reset(code, reason: "")
            core.registry.streamEnded(id)
        case .over:
            break
        }
        phase = .over
    }

    /// The stream is over on its own.
    private func detach() {
        if case .attached(let id, let port) = phase {
            port.forget()
            core.registry.streamEnded(id)
        }
        phase = .over
    }

    /// An answer of our own if the head has not gone out, else a cut connection.
    func fail(_ refusal: Refusal, _ outcome: AccessOutcome) {
        guard !response.hasBegun else { return breakOff(outcome) }
        let keepAlive =
            response.keepAlive && (isRequestWhole || isRestSmall) && connection?.isLeaving == false
        let (bytes, bodyBytes) = refusal.encoded(
            closing: !keepAlive, method: request.method, date: output.date.text)
        record.responded(refusal.status, now: eventLoop.now)
        record.responseBytes += bodyBytes
        record.finish(outcome, now: eventLoop.now)
        output.write(bytes)
        output.flushNow()
        connection?.exchangeEnded(keepAlive: keepAlive, isDelimited: true)
    }

    /// The line of the log is written once it is known what the caller got.
    private func breakOff(_ outcome: AccessOutcome) {
        guard let connection else { return record.finish(outcome, now: eventLoop.now) }
        connection.exchangeBroke(isWhole: isAnswerWhole, isDelimited: response.isDelimited) {
            self.record.finish(outcome, missing: $0, now: self.eventLoop.now)
        }
    }

    /// Whether the connection can go on although the answer comes before the end of the request. Who waits to be told
    /// to send it may or may not do so now (RFC 9110 §10.1.1).
    private var isRestSmall: Bool {
        guard let requestLength, !request.fields.contains(.expect) else { return false }
        return requestLength - record.requestBytes <= Self.mostRest
    }

    private var isRaw: Bool { length?.isRaw == true }

    private func originEndedRaw() {
        isOriginOver = true
        output.flushNow()
        connection?.exchangeEndedOutput()
        endRawIfOver()
    }

    private func endRawIfOver() {
        guard isOutputOver, isOriginOver else { return }
        detach()
        record.finish(.ok, now: eventLoop.now)
        connection?.exchangeEnded(keepAlive: false, isDelimited: false)
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
        if isRequestWhole { detach() } else { leave(.noError) }
        record.finish(.ok, now: eventLoop.now)
        connection?.exchangeEnded(keepAlive: response.keepAlive, isDelimited: response.isDelimited)
    }
}

extension CallerExchange: StreamReceiver {
    func streamReceived(head bytes: ByteBuffer, isInterim: Bool, isLast: Bool) {
        guard case .attached(let session, _) = phase else { return }
        lastProgress = eventLoop.now
        if !isInterim { record.note(.answered(sessionID: session, bytes: bytes.readableBytes)) }
        do throws(HTTPMessageError) {
            var head = try ResponseHead(whole: bytes, limits: Self.headLimits)
            guard head.isInterim == isInterim else {
                throw HTTPMessageError(.malformed, "a head of another kind than it was said to be")
            }
            guard head.status != 101 || upgrade.allows(head.fields) else {
                leave(.malformedMessage)
                return fail(.unaskedUpgrade, .originFailed)
            }
            guard head.status != 101 || !isLast else {
                throw HTTPMessageError(.malformed, "an upgrade with nothing behind it")
            }
            // No credit holds interim heads back: a caller that does not read would make us keep them.
            guard !isInterim || output.isWritable else { return }
            let isEarly = !isInterim && !isRequestWhole && !isRestSmall
            if isEarly || connection?.isLeaving == true { response.leave() }
            guard length == nil else { throw HTTPMessageError(.malformed, "a second final head") }
            let upgrade = head.status == 101 ? head.fields[.upgrade] : nil
            head.fields.removeHopByHop()
            guard !isInterim else {
                head.removeForbiddenLength()
                if let interim = response.interim(head) { output.write(interim) }
                return output.flushSoon()
            }
            let length = try AnswerLength(settling: &head, toMethod: request.method, isLast: isLast)
            self.length = length
            record.responded(head.status, now: eventLoop.now)
            if let upgrade {
                output.write(response.switchProtocols(head, to: upgrade))
                output.flushNow()
                return connection?.exchangeSwitchedProtocols() ?? ()
            }
            output.write(response.begin(head, length, date: output.date.text))
            if isLast {
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
        lastProgress = eventLoop.now
        let count = data.readableBytes
        guard length?.accepts(count, isLast: isLast) == true else {
            brokenAnswer()
            return
        }
        length?.took(count)
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
        } else if isRaw {
            originEndedRaw()
        } else {
            answerIsWhole()
        }
    }

    func streamReceived(trailers bytes: ByteBuffer) {
        guard case .attached = phase else { return }
        guard length?.accepts(0, isLast: true) == true, !isRaw,
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
        core.registry.streamEnded(id)
        switch code {
        case .refused where !hasSentBody && !response.hasBegun:
            tryAgain()
        case .originFailed: fail(.originFailed, .originFailed)
        case .malformedMessage: fail(.badAnswer, .originFailed)
        case .requestTooLarge: fail(.requestTooLarge, .callerFailed)
        case .upgradeUnsupported: fail(.upgradeUnsupported, .answeredHere)
        case .tooSlow: fail(.requestTooSlow, .callerFailed)
        default:
            if core.isOver { fail(.cutShort, .shutdown) } else { fail(.tunnelLost, .tunnelLost) }
        }
    }

    func streamBecameWritable() {
        guard case .attached = phase else { return }
        canSend = true
        connection?.exchangeBecameWritable()
    }
}
