import HostSystem
import Testing

/// What is told once a minute.
@Suite struct RepeatedWarningTests {
    @Test func whatHappensAgainIsToldOnceAMinuteWithItsNumber() {
        var warning = RepeatedWarning()
        let start = ContinuousClock.now
        #expect(warning.happened(now: start) == 1)
        for second in 1..<60 { #expect(warning.happened(now: start + .seconds(second)) == nil) }
        #expect(warning.happened(now: start + .seconds(60)) == 60)
        #expect(warning.happened(now: start + .seconds(61)) == nil)
        #expect(warning.happened(now: start + .seconds(500)) == 2)
    }
}
