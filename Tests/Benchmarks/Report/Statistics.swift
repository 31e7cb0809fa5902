/// The middle and the ends of some values.
package struct Statistics: Hashable, Sendable {
    package let median: Double
    package let minimum: Double
    package let maximum: Double

    /// - Returns: nil when there are no values.
    package init?(_ values: [Double]) {
        let sorted = values.sorted()
        guard let first = sorted.first, let last = sorted.last else { return nil }
        (minimum, maximum) = (first, last)
        let middle = sorted.count / 2
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// The smallest value that no more than a share of all values exceed: 0.99 for the 99th percentile.
    ///
    /// - Returns: nil when there are no values.
    package static func percentile(_ share: Double, of values: [Double]) -> Double? {
        guard !values.isEmpty else { return nil }
        let rank = Int((share * Double(values.count)).rounded(.up))
        return values.sorted()[min(max(rank, 1), values.count) - 1]
    }
}
