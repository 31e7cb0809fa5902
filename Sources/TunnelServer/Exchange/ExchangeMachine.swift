import HTTPServing
import NIOCore
import Observability
import TunnelProtocol

/// What becomes of one request of a caller and its answer: decided here, done by `CallerExchange`, in the order in which
/// the actions come back. No I/O, no clock, and nothing of the version of HTTP that the caller speaks.
struct ExchangeMachine: Sendable {
    /// How often a request that no session has looked at is offered to another.
    static let mostAttempts = 3

    enum State {
        /// A session is asked for. Next: waiting, attached, over.
        case looking
        /// In the queue of a tunnel that is down or takes no more. Next: looking, over.
        case waiting(until: NIODeadline)
        /// A stream carries it. Next: looking, cut, over.
        case attached(Attached)
        /// The answer broke off; how much of it goes out is to be told. Next: over.
        case cut(AccessOutcome)
        case over
    }

    struct Attached {
        var answer = Answer.none
        /// Whether the session takes bytes now.
        var takesBytes: Bool
        /// Bytes of the answer that wait for the caller: their credit is not given back yet.
        var unreported = 0
    }

    /// The answer, or what comes from the origin after an upgrade.
    enum Answer {
        case none
        /// The final head has gone out.
        case begun(AnswerLength)
        /// All is written; the caller has not taken all of it.
        case whole
        case raw
        case rawEnded
    }

    /// The request, or what comes from the caller after an upgrade.
    private enum Request {
        /// - Parameter sent: bytes of its body that went into a session.
        case body(sent: Int)
        case whole(sent: Int)
        case raw
        case rawEnded
    }

    /// What the registry says to who asks for a session and gets none.
    enum Finding: Hashable {
        /// - Parameter end: when the token is unknown after all, unless it was seen by then.
        case queued(until: NIODeadline?)
        case failed(ExchangeFailure)
    }

    private(set) var state = State.looking
    private var request: Request
    var patience: ExchangePatience
    /// How often a session was asked for.
    private(set) var attempts = 1

    /// - Parameter isRequestWhole: it has no body.
    init(isRequestWhole: Bool, _ limits: ExchangePatience.Limits, now: NIODeadline) {
        self.request = isRequestWhole ? .whole(sent: 0) : .body(sent: 0)
        self.patience = ExchangePatience(limits, now: now)
    }

    /// Whether bytes of the request (or raw ones) may come.
    var takesBytes: Bool {
        if case .attached(let attached) = state { return attached.takesBytes }
        return false
    }

    var isRequestWhole: Bool {
        if case .body = request { return false }
        return true
    }

    // MARK: A session is looked for

    /// No session has room now. `opened` is what tells that one has.
    mutating func found(_ finding: Finding, isStopping: Bool, now: NIODeadline) -> ExchangeActions {
        guard case .looking = state else { return ExchangeActions() }
        switch finding {
        case .failed(let failure):
            return fail(failure)
        case .queued(let end):
            let limit = patience.queue(now: now)
            let deadline = min(limit, end ?? limit)
            state = .waiting(until: deadline)
            return isStopping ? fail(.stopping) : ExchangeActions(caller: .ring(by: deadline))
        }
    }

    /// A session has room for one that waits, or its name leads to another tunnel: it is opened, or looked for, next.
    ///
    /// - Returns: false when it has given up meanwhile; the place is another's.
    mutating func assigned() -> Bool {
        guard case .waiting = state else { return false }
        state = .looking
        return true
    }

    /// - Parameter takesBytes: whether the session has taken the stream, and bytes for it.
    mutating func opened(takesBytes: Bool) {
        guard case .looking = state else { return }
        state = .attached(Attached(takesBytes: takesBytes))
    }

    /// The session takes no streams after all.
    mutating func wasNotOpened() -> ExchangeActions {
        guard case .looking = state else { return ExchangeActions() }
        return lookAgain()
    }

    /// The session that has room cannot carry it: its client knows no raw streams. Another may.
    mutating func sessionCannotCarryIt() -> ExchangeActions {
        guard case .looking = state else { return ExchangeActions() }
        return lookAgain(or: .noRawStreams)
    }

    private mutating func lookAgain(or failure: ExchangeFailure = .tunnelBusy) -> ExchangeActions {
        guard attempts < Self.mostAttempts else { return fail(failure, tunnel: .release) }
        attempts += 1
        state = .looking
        return ExchangeActions(tunnel: .lookAgain)
    }

    /// The server takes no requests any more: those that wait would wait in vain.
    mutating func serverStops() -> ExchangeActions {
        guard case .waiting = state else { return ExchangeActions() }
        return fail(.stopping)
    }

    // MARK: From the caller

    /// Bytes of its body came, or raw ones: they go to the session.
    mutating func requestSent(_ count: Int, takesMore: Bool, now: NIODeadline) {
        guard case .attached(var attached) = state else { return }
        attached.takesBytes = takesMore
        state = .attached(attached)
        patience.progressed(now)
        if case .body(let sent) = request { request = .body(sent: sent + count) }
    }

