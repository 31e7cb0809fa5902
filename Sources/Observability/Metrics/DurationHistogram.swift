/// How long things took, counted in buckets: a plain value that one thread has, and that can be added to others.
package struct DurationHistogram: Sendable, Hashable {
    /// The upper bounds of the buckets in microseconds; one more has no bound.
    package static let bounds: [Int64] = [
        1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
        5_000_000, 10_000_000, 30_000_000, 60_000_000,
    ]

    /// How many fell into each bucket, not those below it.
    package private(set) var counts = [UInt64](repeating: 0, count: bounds.count + 1)
    /// Of all durations, in microseconds.
    package private(set) var sum: Int64 = 0

    package init() {}

    package var count: UInt64 { counts.reduce(0, +) }

    package mutating func record(microseconds: Int64) {
        var bucket = 0
        while bucket < Self.bounds.count, microseconds > Self.bounds[bucket] { bucket += 1 }
        counts[bucket] += 1
        sum += microseconds
    }

    package static func += (one: inout DurationHistogram, other: DurationHistogram) {
        for bucket in one.counts.indices { one.counts[bucket] += other.counts[bucket] }
        one.sum += other.sum
    }
}
