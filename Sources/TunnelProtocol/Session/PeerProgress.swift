/// Whether a peer takes what is sent to it, as far as its machine tells by acknowledging bytes (RFC 9293 §3.4).
///
/// On a slow link the answer to a ping waits behind what was sent before: as long as that moves, the peer is not silent.
/// And one that takes nothing of what waits for it is dead, whatever it sends itself. A machine whose program does not
/// read acknowledges no more than its buffer holds.
package struct PeerProgress {
    package enum Finding: Hashable {
        /// Everything that was sent has arrived.
        case nothingWaits
        /// Something waits, and some of what waited has arrived since the last look.
        case moving
        /// Something waits, and nothing has arrived for so long, as far as was looked.
        case standing(Duration)
    }

    private var acknowledged: UInt64?
    private var standingSince: MonotonicInstant?

    package init() {}

    /// - Parameters:
    ///   - acknowledged: bytes since the connection began.
    ///   - isWaiting: whether anything was not acknowledged, or was not even sent.
    package mutating func observe(
        acknowledged: UInt64, isWaiting: Bool, now: MonotonicInstant
    ) -> Finding {
        let hasMoved = acknowledged != self.acknowledged
        self.acknowledged = acknowledged
        guard isWaiting else {
            standingSince = nil
            return .nothingWaits
        }
        if !hasMoved, let standingSince { return .standing(now.since(standingSince)) }
        standingSince = now
        return hasMoved ? .moving : .standing(.zero)
    }
}