    mutating func requestEnded() -> ExchangeActions {
        guard case .attached = state, case .body(let sent) = request else { return ExchangeActions() }
        request = .whole(sent: sent)
        return ExchangeActions(tunnel: .finish)
    }

    /// The caller closed its direction after an upgrade.
    mutating func rawRequestEnded() -> ExchangeActions {
        guard case .attached(let attached) = state, case .raw = request else { return ExchangeActions() }
        request = .rawEnded
        guard case .rawEnded = attached.answer else { return ExchangeActions(tunnel: .finish) }
        state = .over
        return ExchangeActions(tunnel: .finishAndForget, caller: .end)
    }

    /// What was written has gone out to the caller.
    mutating func becameWritable() -> ExchangeActions {
        guard case .attached(var attached) = state else { return ExchangeActions() }
        let consumed = attached.unreported
        attached.unreported = 0
        state = .attached(attached)
        guard case .whole = attached.answer else { return ExchangeActions(consumed: consumed) }
        return end(consumed: consumed)
    }

    /// Counts what has gone out, though more waits: a caller that is slow does not stand still.
    ///
    /// - Parameter waiting: bytes that wait in this process.
    mutating func callerTook(allBut waiting: Int, now: NIODeadline) -> ExchangeActions {
        guard case .attached(var attached) = state, attached.unreported > waiting else {
            return ExchangeActions()
        }
        let gone = attached.unreported - waiting
        attached.unreported = waiting
        state = .attached(attached)
        patience.progressed(now)
        return ExchangeActions(consumed: gone)
    }

    /// The caller is gone: the origin is told to stop.
    mutating func callerLeft() -> ExchangeActions {
        let tunnel = leaving(.cancelled)
        state = .over
        return ExchangeActions(tunnel: tunnel, caller: .finish(.callerLeft, missing: 0))
    }

    /// All that there will be of a broken answer has gone out, but for so much.
    mutating func answerIsOut(missing: Int) -> ExchangeActions {
        guard case .cut(let outcome) = state else { return ExchangeActions() }
        state = .over
        return ExchangeActions(caller: .finish(outcome, missing: missing))
    }

    // MARK: From the session

    /// - Parameter isWritable: whether the caller keeps up: no credit holds interim heads back, and one that does not
    ///   read would make us keep them.
    mutating func interimHeadCame(isWritable: Bool, now: NIODeadline) -> ExchangeActions {
        guard case .attached(let attached) = state else { return ExchangeActions() }
        patience.progressed(now)
        guard case .none = attached.answer else { return fail(.brokenAnswer) }
        return ExchangeActions(caller: isWritable ? .pass : .none)
    }

    /// - Parameter isLast: nothing follows.
    mutating func headCame(_ length: AnswerLength, isLast: Bool, now: NIODeadline) -> ExchangeActions {
        guard case .attached(var attached) = state else { return ExchangeActions() }
        patience.progressed(now)
        // An upgrade with nothing behind it is none.
        guard case .none = attached.answer, !(length.isRaw && isLast) else { return fail(.brokenAnswer) }
        attached.answer = length.isRaw ? .raw : .begun(length)
        if length.isRaw { request = .raw }
        state = .attached(attached)
        return ExchangeActions(caller: .pass)
    }

    mutating func dataCame(_ count: Int, isLast: Bool, now: NIODeadline) -> ExchangeActions {
        guard case .attached(var attached) = state else { return ExchangeActions() }
        patience.progressed(now)
        switch attached.answer {
        case .begun(var length):
            guard length.accepts(count, isLast: isLast) else { return fail(.brokenAnswer) }
            length.took(count)
            attached.answer = .begun(length)
            state = .attached(attached)
        case .raw:
            break
        case .none, .whole, .rawEnded:
            return fail(.brokenAnswer)
        }
        return ExchangeActions(caller: .pass)
    }

    mutating func trailersCame() -> ExchangeActions {
        guard case .attached(let attached) = state else { return ExchangeActions() }
        guard case .begun(let length) = attached.answer, length.accepts(0, isLast: true) else {
            return fail(.brokenAnswer)
        }
        return ExchangeActions(caller: .pass)
    }

    /// What was to be passed has been written.
    ///
    /// - Parameters:
    ///   - count: bytes of the answer's body, or raw ones.
    ///   - isLast: nothing follows.
    ///   - isWritable: whether the caller keeps up.
    mutating func wrote(_ count: Int, isLast: Bool, isWritable: Bool) -> ExchangeActions {
        guard case .attached(var attached) = state else { return ExchangeActions() }
        let consumed = isWritable ? count : 0
        attached.unreported += count - consumed
        state = .attached(attached)
        guard isLast else { return ExchangeActions(consumed: consumed) }
        if case .raw = attached.answer { return rawAnswerEnded(attached, consumed: consumed) }
        // What a slow caller has not read lies in our memory: until then the stream counts as in use.
        guard !isWritable, isRequestWhole else { return end(consumed: consumed) }
        attached.answer = .whole
        state = .attached(attached)
        return ExchangeActions(consumed: consumed)
    }

