import Testing
import TunnelProtocol

@Suite struct MonotonicInstantTests {
    @Test func differencesNeverGoBelowZero() {
        let (early, late) = (MonotonicInstant(nanoseconds: 10), MonotonicInstant(nanoseconds: 25))
        #expect(late.since(early) == .nanoseconds(15))
        #expect(early.since(late) == .zero)
        #expect(early < late)
        #expect(
            MonotonicInstant(nanoseconds: .max).since(MonotonicInstant(nanoseconds: 0)) > .seconds(1 << 33))
    }

    @Test func advancingAddsTheDuration() {
        let start = MonotonicInstant(nanoseconds: 5)
        #expect(start.advanced(by: .seconds(2)).nanoseconds == 2_000_000_005)
        #expect(start.advanced(by: .nanoseconds(1)).nanoseconds == 6)
        #expect(start.advanced(by: .seconds(-3)) == start)
    }
}
