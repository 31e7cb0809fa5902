import Testing
import TunnelProtocol

@testable import Routing

/// How guessing is slowed down.
@Suite final class FailureThrottleTests {
    private let start = MonotonicInstant(nanoseconds: 5_000_000_000)
    private static let tolerance = 10
    private var throttle = FailureThrottle<String>(tolerance: tolerance, forgiveness: .seconds(10))

    private func failed(_ peer: String, now: MonotonicInstant) -> Bool { throttle.failed(peer, now: now) }

    @Test func failuresAreToleratedThenRefusedThenForgivenOneByOne() {
        for _ in 0..<Self.tolerance {
            #expect(!throttle.refuses("a", now: start))
            #expect(failed("a", now: start))
        }
        #expect(throttle.refuses("a", now: start))
        #expect(!failed("a", now: start), "and that does not count")
        #expect(!throttle.refuses("b", now: start))
        #expect(throttle.refuses("a", now: start.advanced(by: .milliseconds(9999))))
        let later = start.advanced(by: .seconds(10))
        #expect(!throttle.refuses("a", now: later))
        #expect(failed("a", now: later))
        #expect(throttle.refuses("a", now: later))
        let muchLater = start.advanced(by: .seconds(1000))
        for _ in 0..<Self.tolerance { #expect(failed("a", now: muchLater)) }
        #expect(throttle.refuses("a", now: muchLater))
    }

    /// A client that has to try its password in two fields does not use up its tries twice as fast.
    @Test func theSameGuessTwiceInARowCountsOnce() {
        for number in 0..<Self.tolerance - 1 {
            for _ in 0..<2 { throttle.failed("a", guess: "password \(number)", now: start) }
        }
        #expect(!throttle.refuses("a", now: start))
        throttle.failed("a", guess: "another", now: start)
        #expect(throttle.refuses("a", now: start))
        // One that tries the same for ever is refused all the same.
        for _ in 0..<Self.tolerance * 2 { throttle.failed("b", guess: "same", now: start) }
        #expect(throttle.refuses("b", now: start))
    }

    @Test func junkFillsNothing() {
        for _ in 0..<Self.tolerance { throttle.failed("guesser", now: start) }
        for number in 0..<100_000 { throttle.failed("junk \(number)", now: start) }
        #expect(throttle.refuses("guesser", now: start))
        for _ in 0..<Self.tolerance { throttle.failed("one more", now: start) }
        #expect(throttle.refuses("one more", now: start))
        // Nobody is taken for somebody else.
        #expect((0..<100_000).allSatisfy { !throttle.refuses("stranger \($0)", now: start) })
    }

    /// Also when as many are refused as there are buckets, who comes next may try as often as any other.
    @Test func whereManyGuessNobodyElseIsRefusedOrSpared() {
        let many = FailureThrottle<String>.setCount * FailureThrottle<String>.setSize * 2
        for number in 0..<many {
            for _ in 0..<Self.tolerance { throttle.failed("guesser \(number)", now: start) }
        }
        #expect(!throttle.refuses("newcomer", now: start))
        for _ in 0..<Self.tolerance { throttle.failed("newcomer", now: start) }
        #expect(throttle.refuses("newcomer", now: start))
    }
}