    private mutating func rawAnswerEnded(_ attached: Attached, consumed: Int) -> ExchangeActions {
        guard case .rawEnded = request else {
            var attached = attached
            attached.answer = .rawEnded
            state = .attached(attached)
            return ExchangeActions(consumed: consumed, caller: .endRawOutput(isLast: false))
        }
        state = .over
        return ExchangeActions(consumed: consumed, tunnel: .forget, caller: .endRawOutput(isLast: true))
    }

    private mutating func end(consumed: Int) -> ExchangeActions {
        state = .over
        return ExchangeActions(
            consumed: consumed, tunnel: isRequestWhole ? .forget : .reset(.noError), caller: .end)
    }

    /// - Parameter isServerOver: whether the server closes all sessions.
    mutating func streamWasReset(_ end: StreamTermination, isServerOver: Bool) -> ExchangeActions {
        guard case .attached(let attached) = state else { return ExchangeActions() }
        switch (end, attached.answer, request) {
        case (_, .whole, _):
            return ExchangeActions()
        case (.refused, .none, .body(sent: 0)), (.refused, .none, .whole(sent: 0)):
            return lookAgain()
        default:
            return fail(ExchangeFailure(end, isServerOver: isServerOver), tunnel: .release)
        }
    }

    mutating func streamBecameWritable() -> ExchangeActions {
        guard case .attached(var attached) = state else { return ExchangeActions() }
        attached.takesBytes = true
        state = .attached(attached)
        return ExchangeActions(caller: .resume)
    }

    // MARK: Time

    func due(_ now: NIODeadline) -> Due {
        let stalled = patience.stalledDeadline
        switch (state, request) {
        case (.cut, _), (.over, _):
            return .nothing(until: .distantFuture)
        // After an upgrade silence is nobody's fault, unless something else was said.
        case (.attached, .raw), (.attached, .rawEnded):
            let idle = patience.idleDeadline
            return now >= idle ? .stalled : .nothing(until: idle)
        case _ where now >= stalled:
            return .stalled
        case (.waiting(let end), _):
            return now >= end ? .waitedTooLong : .nothing(until: min(end, stalled))
        case (.looking, _), (.attached, _):
            return .nothing(until: stalled)
        }
    }

    /// Whether one that waited until it was due waits on: its tunnel was heard of meanwhile.
    ///
    /// - Parameter isKnown: whether the token has or had a session.
    mutating func waitsOn(isKnown: Bool, now: NIODeadline) -> Bool {
        let end = patience.queue(now: now)
        guard case .waiting = state, isKnown, now < end else { return false }
        state = .waiting(until: end)
        return true
    }

    /// It has waited too long, and yet `assigned` is under way.
    mutating func waitsForAssignment() {
        if case .waiting = state { state = .waiting(until: .distantFuture) }
    }

    /// It has waited too long, and has left the queue.
    ///
    /// - Parameter isUp: whether sessions serve its token.
    mutating func waitedTooLong(isUp: Bool, now: NIODeadline) -> ExchangeActions {
        guard case .waiting = state else { return ExchangeActions() }
        let isTimeOver = now >= patience.queue(now: now)
        return fail(!isTimeOver ? .tunnelUnknown : isUp ? .tunnelBusy : .tunnelDown, tunnel: .none)
    }

    /// - Parameters:
    ///   - undelivered: bytes written that have not arrived at the caller's machine.
    ///   - waiting: those of them that wait in this process.
    mutating func stalled(undelivered: Int, waiting: Int, now: NIODeadline) -> ExchangeActions {
        guard undelivered > 0 else { return fail(.stalled) }
        guard !patience.callerTakes(undelivered, now: now) else {
            return ExchangeActions(caller: .ring(by: min(patience.stalledDeadline, patience.idleDeadline)))
        }
        let tunnel = leaving(.cancelled)
        state = .over
        return ExchangeActions(tunnel: tunnel, caller: .giveUp(missing: waiting))
    }

    // MARK: Ends before time

    /// The exchange cannot go on.
    mutating func fail(_ failure: ExchangeFailure) -> ExchangeActions {
        fail(failure, tunnel: leaving(failure.resetCode))
    }

    /// An answer of our own if no final head has gone out, else a cut.
    private mutating func fail(_ failure: ExchangeFailure, tunnel: ExchangeActions.Tunnel) -> ExchangeActions
    {
        switch state {
        case .cut, .over: return ExchangeActions()
        case .looking, .waiting: break
        case .attached(let attached):
            switch attached.answer {
            case .none: break
            case .whole:
                state = .cut(failure.outcome)
                return ExchangeActions(tunnel: tunnel, caller: .cut(isWhole: true))
            case .begun, .raw, .rawEnded:
                state = .cut(failure.outcome)
                return ExchangeActions(tunnel: tunnel, caller: .cut(isWhole: false))
            }
        }
        state = .over
        return ExchangeActions(tunnel: tunnel, caller: .answer(failure))
    }

    /// How queue or stream is left.
    private func leaving(_ code: ResetCode) -> ExchangeActions.Tunnel {
        switch state {
        case .waiting: .leaveQueue
        case .attached: .reset(code)
        case .looking, .cut, .over: .none
        }
    }
}
