import HTTPMessage
import HTTPServing
import NIOCore
import Observability
import TestSupport
import TunnelProtocol

@testable import TunnelServer

/// What is around an `ExchangeMachine`: a registry, a session's stream and a caller, as they may behave. It carries actions
/// out, and notes what nobody may do.
struct ExchangeWorld {
    /// What the exchange holds of its tunnel.
    enum Place: Equatable {
        case none, queued, offered, attached
    }

    static let limits = ExchangePatience.Limits(queue: .seconds(30), stalled: .seconds(60))

    private(set) var machine: ExchangeMachine
    private(set) var place = Place.none
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private(set) var faults: [String] = []

    // The request.
    private(set) var isRequestWhole: Bool
    private(set) var requestBytes = 0
    /// Went into the session that has the request now.
    private(set) var isRaw = false
    private(set) var isRawRequestOver = false
    /// Places that were taken and given back.
    private(set) var taken = 0
    private(set) var givenBack = 0

    // The answer.
    private(set) var heads = 0
    private(set) var ownAnswers: [ExchangeFailure] = []
    private(set) var passed = 0
    private(set) var consumed = 0
    /// Of what was passed, what waits for the caller.
    private(set) var waiting = 0
    private(set) var isWritable = true
    private(set) var isAnswerOver = false
    private(set) var outcomes: [AccessOutcome] = []
    private(set) var missing = 0
    private(set) var isCut: Bool?
    private(set) var isForgotten = false
    private(set) var resets: [ResetCode] = []
    private(set) var rung: NIODeadline?
    private(set) var hasResumed = false

    init(isRequestWhole: Bool = true) {
        self.isRequestWhole = isRequestWhole
        machine = ExchangeMachine(isRequestWhole: isRequestWhole, Self.limits, now: now)
    }

    /// Whether nothing more can happen to it.
    var isOver: Bool { !outcomes.isEmpty }

    mutating func require(_ isTrue: Bool, _ rule: String) { if !isTrue { faults.append(rule) } }

    // MARK: The registry

    mutating func offer(takes: Bool = true, isTaken: Bool = true) {
        require(place == .none || place == .queued, "a place is given to who has none")
        if place == .queued, !machine.assigned() { return faults.append("one in the queue takes its place") }
        place = .offered
        taken += 1
        guard takes else { return perform(machine.wasNotOpened()) }
        machine.opened(takesBytes: isTaken)
        place = .attached
    }

    mutating func enqueue(until end: NIODeadline? = nil, isStopping: Bool = false) {
        place = .queued
        perform(machine.found(.queued(until: end), isStopping: isStopping, now: now))
    }

    mutating func fail(_ failure: ExchangeFailure) {
        perform(machine.found(.failed(failure), isStopping: false, now: now))
    }

    // MARK: The caller

    mutating func sendRequest(_ count: Int, takesMore: Bool = true) {
        require(machine.takesBytes, "bytes come when they are taken")
        require(isRaw || !isRequestWhole, "a whole request has no more bytes")
        requestBytes += count
        machine.requestSent(count, takesMore: takesMore, now: now)
    }

    mutating func endRequest() {
        isRequestWhole = true
        perform(machine.requestEnded())
    }

    mutating func endRawRequest() {
        isRawRequestOver = true
        perform(machine.rawRequestEnded())
    }

    mutating func take(_ count: Int) {
        waiting -= count
        isWritable = waiting == 0
        if isWritable { perform(machine.becameWritable()) }
    }

    mutating func leave() { perform(machine.callerLeft()) }
    mutating func tellOut() { perform(machine.answerIsOut(missing: waiting)) }
    mutating func abort(_ failure: ExchangeFailure) { perform(machine.fail(failure)) }
    mutating func serverStops() { perform(machine.serverStops()) }

    // MARK: The session

    mutating func interim() { perform(machine.interimHeadCame(isWritable: isWritable, now: now)) }

    mutating func head(_ length: AnswerLength, isLast: Bool = false) {
        let actions = machine.headCame(length, isLast: isLast, now: now)
        guard actions.caller == .pass else { return perform(actions) }
        heads += 1
        isRaw = length.isRaw
        if !isRaw { wrote(0, isLast: isLast) }
    }

