/// When to tell of changes that come in bursts: once they have been quiet for a while, and at the latest some time
/// after the first.
struct ChangeDebounce: Sendable {
    private let quiet: Duration
    private let longest: Duration
    private var burst: (first: ContinuousClock.Instant, last: ContinuousClock.Instant)?

    init(quiet: Duration, longest: Duration) {
        self.quiet = quiet
        self.longest = longest
    }

    /// When to tell, or nil while there is nothing to tell.
    var deadline: ContinuousClock.Instant? {
        burst.map { min($0.last + quiet, $0.first + longest) }
    }

    /// Notes a change.
    mutating func changed(at now: ContinuousClock.Instant) {
        burst = (burst?.first ?? now, now)
    }

    /// True, once, when it is time to tell.
    mutating func isDue(at now: ContinuousClock.Instant) -> Bool {
        guard let deadline, now >= deadline else { return false }
        burst = nil
        return true
    }
}
