import TestSupport
import Testing
import TunnelConfiguration
import TunnelProtocol

@testable import Routing

/// How fast parties may take something.
@Suite struct RateBucketTests {
    private let start = MonotonicInstant(nanoseconds: 5_000_000_000)

    @Test func aBurstIsThereAtOnceAndTheRestComesByTheRate() {
        var buckets = RateBuckets<String>()
        let rate = RequestLimits.Rate(perSecond: 10, burst: 5)
        for _ in 0..<5 { #expect(buckets.take("a", at: rate, now: start) == nil) }
        #expect(buckets.take("a", at: rate, now: start) == .milliseconds(100))
        #expect(buckets.take("b", at: rate, now: start) == nil, "another party has its own")
        let later = start.advanced(by: .milliseconds(99))
        #expect(buckets.take("a", at: rate, now: later) == .milliseconds(1))
        #expect(buckets.take("a", at: rate, now: start.advanced(by: .milliseconds(100))) == nil)
        let muchLater = start.advanced(by: .seconds(3600))
        for _ in 0..<5 { #expect(buckets.take("a", at: rate, now: muchLater) == nil) }
        #expect(buckets.take("a", at: rate, now: muchLater) != nil, "a pause gives no more than a burst")
    }

    @Test func whatWasTakenBeyondTheRateIsWaitedFor() {
        var buckets = RateBuckets<String>()
        let rate = RequestLimits.Rate(perSecond: 1 << 20, burst: 1 << 20)
        #expect(buckets.took(1 << 20, "a", at: rate, now: start) == .zero)
        #expect(buckets.took(3 << 20, "a", at: rate, now: start) == .seconds(3))
        #expect(buckets.took(0, "a", at: rate, now: start.advanced(by: .seconds(1))) == .seconds(2))
        #expect(buckets.took(0, "a", at: rate, now: start.advanced(by: .seconds(3))) == .zero)
        #expect(buckets.took(.max, "a", at: rate, now: start) == .seconds(600), "not for ever")
        let slow = RequestLimits.Rate(perSecond: 1, burst: 10_000_000)
        #expect(buckets.took(.max, "b", at: slow, now: start) <= .seconds(600))
    }

    /// Against a bucket of real numbers, over random times and amounts.
    @Test(arguments: [1, 2, 3] as [UInt64]) func thereIsNeverMoreThanTheRate(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let rate = RequestLimits.Rate(
            perSecond: .random(in: 1...5000, using: &random), burst: .random(in: 1...100, using: &random))
        var buckets = RateBuckets<Int>()
        var level = 0.0
        var now = start
        for _ in 0..<20_000 {
            let pause = Int64.random(in: 0...2_000_000_000 / Int64(rate.perSecond), using: &random)
            now = now.advanced(by: .nanoseconds(pause))
            level = max(0, level - Double(pause) / 1e9 * Double(rate.perSecond))
            let wait = buckets.take(7, at: rate, now: now)
            // Each time is rounded to a nanosecond: where the two are close either may be right.
            if abs(level + 1 - Double(rate.burst)) > 0.2 {
                #expect((wait == nil) == (level + 1 <= Double(rate.burst)), "seed \(seed)")
            }
            if wait == nil { level += 1 }
        }
    }

    @Test func junkPushesOutNobodyWhoIsFull() {
        var buckets = RateBuckets<String>()
        let rate = RequestLimits.Rate(perSecond: 1, burst: 10)
        for _ in 0..<10 { #expect(buckets.take("loud", at: rate, now: start) == nil) }
        for number in 0..<200_000 { _ = buckets.take("junk \(number)", at: rate, now: start) }
        #expect(buckets.take("loud", at: rate, now: start) != nil)
        #expect(buckets.take("somebody new", at: rate, now: start) == nil)
    }
}
