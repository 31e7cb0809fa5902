import Testing
import TunnelProtocol

@Suite("Long polling: how long polls are held")
struct HoldTimeTests {
    @Test func afterSomePollsThatWereWholeMoreIsTried() {
        var time = HoldTime()
        for _ in 0..<4 { time.wasWhole() }
        #expect(time.value == .seconds(25))
        time.wasWhole()
        #expect(time.value == .milliseconds(31_250))
    }

    @Test func itNeverGrowsBeyondTheLongest() {
        var time = HoldTime()
        for _ in 0..<100 { time.wasWhole() }
        #expect(time.value == HoldTime.longest)
    }

    @Test func aPollThatWasCutIsHeldShorterFromThenOn() {
        var time = HoldTime()
        time.wasCut(after: .seconds(20))
        #expect(time.value == .seconds(14))
        // It does not make it longer.
        time.wasCut(after: .seconds(18))
        #expect(time.value == .milliseconds(12_600))
    }

    @Test func itNeverShrinksBelowTheShortest() {
        var time = HoldTime()
        time.wasCut(after: .zero)
        #expect(time.value == HoldTime.shortest)
        time.wasCut(after: .seconds(1))
        #expect(time.value == HoldTime.shortest)
    }

    @Test func aCutLongAfterThePollShouldHaveBeenAnsweredSaysNothing() {
        var time = HoldTime()
        time.wasCut(after: .seconds(31))
        #expect(time.value == HoldTime.first)
        time.wasCut(after: .seconds(29))
        #expect(time.value == .milliseconds(20_300))
    }

    @Test func aCutStartsTheCountAnew() {
        var time = HoldTime()
        for _ in 0..<4 { time.wasWhole() }
        time.wasCut(after: .seconds(40))
        time.wasWhole()
        #expect(time.value == HoldTime.first)
    }

    @Test func onAPathThatCutsAlwaysItSettlesBelowThat() {
        var time = HoldTime()
        let cut = Duration.seconds(12)
        var cuts = 0
        for _ in 0..<1_000 {
            guard time.value < cut else {
                time.wasCut(after: cut)
                cuts += 1
                continue
            }
            time.wasWhole()
        }
        #expect(cuts < 100)
    }
}

@Suite("Long polling: how much goes into one message")
struct TransferSizeTests {
    @Test func itGrowsWhereMessagesArriveQuickly() {
        var size = TransferSize()
        size.arrived(TransferSize.first, in: .milliseconds(100))
        #expect(size.value == 2 * TransferSize.first)
        for _ in 0..<20 { size.arrived(size.value, in: .milliseconds(100)) }
        #expect(size.value == TransferSize.most)
    }

    @Test func aSmallMessageThatArrivesQuicklySaysNothing() {
        var size = TransferSize()
        size.arrived(TransferSize.first / 2 - 1, in: .milliseconds(1))
        #expect(size.value == TransferSize.first)
    }

    @Test func itShrinksWhereMessagesTakeLong() {
        var size = TransferSize()
        size.arrived(100, in: .seconds(3))
        #expect(size.value == TransferSize.first / 2)
        for _ in 0..<20 { size.timedOut() }
        #expect(size.value == TransferSize.least)
        size.arrived(TransferSize.least, in: .seconds(3))
        #expect(size.value == TransferSize.least)
    }

    @Test(arguments: [700, 1_000, 2_000])
    func inBetweenItStays(milliseconds: Int) {
        var size = TransferSize()
        size.arrived(TransferSize.first, in: .milliseconds(milliseconds))
        #expect(size.value == TransferSize.first)
    }

    @Test func whatWasRefusedIsNotTriedAgain() {
        var size = TransferSize()
        for _ in 0..<20 { size.arrived(size.value, in: .zero) }
        size.wasRefused(200_000)
        #expect(size.value == 100_000)
        for _ in 0..<20 { size.arrived(size.value, in: .zero) }
        #expect(size.value == 100_000)
        size.wasRefused(100)
        #expect(size.value == TransferSize.least)
    }
}
