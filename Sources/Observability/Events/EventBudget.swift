/// How many events of one kind are told: a burst, then so many a second. Whoever can bring one kind about as often as he likes
/// washes no others out, and fills neither a history nor anybody's inbox.
struct EventBudget: Sendable {
    /// Told at once: all tunnels of a large agent may lose their sessions together. Less than all events that are kept.
    static let burst = 3072
    /// After them, each second.
    static let rate = 5

    /// What becomes of an event.
    enum Verdict: Equatable {
        /// - Parameter suppressed: how many before it were not told.
        case told(suppressed: Int)
        /// The first of several that are not told.
        case firstSuppressed
        case suppressed
    }

    private var left = Self.burst
    private var suppressed = 0
    /// Up to when `left` was worked out.
    private var refilledAt: ContinuousClock.Instant?

    /// One of them happened.
    mutating func happened(now: ContinuousClock.Instant) -> Verdict {
        let before = refilledAt ?? now
        let seconds = Int(clamping: (now - before).components.seconds)
        if refilledAt == nil || seconds > 0 {
            left = min(Self.burst, left + min(seconds, Self.burst) * Self.rate)
            refilledAt = before + .seconds(seconds)
        }
        guard left > 0 else {
            suppressed += 1
            return suppressed == 1 ? .firstSuppressed : .suppressed
        }
        left -= 1
        defer { suppressed = 0 }
        return .told(suppressed: suppressed)
    }
}
