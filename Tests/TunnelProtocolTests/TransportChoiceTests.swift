import Testing
import TunnelProtocol

@Suite("By what a tunnel dials that takes whatever gets through")
struct TransportChoiceTests {
    /// What is told to it changes it.
    @dynamicMemberLookup
    private final class Subject {
        private var choice = TransportChoice()

        subscript<Value>(dynamicMember path: KeyPath<TransportChoice, Value>) -> Value {
            choice[keyPath: path]
        }

        /// - Returns: whether another way is to be tried from now on.
        func failed(
            _ way: TransportChoice.Way, isBlocked: Bool = true, _ words: String = "blocked"
        ) -> Bool {
            let before = choice.way
            choice.failed(way, isBlocked: isBlocked, words)
            return choice.way != before
        }

        func opened(_ way: TransportChoice.Way) { choice.opened(way) }
        func webSocketWorks() { choice.webSocketWorks() }

        /// A session over a WebSocket that is over.
        ///
        /// - Returns: whether another way is to be tried from now on.
        func ended(isCut: Bool = true, after time: Duration) -> Bool {
            let before = choice.way
            choice.opened(.webSocket)
            choice.sessionEnded(.webSocket, isCut: isCut, after: time)
            return choice.way != before
        }
    }

    private let choice = Subject()

    private func fallBack() { for _ in 0..<3 { _ = choice.failed(.webSocket) } }

    @Test func aWebSocketIsTriedFirstAndTheOtherWaySoon() {
        #expect(choice.way == .webSocket)
        #expect(choice.reason == nil)
        #expect(!choice.isDeciding)
        #expect(choice.patience == .seconds(1))
    }

    @Test func threeFailuresInARowAsOfABlockedWebSocketAreLongPolling() {
        #expect(!choice.failed(.webSocket))
        #expect(choice.isDeciding)
        #expect(!choice.failed(.webSocket))
        #expect(choice.way == .webSocket)
        #expect(choice.failed(.webSocket, "answered with 403"))
        #expect(choice.way == .longPoll)
        #expect(choice.reason == "answered with 403")
        #expect(choice.patience == .seconds(2))
        #expect(choice.isDeciding)
        choice.opened(.longPoll)
        #expect(choice.patience == nil, "It has worked: it gets the time that it needs")
    }

    @Test func aServerThatCannotBeReachedAtAllIsNoReason() {
        for _ in 0..<10 { #expect(!choice.failed(.webSocket, isBlocked: false)) }
        #expect(choice.way == .webSocket)
        #expect(!choice.isDeciding)
    }

    @Test func aFailureOfAnotherKindStartsTheCountAnew() {
        _ = choice.failed(.webSocket)
        _ = choice.failed(.webSocket)
        #expect(!choice.failed(.webSocket, isBlocked: false))
        #expect(!choice.failed(.webSocket))
        #expect(!choice.failed(.webSocket))
        #expect(choice.failed(.webSocket))
    }

    @Test func aSessionThatOpensStartsTheCountAnew() {
        _ = choice.failed(.webSocket)
        _ = choice.failed(.webSocket)
        choice.opened(.webSocket)
        #expect(!choice.isDeciding)
        #expect(choice.patience == nil, "It has worked: it gets the time that it needs")
        #expect(!choice.failed(.webSocket))
        #expect(!choice.failed(.webSocket))
        #expect(choice.failed(.webSocket))
    }

    @Test func whatIsHeardLateOfTheOtherWaySaysNothing() {
        #expect(!choice.failed(.longPoll))
        fallBack()
        for _ in 0..<5 { #expect(!choice.failed(.webSocket)) }
        choice.opened(.webSocket)
        #expect(!choice.ended(after: .zero))
        #expect(choice.way == .longPoll)
        #expect(choice.reason == "blocked")
    }

    @Test func whereNeitherWorksTheyAlternate() {
        for round in 0..<4 {
            #expect(choice.way == .webSocket)
            #expect((choice.patience == nil) == (round > 0), "Then it gets the time that it needs")
            #expect(!choice.failed(.webSocket))
            #expect(choice.isDeciding == (round == 0))
            #expect(!choice.failed(.webSocket))
            #expect(choice.failed(.webSocket))
            #expect(choice.way == .longPoll)
            #expect(!choice.failed(.longPoll))
            #expect(!choice.failed(.longPoll, isBlocked: false))
            #expect(choice.failed(.longPoll))
            #expect(choice.reason == nil)
        }
    }

    @Test func longPollingThatWorksNowAndThenStays() {
        fallBack()
        for _ in 0..<5 {
            #expect(!choice.failed(.longPoll))
            #expect(!choice.failed(.longPoll))
            choice.opened(.longPoll)
        }
        #expect(choice.way == .longPoll)
    }

    @Test(arguments: [
        [0, 0, 0], [10, 1_900, 300], [5_000, 5_000, 5_000], [10_000, 11_000, 10_500],
        [59_000, 58_000, 50_000],
    ])
    func threeSessionsCutAtOnceOrAfterTheSameTimeAreLongPolling(milliseconds: [Int]) {
        #expect(!choice.ended(after: .milliseconds(milliseconds[0])))
        #expect(choice.isDeciding)
        #expect(!choice.ended(after: .milliseconds(milliseconds[1])))
        #expect(choice.way == .webSocket)
        #expect(choice.ended(after: .milliseconds(milliseconds[2])))
        #expect(choice.way == .longPoll)
        #expect(choice.reason == "each was cut after \((milliseconds.max() ?? 0) / 1000) s")
    }

    @Test(arguments: [[3, 10, 20], [10, 10, 13], [0, 0, 3], [60, 60, 60], [600, 5, 600]])
    func sessionsCutAfterDifferentTimesOrLateAreNoReason(seconds: [Int]) {
        for _ in 0..<3 {
            for time in seconds { #expect(!choice.ended(after: .seconds(time))) }
        }
        #expect(choice.way == .webSocket)
    }

    @Test func onlyTheLastThreeCutsCount() {
        for seconds in [1, 30, 12, 11] { #expect(!choice.ended(after: .seconds(seconds))) }
        #expect(choice.ended(after: .seconds(12)))
    }

    @Test func aSessionThatEndsWithoutACutStartsTheCountAnew() {
        _ = choice.ended(after: .seconds(5))
        _ = choice.ended(after: .seconds(5))
        #expect(!choice.ended(isCut: false, after: .seconds(5)))
        #expect(!choice.isDeciding)
        #expect(!choice.ended(after: .seconds(5)))
        #expect(!choice.ended(after: .seconds(5)))
        #expect(choice.ended(after: .seconds(5)))
    }

    @Test func aWebSocketBesideHasToLastTwiceAsLongAsThoseThatWereCut() {
        #expect(choice.trialTime == .seconds(1))
        for seconds in [10, 11, 10] { _ = choice.ended(after: .seconds(seconds)) }
        #expect(choice.way == .longPoll)
        #expect(choice.trialTime == .seconds(23))
    }

    @Test func aWebSocketThatHoldsBesideIsWhatIsDialledFromThenOn() {
        fallBack()
        choice.webSocketWorks()
        #expect(choice.way == .webSocket)
        #expect(choice.reason == nil)
        #expect(!choice.isDeciding)
        #expect(choice.patience == nil)
        #expect(choice.trialTime == .seconds(1))
    }
}
