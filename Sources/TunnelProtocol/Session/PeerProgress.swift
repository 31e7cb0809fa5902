/// Whether a peer takes what is sent to it, as far as its machine tells by acknowledging bytes (RFC 9293 §3.4).
///
/// On a slow link the answer to a ping waits behind what was sent before: as long as that moves, the peer is not silent.
/// And one that takes nothing of what waits for it is dead, whatever it sends itself. A machine whose program does not
/// read acknowledges no more than its buffer holds.
package struct PeerProgress {
    package enum Finding: Hashable {
        /// Everything that was sent has arrived.
        case nothingWaits
        /// Some of what waited at the last look has arrived since, and some is on its way still: with it, maybe, what the
        /// peer would answer.
        case moving
        /// Something waits, and nothing has arrived for so long, as far as was looked.
        case standing(Duration)
    }

    private var acknowledged: UInt64?
    /// What will be acknowledged when everything has arrived that waited at the last look.
    private var waitedUpTo: UInt64 = 0
    private var standingSince: MonotonicInstant?

    package init() {}

    /// - Parameters:
    ///   - acknowledged: bytes since the connection began.
    ///   - waiting: bytes that were given to the connection and not acknowledged.
    ///   - hasMore: whether anything was not even given to it.
    package mutating func observe(
        acknowledged: UInt64, waiting: Int, hasMore: Bool, now: MonotonicInstant
    ) -> Finding {
        let hasMoved = acknowledged != self.acknowledged
        let isUnderWay = acknowledged < waitedUpTo
        self.acknowledged = acknowledged
        waitedUpTo = acknowledged &+ UInt64(max(0, waiting))
        guard waiting > 0 || hasMore else {
            standingSince = nil
            return .nothingWaits
        }
        if !hasMoved, let standingSince { return .standing(now.since(standingSince)) }
        standingSince = now
        return hasMoved && isUnderWay ? .moving : .standing(.zero)
    }
}
