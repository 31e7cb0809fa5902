package import TunnelProtocol

/// Slows down who guesses: after some failures a peer has to wait between two tries.
///
/// Each peer has a bucket of failures that empties with time, kept as the moment at which it will be empty. There is a fixed
/// number of buckets, in sets of eight: a peer's set follows from a hash that is seeded at random in each process, and in a
/// full set the emptiest bucket goes to the newcomer. So nothing grows or is swept, and peers that have failed once fill
/// nothing.
///
/// Nobody has to answer for others: peers are told apart by 64 bits of the hash, so that two of a set are taken for one
/// once in some 10^18 times. And to be forgotten, a guesser needs eight peers in his set that have failed as often as he has:
/// as he cannot know who is in it, thousands of addresses that guess as much as they may, each of which he has anyway.
package struct FailureThrottle<Peer: Hashable & Sendable>: Sendable {
    private struct Bucket: Sendable {
        var peer = 0
        /// What failed last, hashed; 0 for nothing.
        var guess = 0
        /// When all is forgiven, in nanoseconds.
        var emptyAt: UInt64 = 0
    }

    /// Buckets in a set.
    package static var setSize: Int { 8 }
    /// 192 KiB of memory in all, from the first failure on. A power of two.
    package static var setCount: Int { 1024 }

    /// When a bucket is full, counted from now: all failures that are tolerated at once.
    private let full: UInt64
    /// After so many nanoseconds one failure is forgiven.
    private let forgiveness: UInt64
    /// None until something fails.
    private var buckets: [Bucket] = []

    /// - Parameters:
    ///   - tolerance: failures that a peer may have at once.
    ///   - forgiveness: after so long one of them is forgiven.
    package init(tolerance: Int, forgiveness: Duration) {
        self.forgiveness = MonotonicInstant(nanoseconds: 0).advanced(by: forgiveness).nanoseconds
        full = self.forgiveness * UInt64(tolerance)
    }

    /// Whether a peer must wait before it may try again.
    package func refuses(_ peer: Peer, now: MonotonicInstant) -> Bool {
        let hash = peer.hashValue
        guard !buckets.isEmpty, let index = set(of: hash).first(where: { buckets[$0].peer == hash }) else {
            return false
        }
        return !hasRoom(buckets[index].emptyAt, now)
    }

    /// A peer has failed.
    ///
    /// - Parameter guess: what with, if that matters: the same once more counts no second time. One client may have to
    ///   send its password in one field first, and then in another.
    /// - Returns: whether that is tolerated: else it must wait, as `refuses` would have said before.
    @discardableResult
    package mutating func failed(_ peer: Peer, guess: String? = nil, now: MonotonicInstant) -> Bool {
        if buckets.isEmpty {
            buckets = Array(repeating: Bucket(), count: Self.setCount * Self.setSize)
        }
        let hash = peer.hashValue
        let set = set(of: hash)
        guard
            let index = set.first(where: { buckets[$0].peer == hash })
                ?? set.min(by: { buckets[$0].emptyAt < buckets[$1].emptyAt })
        else { return true }
        if buckets[index].peer != hash { buckets[index] = Bucket(peer: hash) }
        guard hasRoom(buckets[index].emptyAt, now) else { return false }
        let guessHash = guess?.hashValue ?? 0
        guard guessHash == 0 || guessHash != buckets[index].guess else {
            buckets[index].guess = 0
            return true
        }
        buckets[index].guess = guessHash
        buckets[index].emptyAt = max(buckets[index].emptyAt, now.nanoseconds) + forgiveness
        return true
    }

    private func hasRoom(_ emptyAt: UInt64, _ now: MonotonicInstant) -> Bool {
        emptyAt + forgiveness <= now.nanoseconds + full
    }

    private func set(of hash: Int) -> Range<Int> {
        let first = (hash & (Self.setCount - 1)) * Self.setSize
        return first..<first + Self.setSize
    }
}
