import HTTPMessage
import HTTPServing
import NIOCore
import Observability
import Testing
import TunnelProtocol

@testable import TunnelServer

/// What becomes of a request and its answer, one case after another.
@Suite struct ExchangeMachineTests {
    private static func length(_ count: Int?, status: Int = 200) throws -> AnswerLength {
        var head = ResponseHead(status: status)
        if let count { head.fields.append(.contentLength, String(count)) }
        return try AnswerLength(settling: &head, toMethod: "GET", isLast: false)
    }

    /// A world whose request a session has.
    private static func attached(isRequestWhole: Bool = true) -> ExchangeWorld {
        var world = ExchangeWorld(isRequestWhole: isRequestWhole)
        world.offer()
        return world
    }

    /// The same, and its answer of five bytes has begun.
    private static func answered(isRequestWhole: Bool = true) throws -> ExchangeWorld {
        var world = attached(isRequestWhole: isRequestWhole)
        world.head(try length(5))
        return world
    }

    private static func switched() throws -> ExchangeWorld {
        var world = attached()
        world.head(try length(nil, status: 101))
        return world
    }

    // MARK: Sessions

    @Test func anAnswerThatIsTakenEndsTheExchange() throws {
        var world = try Self.answered()
        world.data(2)
        world.data(3, isLast: true)
        #expect(world.outcomes == [.ok] && world.isForgotten && world.consumed == 5)
        #expect(world.faults.isEmpty)
    }

    @Test func aRequestThatNobodyLookedAtIsOfferedToThreeSessions() {
        var world = ExchangeWorld()
        world.offer(takes: false)
        world.offer()
        world.reset(.refused)
        #expect(world.outcomes.isEmpty && world.machine.attempts == 3)
        world.offer()
        world.reset(.refused)
        #expect(world.ownAnswers == [.tunnelBusy] && world.taken == 3 && world.givenBack == 3)
        #expect(world.faults.isEmpty)
    }

    @Test(arguments: [true, false]) func aRequestOfWhichAByteWentOutIsNotSentAgain(isWhole: Bool) {
        var world = Self.attached(isRequestWhole: false)
        world.sendRequest(1)
        if isWhole { world.endRequest() }
        world.reset(.refused)
        #expect(world.ownAnswers == [.tunnelLost])
    }

    @Test func aRequestWhoseEmptyBodyEndedMayBeSentAgain() {
        var world = Self.attached(isRequestWhole: false)
        world.endRequest()
        world.reset(.refused)
        #expect(world.ownAnswers.isEmpty && world.machine.attempts == 2)
    }

    @Test func aRefusalBehindTheHeadIsALostTunnel() throws {
        var world = try Self.answered()
        world.reset(.refused)
        #expect(world.isCut == false)
        world.tellOut()
        #expect(world.outcomes == [.tunnelLost])
    }

    @Test(arguments: [
        (StreamTermination.originFailed, ExchangeFailure.originFailed, AccessOutcome.originFailed),
        (.malformedMessage, .malformedAnswer, .originFailed),
        (.requestTooLarge, .requestTooLarge, .callerFailed), (.tooSlow, .requestTooSlow, .callerFailed),
        (.upgradeUnsupported, .upgradeUnsupported, .answeredHere), (.sessionLost, .tunnelLost, .tunnelLost),
    ])
    func whyAStreamEndedDecidesTheAnswer(
        end: StreamTermination, failure: ExchangeFailure, outcome: AccessOutcome
    )
        throws
    {
        var world = Self.attached()
        world.reset(end)
        #expect(world.ownAnswers == [failure] && world.outcomes == [outcome])
        world = try Self.answered()
        world.reset(end)
        #expect(world.ownAnswers.isEmpty && world.isCut == false && world.outcomes.isEmpty)
        world.tellOut()
        #expect(world.outcomes == [outcome])
    }

    @Test func aStreamThatIsNotTakenYetTakesNoBody() {
        var world = ExchangeWorld(isRequestWhole: false)
        world.offer(isTaken: false)
        #expect(!world.machine.takesBytes)
        world.streamBecameWritable()
        #expect(world.machine.takesBytes && world.hasResumed)
        world.sendRequest(3, takesMore: false)
        #expect(!world.machine.takesBytes)
    }

    // MARK: Waiting

