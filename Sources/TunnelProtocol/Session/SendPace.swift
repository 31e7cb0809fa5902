/// How much may wait unsent for a peer: about what its link takes in a fifth of a second.
///
/// What was given to the connection cannot be overtaken: behind 400 KB a small answer waits for a minute at 56 kbit/s. How
/// fast the link is shows in how long the connection's buffer, once full, takes to drain. It begins with little, and a fast
/// link doubles that within its first round trips. What is under way in the network does not count, so that distance costs
/// no speed.
package struct SendPace {
    /// Bounds of `unsentBytes`.
    package static let bounds = 8 << 10...128 << 10
    /// A buffer that takes less time to drain may be larger, one that takes longer is too large.
    private static let drainTimes = Duration.milliseconds(50)...(.milliseconds(200))

    /// Bytes that the kernel takes ahead of what it sends.
    package private(set) var unsentBytes = 16 << 10
    /// Since when the connection's buffer takes no more.
    private var fullSince: MonotonicInstant?

    package init() {}

    /// Bytes in the connection's buffer, from which on it takes no more, and down to which it does not.
    package var waterMark: (low: Int, high: Int) { (unsentBytes / 2, 2 * unsentBytes) }

    /// Data that goes into one frame before the next begins.
    package var frameBytes: Int { min(64 << 10, unsentBytes / 2) }

    /// The buffer takes no more.
    package mutating func becameFull(now: MonotonicInstant) {
        if fullSince == nil { fullSince = now }
    }

    /// The buffer takes more again.
    ///
    /// - Returns: whether the sizes have changed.
    package mutating func drained(now: MonotonicInstant) -> Bool {
        guard let since = fullSince.take() else { return false }
        var time = now.since(since)
        let before = unsentBytes
        if time < Self.drainTimes.lowerBound { unsentBytes = min(2 * unsentBytes, Self.bounds.upperBound) }
        while time > Self.drainTimes.upperBound, unsentBytes > Self.bounds.lowerBound {
            unsentBytes /= 2
            time /= 2
        }
        return unsentBytes != before
    }
}
