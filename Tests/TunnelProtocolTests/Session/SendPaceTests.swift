import Testing
import TunnelProtocol

/// How much waits unsent, on links of all speeds.
@Suite struct SendPaceTests {
    /// Keeps a link of so many bytes a second busy, from one full buffer to the next, for a minute or a hundred times.
    private func run(_ pace: inout SendPace, rate: Int) {
        var now = MonotonicInstant(nanoseconds: 1_000_000_000)
        let end = now.advanced(by: .seconds(60))
        for _ in 0..<100 where now < end {
            let (low, high) = pace.waterMark
            pace.becameFull(now: now)
            now = now.advanced(by: .seconds(1) * (high - low) / rate)
            _ = pace.drained(now: now)
        }
    }

    struct Link: CustomTestStringConvertible, Sendable {
        let rate: Int
        let unsentBytes: Int
        var testDescription: String { "\(rate) bytes a second" }
    }

    static let links = [
        Link(rate: 7_000, unsentBytes: 8 << 10), Link(rate: 32_000, unsentBytes: 8 << 10),
        Link(rate: 250_000, unsentBytes: 32 << 10), Link(rate: 1_250_000, unsentBytes: 64 << 10),
        Link(rate: 12_500_000, unsentBytes: 128 << 10), Link(rate: 1_000_000_000, unsentBytes: 128 << 10),
    ]

    @Test(arguments: links) func itSettlesByTheSpeedOfTheLink(_ link: Link) {
        var pace = SendPace()
        run(&pace, rate: link.rate)
        #expect(pace.unsentBytes <= link.unsentBytes)
        #expect(pace.unsentBytes >= link.unsentBytes / 2)
        let before = pace.unsentBytes
        run(&pace, rate: link.rate)
        #expect(pace.unsentBytes == before, "it stays")
    }

    @Test(arguments: links) func whatWaitsIsSentWithinASecondOrIsTheLeast(_ link: Link) {
        var pace = SendPace()
        run(&pace, rate: link.rate)
        let waiting = pace.unsentBytes + pace.waterMark.high + pace.frameBytes
        #expect(waiting < link.rate || waiting == 28 << 10, "\(waiting)")
    }

    @Test func aFastLinkHasTheWholeBufferAfterThreeTimes() {
        var pace = SendPace()
        var now = MonotonicInstant(nanoseconds: 1_000_000_000)
        for isNews in [true, true, true, false] {
            pace.becameFull(now: now)
            now = now.advanced(by: .milliseconds(1))
            let hasChanged = pace.drained(now: now)
            #expect(hasChanged == isNews)
        }
        #expect(pace.waterMark == (64 << 10, 256 << 10))
        #expect(pace.frameBytes == 64 << 10)
    }

    @Test func aLinkThatTurnsSlowAndFastAgainIsFollowed() {
        var pace = SendPace()
        run(&pace, rate: 100_000_000)
        #expect(pace.unsentBytes == 128 << 10)
        pace.becameFull(now: MonotonicInstant(nanoseconds: 0))
        _ = pace.drained(now: MonotonicInstant(nanoseconds: 27_000_000_000))
        #expect(pace.unsentBytes == 8 << 10, "at once")
        run(&pace, rate: 100_000_000)
        #expect(pace.unsentBytes == 128 << 10)
    }

    @Test func aBufferThatWasNeverFullSaysNothing() {
        var pace = SendPace()
        let hasChanged = pace.drained(now: MonotonicInstant(nanoseconds: 5_000_000_000))
        #expect(!hasChanged)
        #expect(pace.unsentBytes == 16 << 10)
    }
}
