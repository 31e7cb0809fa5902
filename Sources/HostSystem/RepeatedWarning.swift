/// What may go wrong a thousand times a second is told once a minute, with how often it happened.
package struct RepeatedWarning: Sendable {
    private static let interval: Duration = .seconds(60)

    private var toldAt: ContinuousClock.Instant?
    /// Since it was last told.
    private var count = 0

    package init() {}

    /// - Returns: how often it happened since it was last told, this time included; nil when it is not told now.
    package mutating func happened(now: ContinuousClock.Instant = .now) -> Int? {
        count += 1
        if let toldAt, now - toldAt < Self.interval { return nil }
        toldAt = now
        defer { count = 0 }
        return count
    }
}
