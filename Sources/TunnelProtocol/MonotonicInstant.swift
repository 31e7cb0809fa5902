/// A point on a clock that never goes back; only differences mean anything.
package struct MonotonicInstant: Hashable, Comparable, Sendable {
    /// Nanoseconds since an arbitrary start.
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// The time from an earlier instant to this one; zero when it is later.
    package func since(_ earlier: Self) -> Duration {
        .nanoseconds(
            Int64(clamping: nanoseconds >= earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0))
    }

    /// The instant so much later.
    package func advanced(by duration: Duration) -> Self {
        let (seconds, attoseconds) = duration.components
        let delta = UInt64(max(0, seconds)) &* 1_000_000_000 &+ UInt64(max(0, attoseconds)) / 1_000_000_000
        return Self(nanoseconds: nanoseconds &+ delta)
    }

    package static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }
}
