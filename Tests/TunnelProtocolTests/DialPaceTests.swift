import Testing
import TunnelProtocol

@Suite struct DialPaceTests {
    private static let start = ContinuousClock.now

    private static func pace(burst: Int) -> DialPace {
        var pace = DialPace()
        pace.burst = burst
        pace.interval = .milliseconds(10)
        return pace
    }

    @Test func someGoAtOnceAndTheOthersAtEvenIntervals() {
        var pace = Self.pace(burst: 3)
        let waits = (0..<6).map { _ in pace.turn(at: Self.start) }
        #expect(waits == [0, 0, 0, 10, 20, 30].map { .milliseconds($0) })
    }

    @Test func aPauseAllowsABurstAgainAndNoMore() {
        var pace = Self.pace(burst: 2)
        for _ in 0..<4 { _ = pace.turn(at: Self.start) }
        let later = Self.start + .seconds(100)
        let waits = (0..<4).map { _ in pace.turn(at: later) }
        #expect(waits == [0, 0, 10, 20].map { .milliseconds($0) })
    }

    @Test func whoComesAtThePaceNeverWaits() {
        var pace = Self.pace(burst: 1)
        for number in 0..<50 { #expect(pace.turn(at: Self.start + .milliseconds(10 * number)) == .zero) }
        #expect(pace.turn(at: Self.start + .milliseconds(496)) == .milliseconds(4))
    }
}