    @Test(arguments: [(false, ExchangeFailure.tunnelDown), (true, .tunnelBusy)])
    func whoWaitsTooLongIsToldWhetherTheTunnelIsThere(isUp: Bool, failure: ExchangeFailure) {
        var world = ExchangeWorld()
        world.enqueue()
        #expect(world.rung == world.now + .seconds(30))
        world.now = world.now + .seconds(20)
        world.checkTime(isUp: isUp)
        #expect(world.outcomes.isEmpty)
        // The limit holds for all its waiting, though a session had it in between.
        world.offer()
        world.reset(.refused)
        world.enqueue()
        world.now = world.now + .seconds(9)
        world.checkTime(isUp: isUp)
        #expect(world.outcomes.isEmpty)
        world.now = world.now + .seconds(1)
        world.checkTime(isUp: isUp)
        #expect(world.ownAnswers == [failure] && world.outcomes == [.noTunnel])
        #expect(world.faults.isEmpty)
    }

    @Test(arguments: [true, false]) func aTokenOfWhichNothingIsHeardIsUnknownAfterAll(isKnown: Bool) {
        var world = ExchangeWorld()
        let begin = world.now
        world.enqueue(until: begin + .seconds(5))
        #expect(world.rung == begin + .seconds(5))
        world.now = begin + .seconds(5)
        world.checkTime(isKnown: isKnown)
        #expect(world.ownAnswers == (isKnown ? [] : [.tunnelUnknown]))
        guard isKnown else { return }
        world.now = begin + .seconds(30)
        world.checkTime()
        #expect(world.ownAnswers == [.tunnelDown])
    }

    @Test func whoIsBeingServedWhenItsTimeIsUpIsServed() {
        var world = ExchangeWorld()
        world.enqueue()
        world.now = world.now + .seconds(30)
        world.checkTime(assignmentIsUnderWay: true)
        world.checkTime()
        #expect(world.rung == world.now + .seconds(30))
        world.offer()
        #expect(world.place == .attached && world.outcomes.isEmpty && world.faults.isEmpty)
    }

    @Test func aServerThatStopsSendsThoseAwayWhoWait() throws {
        var world = ExchangeWorld()
        world.enqueue()
        world.serverStops()
        #expect(world.ownAnswers == [.stopping] && world.place == .none)
        world = ExchangeWorld()
        world.enqueue(isStopping: true)
        #expect(world.ownAnswers == [.stopping])
        world = try Self.answered()
        world.serverStops()
        #expect(world.outcomes.isEmpty)
    }

    @Test func aPlaceThatComesTooLateIsAnothers() {
        var world = ExchangeWorld()
        world.enqueue()
        world.leave()
        var machine = world.machine
        let isTaken = machine.assigned()
        #expect(!isTaken && world.outcomes == [.callerLeft])
    }

    // MARK: Answers that are none

    @Test(arguments: [
        "a second head", "an interim head behind it", "more than promised", "less than promised",
        "trailers too early",
    ])
    func anAnswerThatBreaksItsPromiseIsCut(what: String) throws {
        var world = try Self.answered()
        switch what {
        case "a second head": world.head(try Self.length(5))
        case "an interim head behind it": world.interim()
        case "more than promised": world.data(6)
        case "less than promised": world.data(4, isLast: true)
        default: world.trailers()
        }
        #expect(world.isCut == false && world.resets == [.malformedMessage])
        world.tellOut()
        #expect(world.outcomes == [.tunnelLost] && world.faults.isEmpty)
    }

    @Test func whatComesBeforeTheHeadOrInPlaceOfAnUpgradeIsNoAnswer() throws {
        var world = Self.attached()
        world.data(1)
        #expect(world.ownAnswers == [.brokenAnswer] && world.resets == [.malformedMessage])
        world = Self.attached()
        world.head(try Self.length(nil, status: 101), isLast: true)
        #expect(world.ownAnswers == [.brokenAnswer])
        world = Self.attached()
        world.abort(.unaskedUpgrade)
        #expect(world.outcomes == [.originFailed] && world.resets == [.malformedMessage])
    }

    // MARK: Callers

    @Test func creditComesBackAsTheCallerTakesTheBytes() throws {
        var world = try Self.answered()
        world.data(3, keepsUp: false)
        #expect(world.consumed == 0)
        world.data(2, isLast: true)
        // All is written, and the stream is in use until it is taken.
        #expect(world.outcomes.isEmpty && world.place == .attached)
        world.take(1)
        world.reportProgress()
        #expect(world.consumed == 1)
        world.take(4)
        #expect(world.consumed == 5 && world.outcomes == [.ok] && world.isForgotten)
    }

