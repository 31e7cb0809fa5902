/// How much a peer may send on one stream.
///
/// The window is what may lie unread on our side. It starts small, and doubles when the peer uses it up within
/// two round trips: then the window, not the reader, holds the stream back. It halves when half of it lasts long.
/// What it has beyond the guaranteed minimum is drawn from the budget that all streams share, so a stalled stream
/// never costs another its minimum; that counts there too once much of a body comes, so that the more streams have
/// theirs, the less is left for wider ones.
struct ReceiveWindow {
    /// Half a window that lasts so long is too large: what comes in a round trip, however far the peer is, is less.
    private static let slowUse: Duration = .seconds(10)

    /// What the peer may still send.
    private(set) var credit: Int
    /// What of it was drawn before anything came.
    private(set) var promised = 0
    /// Whether nothing came yet that makes it worth more memory.
    private(set) var isUnused = true
    private var size: Int
    private var borrowed = 0
    /// What of the minimum counts against the budget.
    private var counted = 0
    private var unreturned = 0
    private var lastGrant: MonotonicInstant

    init(minimum: Int, now: MonotonicInstant) {
        size = minimum
        credit = minimum
        lastGrant = now
    }

    /// Draws more before anything came, so that the first bytes need not wait for a round trip.
    ///
    /// - Returns: credit to tell the peer of.
    mutating func promise(_ extra: Int, budget: any ReceiveBudget) -> Int {
        promised = widen(to: size + extra, budget: budget, now: lastGrant)
        return promised
    }

    /// Many bytes come for the first time.
    mutating func begin(budget: any ReceiveBudget, now: MonotonicInstant) {
        isUnused = false
        promised = 0
        counted = size - borrowed
        budget.count(counted)
        // The time until then says nothing of how fast they come.
        if now.since(lastGrant) >= Self.slowUse { lastGrant = now }
    }

    /// - Returns: credit to grant now; 0 when the window is as wide already, or the budget does not have it.
    mutating func widen(to width: Int, budget: any ReceiveBudget, now: MonotonicInstant) -> Int {
        let extra = width - size
        guard extra > 0, budget.take(extra) else { return 0 }
        lastGrant = now
        borrowed += extra
        size += extra
        credit += extra
        return extra
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
        let time = now.since(lastGrant)
        if time < roundTrip * 2, size * 2 <= maximum, budget.take(size) {
            borrowed += size
            grant += size
            size *= 2
        } else if time >= Self.slowUse, borrowed > 0 {
            // The peer cannot be asked for credit: it is not told of what it used up.
            let surplus = min(size / 2, borrowed, grant)
            budget.giveBack(surplus)
            borrowed -= surplus
            grant -= surplus
            size -= surplus
        }
        unreturned = 0
        lastGrant = now
        credit += grant
        return grant > 0 ? grant : nil
    }

    /// What came and was not taken yet.
    var unread: Int { size - credit - unreturned }

    /// Nothing more comes: credit that is left needs no memory, only what lies unread does.
    mutating func end(to budget: any ReceiveBudget) {
        promised = 0
        let surplus = min(borrowed, credit + unreturned)
        guard surplus > 0 else { return }
        budget.giveBack(surplus)
        borrowed -= surplus
        size -= surplus
        let ofCredit = min(surplus, credit)
        credit -= ofCredit
        unreturned -= surplus - ofCredit
    }

    /// Whether it holds anything of the budget.
    var hasBorrowed: Bool { borrowed > 0 }

    /// The reader took so many bytes of a stream on which nothing more comes.
    mutating func consumedRest(_ count: Int) { unreturned += count }

    /// Gives back what was drawn from the budget, and counts no more.
    func release(to budget: any ReceiveBudget) {
        if borrowed > 0 { budget.giveBack(borrowed) }
        if counted > 0 { budget.count(-counted) }
    }
}
