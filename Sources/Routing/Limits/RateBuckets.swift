package import TunnelConfiguration
package import TunnelProtocol

/// How fast each of many parties takes something, against a rate.
///
/// A party has a bucket that fills with what it takes and runs empty by the rate (the "generic cell rate algorithm"). One
/// that is pushed out of the table gets no more than what its bucket holds.
package struct RateBuckets<Party: Hashable & Sendable>: Sendable {
    /// 512 KiB of memory in all, from the first party on.
    private static var setCount: Int { 4096 }
    /// What is taken beyond the burst counts for so long, in nanoseconds: bytes that were under way already.
    private static var longestDebt: UInt64 { 600_000_000_000 }

    private var buckets = BucketTable<Void>(setCount: Self.setCount)

    package init() {}

    /// Takes one, if that is within the rate.
    ///
    /// - Returns: nil when it was taken; else after how long there will be one.
    package mutating func take(
        _ party: Party, at rate: RequestLimits.Rate, now: MonotonicInstant
    ) -> Duration? {
        let index = buckets.place(of: party)
        let next = Self.next(buckets[index].emptyAt, at: rate, now: now)
        if next.wait == nil { buckets[index].emptyAt = next.level }
        return next.wait
    }

    /// What `take` would return. Changes nothing.
    package func wait(for party: Party, at rate: RequestLimits.Rate, now: MonotonicInstant) -> Duration? {
        Self.next(emptyAt(party), at: rate, now: now).wait
    }

    /// How many a party has at once, as far as they are not forgiven yet; more than the burst is a debt.
    package func level(of party: Party, at rate: RequestLimits.Rate, now: MonotonicInstant) -> Int {
        let emptyAt = emptyAt(party)
        guard emptyAt > now.nanoseconds else { return 0 }
        let product = (emptyAt - now.nanoseconds).multipliedFullWidth(by: UInt64(max(1, rate.perSecond)))
        guard product.high < 1_000_000_000 else { return .max }
        return Int(clamping: UInt64(1_000_000_000).dividingFullWidth(product).quotient)
    }

    private func emptyAt(_ party: Party) -> UInt64 { buckets.find(party).map { buckets[$0].emptyAt } ?? 0 }

    /// The level of a bucket with one more in it; nil as `wait` where it may take that.
    private static func next(
        _ emptyAt: UInt64, at rate: RequestLimits.Rate, now: MonotonicInstant
    ) -> (level: UInt64, wait: Duration?) {
        let level = max(emptyAt, now.nanoseconds) + time(of: 1, at: rate)
        // A rate that was lowered leaves a longer time than that of one bucket.
        let most = now.nanoseconds + time(of: rate.burst, at: rate)
        return (level, level <= most ? nil : .nanoseconds(Int64(clamping: level - most)))
    }

    /// Counts what was taken, also where that is beyond the rate.
    ///
    /// - Returns: how long the party is to take nothing more.
    package mutating func took(
        _ count: Int, _ party: Party, at rate: RequestLimits.Rate, now: MonotonicInstant
    ) -> Duration {
        let index = buckets.place(of: party)
        let most = now.nanoseconds + Self.time(of: rate.burst, at: rate)
        let level = min(
            max(buckets[index].emptyAt, now.nanoseconds) + Self.time(of: count, at: rate),
            most + Self.longestDebt)
        buckets[index].emptyAt = level
        return level > most ? .nanoseconds(Int64(level - most)) : .zero
    }

    /// How long so many take at the rate, in nanoseconds; a day at most.
    private static func time(of count: Int, at rate: RequestLimits.Rate) -> UInt64 {
        let product = UInt64(max(0, count)).multipliedFullWidth(by: 1_000_000_000)
        let perSecond = UInt64(max(1, rate.perSecond))
        guard product.high < perSecond else { return longestTime }
        return min(perSecond.dividingFullWidth(product).quotient, longestTime)
    }

    private static var longestTime: UInt64 { 86_400_000_000_000 }
}
