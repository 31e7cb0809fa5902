/// How much a peer may send on one stream.
///
/// The window is what may lie unread on our side. It starts small, and doubles when the peer uses it up within
/// two round trips: then the window, not the reader, holds the stream back. What it has beyond the guaranteed
/// minimum is drawn from the budget that all streams share, so a stalled stream never costs another its minimum.
struct ReceiveWindow {
    /// What the peer may still send.
    private(set) var credit: Int
    private var size: Int
    private var borrowed: Int
    private var unreturned = 0
    private var lastGrant: MonotonicInstant

    /// - Parameter initial: wanted from the start; what is beyond the minimum is given only if the budget has it.
    init(initial: Int, minimum: Int, budget: any ReceiveBudget, now: MonotonicInstant) {
        let extra = max(0, initial - minimum)
        self.borrowed = budget.take(extra) ? extra : 0
        self.size = minimum + borrowed
        self.credit = size
        self.lastGrant = now
    }

    mutating func received(_ count: Int) throws(MuxError) {
        guard count <= credit else { throw .flowControl }
        credit -= count
    }

    /// The reader took so many bytes.
    ///
    /// - Returns: credit to grant now, or nil while it is too little to be worth a frame.
    mutating func consumed(
        _ count: Int, maximum: Int, roundTrip: Duration, budget: any ReceiveBudget, now: MonotonicInstant
    ) -> Int? {
        unreturned += count
        guard unreturned >= size / 2 else { return nil }
        var grant = unreturned
        if now.since(lastGrant) < roundTrip * 2, size * 2 <= maximum, budget.take(size) {
            borrowed += size
            grant += size
            size *= 2
        }
        unreturned = 0
        lastGrant = now
        credit += grant
        return grant
    }

    /// What came and was not taken yet.
    var unread: Int { size - credit - unreturned }

    /// The reader took so many bytes of a stream on which nothing more comes.
    mutating func consumedRest(_ count: Int) { unreturned += count }

    /// Gives back what was drawn from the budget.
    func release(to budget: any ReceiveBudget) {
        if borrowed > 0 { budget.giveBack(borrowed) }
    }
}