    /// - Parameter keepsUp: whether the caller takes it at once.
    mutating func data(_ count: Int, isLast: Bool = false, keepsUp: Bool = true) {
        let actions = machine.dataCame(count, isLast: isLast, now: now)
        guard actions.caller == .pass else { return perform(actions) }
        require(heads == 1 && !isAnswerOver && !isOver, "data stands between head and end")
        passed += count
        if !keepsUp, count > 0 { isWritable = false }
        if !isWritable { waiting += count }
        wrote(count, isLast: isLast)
    }

    mutating func trailers() {
        let actions = machine.trailersCame()
        guard actions.caller == .pass else { return perform(actions) }
        wrote(0, isLast: true)
    }

    mutating func reset(_ end: StreamTermination) {
        perform(machine.streamWasReset(end, isServerOver: false))
    }
    mutating func streamBecameWritable() { perform(machine.streamBecameWritable()) }
    mutating func reportProgress() { perform(machine.callerTook(allBut: waiting, now: now)) }

    private mutating func wrote(_ count: Int, isLast: Bool) {
        if isLast { isAnswerOver = true }
        perform(machine.wrote(count, isLast: isLast, isWritable: isWritable))
    }

    // MARK: Time

    /// - Parameter assignmentIsUnderWay: the registry has just taken it out of the queue.
    mutating func checkTime(isKnown: Bool = true, isUp: Bool = false, assignmentIsUnderWay: Bool = false) {
        reportProgress()
        switch machine.due(now) {
        case .nothing(let deadline): rung = deadline
        case .stalled: perform(machine.stalled(undelivered: waiting, waiting: waiting, now: now))
        case .waitedTooLong:
            require(place == .queued, "only who waits can wait too long")
            if machine.waitsOn(isKnown: isKnown, now: now) { return }
            guard !assignmentIsUnderWay else { return machine.waitsForAssignment() }
            place = .none
            perform(machine.waitedTooLong(isUp: isUp, now: now))
        }
    }

    // MARK: Actions

    mutating func perform(_ actions: ExchangeActions) {
        consumed += actions.consumed
        require(actions.consumed == 0 || place == .attached, "credit goes to a stream")
        require(consumed <= passed, "no credit for what did not come")
        switch actions.tunnel {
        case .none: break
        case .leaveQueue:
            require(place == .queued, "only who waits leaves the queue")
            place = .none
        case .finish:
            require(place == .attached, "a stream is finished")
        case .lookAgain:
            require(requestBytes == 0 && heads == 0, "what a session may have seen is not sent again")
            giveBack()
        case .release: giveBack()
        case .finishAndForget, .forget:
            require(isRaw || consumed == passed, "what is over has its credit back")
            isForgotten = true
            giveBack()
        case .reset(let code):
            require(place == .attached, "a stream is reset")
            resets.append(code)
            giveBack()
        }
        perform(actions.caller)
    }

    private mutating func giveBack() {
        require(place == .attached || place == .offered, "a place is given back by who has it")
        place = .none
        givenBack += 1
    }

    private mutating func perform(_ action: ExchangeActions.Caller) {
        switch action {
        case .none, .pass: break
        case .resume: hasResumed = true
        case .ring(let deadline): rung = deadline
        case .end: finish(.ok, missing: 0)
        case .endRawOutput(let isLast): if isLast { finish(.ok, missing: 0) }
        case .answer(let failure):
            require(heads == 0, "an own answer stands in place of another")
            ownAnswers.append(failure)
            finish(failure.outcome, missing: 0)
        case .cut(let isWhole):
            require(heads == 1 && isCut == nil, "an answer is cut once, and has begun")
            require(isWhole == (isAnswerOver && !isRaw), "a cut knows whether something is missing")
            isCut = isWhole
        case .giveUp(let missing): finish(.timeout, missing: missing)
        case .finish(let outcome, let missing): finish(outcome, missing: missing)
        }
    }

    private mutating func finish(_ outcome: AccessOutcome, missing: Int) {
        require(place == .none, "what is over holds no place")
        require(taken == givenBack, "every place is given back once")
        outcomes.append(outcome)
        self.missing = missing
        require(outcomes.count == 1, "the record is finished once")
        require(heads + ownAnswers.count <= 1, "there is one answer")
    }
}
