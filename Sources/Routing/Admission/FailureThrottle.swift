package import TunnelProtocol

/// Slows down who guesses: after some failures a peer has to wait between two tries.
///
/// Each peer has a bucket of failures that empties with time; peers that have failed once fill nothing.
///
/// To be forgotten, a guesser needs eight peers in his set that have failed as often as he has:
/// as he cannot know who is in it, thousands of addresses that guess as much as they may, each of which he has anyway.
package struct FailureThrottle<Peer: Hashable & Sendable>: Sendable {
    /// Buckets in a set.
    package static var setSize: Int { BucketTable<Int>.setSize }
    /// 192 KiB of memory in all, from the first failure on. A power of two.
    package static var setCount: Int { 1024 }

    /// When a bucket is full, counted from now: all failures that are tolerated at once.
    private let full: UInt64
    /// After so many nanoseconds one failure is forgiven.
    private let forgiveness: UInt64
    /// With what failed last, hashed; 0 for nothing.
    private var buckets = BucketTable<Int>(setCount: Self.setCount, note: 0)

    /// - Parameters:
    ///   - tolerance: failures that a peer may have at once.
    ///   - forgiveness: after so long one of them is forgiven.
    package init(tolerance: Int, forgiveness: Duration) {
        self.forgiveness = MonotonicInstant(nanoseconds: 0).advanced(by: forgiveness).nanoseconds
        full = self.forgiveness * UInt64(tolerance)
    }

    /// Whether a peer must wait before it may try again.
    package func refuses(_ peer: Peer, now: MonotonicInstant) -> Bool {
        guard let index = buckets.find(peer) else { return false }
        return !hasRoom(buckets[index].emptyAt, now)
    }

    /// A peer has failed.
    ///
    /// - Parameter guess: what with, if that matters: the same once more counts no second time. One client may have to
    ///   send its password in one field first, and then in another.
    /// - Returns: whether that is tolerated: else it must wait, as `refuses` would have said before.
    @discardableResult
    package mutating func failed(_ peer: Peer, guess: String? = nil, now: MonotonicInstant) -> Bool {
        let index = buckets.place(of: peer)
        guard hasRoom(buckets[index].emptyAt, now) else { return false }
        let guessHash = guess?.hashValue ?? 0
        guard guessHash == 0 || guessHash != buckets[index].note else {
            buckets[index].note = 0
            return true
        }
        buckets[index].note = guessHash
        buckets[index].emptyAt = max(buckets[index].emptyAt, now.nanoseconds) + forgiveness
        return true
    }

    private func hasRoom(_ emptyAt: UInt64, _ now: MonotonicInstant) -> Bool {
        emptyAt + forgiveness <= now.nanoseconds + full
    }
}
