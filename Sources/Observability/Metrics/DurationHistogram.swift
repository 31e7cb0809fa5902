/// How long things took, counted in buckets: a plain value that one thread has, and that can be added to others.
package struct DurationHistogram: Sendable, Hashable {
    /// The upper bounds of the buckets in microseconds; one more has no bound.
    package static let bounds: [Int64] = [
        1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
        5_000_000, 10_000_000, 30_000_000, 60_000_000,
    ]

    /// Made when there is something to count: of thousands of tunnels many have nothing.
    private var buckets: [UInt64] = []
    /// Of all durations, in microseconds.
    package private(set) var sum: Int64 = 0

    package init() {}

    private static let none = [UInt64](repeating: 0, count: bounds.count + 1)

    /// How many fell into each bucket, not those below it.
    package var counts: [UInt64] { buckets.isEmpty ? Self.none : buckets }
    package var count: UInt64 { buckets.reduce(0, +) }

    package mutating func record(microseconds: Int64) {
        if buckets.isEmpty { buckets = Self.none }
        var bucket = 0
        while bucket < Self.bounds.count, microseconds > Self.bounds[bucket] { bucket += 1 }
        buckets[bucket] += 1
        sum += microseconds
    }

    package mutating func record(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        record(microseconds: seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }

    package static func += (one: inout DurationHistogram, other: DurationHistogram) {
        guard !other.buckets.isEmpty else { return }
        if one.buckets.isEmpty { one.buckets = none }
        for bucket in one.buckets.indices { one.buckets[bucket] += other.buckets[bucket] }
        one.sum += other.sum
    }
}
