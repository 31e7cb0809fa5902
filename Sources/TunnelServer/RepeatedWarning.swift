import TunnelProtocol

/// What may go wrong a thousand times a second is told once a minute, with how often it happened.
struct RepeatedWarning {
    private static let interval: Duration = .seconds(60)

    private var toldAt: MonotonicInstant?
    /// Since it was last told.
    private var count = 0

    /// - Returns: how often it happened since it was last told, this time included; nil when it is not told now.
    mutating func happened(now: MonotonicInstant) -> Int? {
        count += 1
        if let toldAt, now.since(toldAt) < Self.interval { return nil }
        toldAt = now
        defer { count = 0 }
        return count
    }
}
