import TestSupport
import Testing
import TunnelProtocol

@Suite struct ReconnectBackoffTests {
    @Test(arguments: 0..<50 as Range<UInt64>) func waitsStayBelowADoublingCeiling(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var backoff = ReconnectBackoff()
        var ceiling = Duration.milliseconds(250)
        for attempt in 0..<100 {
            let wait = backoff.next(using: &random)
            #expect(wait >= .zero && wait <= ceiling, "seed \(seed), attempt \(attempt)")
            ceiling = min(.seconds(30), ceiling * 2)
        }
    }

    @Test func waitsSpreadEvenlyUpToTheCeiling() {
        var random = SplitMix64(seed: 8)
        var tenths = [Int](repeating: 0, count: 10)
        for _ in 0..<10_000 {
            var backoff = ReconnectBackoff()
            let wait = backoff.next(using: &random)
            tenths[min(9, Int(wait / .milliseconds(25)))] += 1
        }
        for count in tenths { #expect((800...1200).contains(count), "\(tenths)") }
    }

    @Test func thousandsOfClientsDoNotComeBackInStep() {
        var random = SplitMix64(seed: 9)
        var waits = Set<Duration>()
        for _ in 0..<1000 {
            var backoff = ReconnectBackoff()
            waits.insert(backoff.next(using: &random))
        }
        #expect(waits.count > 990)
    }

    @Test func aSettledSessionBeginsAnew() {
        var random = SplitMix64(seed: 10)
        var backoff = ReconnectBackoff()
        for _ in 0..<20 { _ = backoff.next(using: &random) }
        backoff.sessionEnded(after: .seconds(59))
        let stillLong = (0..<50).map { _ in backoff.next(using: &random) }
        #expect(stillLong.contains { $0 > .seconds(5) })
        for _ in 0..<100 {
            backoff.sessionEnded(after: .seconds(60))
            #expect(backoff.next(using: &random) <= .milliseconds(250))
        }
    }

    @Test func theSameSeedGivesTheSameWaits() {
        func waits(_ seed: UInt64) -> [Duration] {
            var random = SplitMix64(seed: seed)
            var backoff = ReconnectBackoff()
            return (0..<20).map { _ in backoff.next(using: &random) }
        }
        #expect(waits(1) == waits(1))
        #expect(waits(1) != waits(2))
    }

    @Test func aRefusalWaitsLongAndDoesNotRaiseTheCeiling() {
        var random = SplitMix64(seed: 11)
        var backoff = ReconnectBackoff()
        for _ in 0..<100 {
            let wait = backoff.afterRefusal(using: &random)
            #expect(wait >= .seconds(22.5) && wait <= .seconds(37.5))
        }
        #expect(backoff.next(using: &random) <= .milliseconds(250))
    }
}