    @Test func anAnswerBeforeTheEndOfItsRequestWaitsForNobody() throws {
        var world = try Self.answered(isRequestWhole: false)
        world.data(5, isLast: true, keepsUp: false)
        #expect(world.outcomes == [.ok] && world.resets == [.noError])
    }

    @Test func aResetBehindAWholeAnswerChangesNothing() throws {
        var world = try Self.answered()
        world.data(5, isLast: true, keepsUp: false)
        world.reset(.sessionLost)
        #expect(world.outcomes.isEmpty)
        world.take(5)
        #expect(world.outcomes == [.ok])
    }

    @Test func aWholeAnswerThatIsCutShortIsNotSaidToBeBroken() throws {
        var world = try Self.answered()
        world.data(5, isLast: true, keepsUp: false)
        world.abort(.cutShort)
        #expect(world.isCut == true)
        world.tellOut()
        #expect(world.outcomes == [.shutdown] && world.missing == 5)
    }

    @Test func aCallerThatLeavesHasTheOriginToldToStop() throws {
        var world = try Self.answered()
        world.leave()
        #expect(world.outcomes == [.callerLeft] && world.resets == [.cancelled])
    }

    @Test func aCallerThatDoesNotReadIsSentNoInterimHeads() {
        var world = Self.attached()
        world.interim()
        world.head(AnswerLengths.open)
        #expect(world.faults.isEmpty && world.outcomes.isEmpty)
        var machine = ExchangeMachine(isRequestWhole: true, ExchangeWorld.limits, now: world.now)
        machine.opened(takesBytes: true)
        #expect(machine.interimHeadCame(isWritable: true, now: world.now).caller == .pass)
        #expect(machine.interimHeadCame(isWritable: false, now: world.now).caller == .none)
    }

    // MARK: Time

    @Test func whereNothingMovesTheTunnelIsGivenUp() throws {
        var world = Self.attached()
        world.now = world.now + .seconds(59)
        world.checkTime()
        #expect(world.rung == world.now + .seconds(1))
        world.interim()
        world.now = world.now + .seconds(59)
        world.checkTime()
        #expect(world.outcomes.isEmpty)
        world.now = world.now + .seconds(1)
        world.checkTime()
        #expect(world.ownAnswers == [.stalled] && world.outcomes == [.timeout])
    }

    @Test func aCallerThatTakesSomethingNowAndThenHasTimeAndOneThatTakesNothingIsCutOff() throws {
        var world = Self.attached()
        world.head(AnswerLengths.open)
        world.data(9, keepsUp: false)
        world.now = world.now + .seconds(60)
        world.checkTime()
        #expect(world.outcomes.isEmpty && world.rung == world.now + .seconds(60))
        world.take(1)
        world.now = world.now + .seconds(60)
        world.checkTime()
        #expect(world.outcomes.isEmpty && world.consumed == 1)
        world.now = world.now + .seconds(60)
        world.checkTime()
        #expect(world.outcomes.isEmpty)
        world.now = world.now + .seconds(60)
        world.checkTime()
        #expect(world.outcomes == [.timeout] && world.missing == 8 && world.resets == [.cancelled])
    }

    // MARK: Upgrades

    @Test func anUpgradedConnectionMayBeSilent() throws {
        var world = try Self.switched()
        world.now = world.now + .hours(9)
        world.checkTime()
        #expect(world.outcomes.isEmpty && world.rung == .distantFuture)
    }

    @Test(arguments: [true, false]) func eachRawDirectionEndsByItself(callerIsFirst: Bool) throws {
        var world = try Self.switched()
        world.sendRequest(7)
        world.data(4)
        if callerIsFirst { world.endRawRequest() } else { world.data(0, isLast: true) }
        #expect(world.outcomes.isEmpty && world.place == .attached)
        if callerIsFirst { world.data(2, isLast: true) } else { world.endRawRequest() }
        #expect(world.outcomes == [.ok] && world.isForgotten && world.faults.isEmpty)
    }

    @Test func anUpgradedConnectionWhoseSessionIsLostIsCut() throws {
        var world = try Self.switched()
        world.endRawRequest()
        world.reset(.sessionLost)
        #expect(world.isCut == false)
    }
}

/// Lengths that heads promise.
private enum AnswerLengths {
    static var open: AnswerLength {
        var head = ResponseHead(status: 200)
        do { return try AnswerLength(settling: &head, toMethod: "GET", isLast: false) } catch {
            preconditionFailure("\(error)")
        }
    }
}
