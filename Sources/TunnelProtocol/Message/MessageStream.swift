/// One exchange within a session of protocol v1.
struct MessageStream {
    /// Its number on the wire.
    let number: UInt16
    /// The method of the request: the answer to HEAD has no body.
    let method: String
    var outgoing: OutgoingMessage
    var unread: UnreadBytes
    /// Whether what comes is kept outside.
    var isReceivedOutside = false
    var hasSentEverything = false
    var hasReceivedEverything = false
    /// What still comes is dropped: the answer is whole without it.
    var ignoresRest = false

    init(number: UInt16, method: String, limits: SessionLimits) {
        self.number = number
        self.method = method
        self.outgoing = OutgoingMessage(limits: limits)
        self.unread = UnreadBytes(limits: limits)
    }

    var isDone: Bool { hasSentEverything && (hasReceivedEverything || ignoresRest) }
}

/// What came on a stream and was not taken yet. Beyond a guaranteed minimum it is drawn from the budget that all
/// streams of the process share.
struct UnreadBytes {
    private(set) var count = 0
    private var capacity: BorrowedCapacity
    /// For what is on its way outside, beside what the reader holds.
    private var passage = 0

    init(limits: SessionLimits) { capacity = BorrowedCapacity(limits: limits) }

    /// Whether more should not come for now.
    var isFull: Bool { count >= capacity.bytes + passage }

    /// From now on what comes is kept outside.
    mutating func openPassage(_ bytes: Int) { passage = bytes }

    mutating func received(_ bytes: Int, budget: any ReceiveBudget) {
        count += bytes
        while passage == 0, isFull, capacity.grow(budget) {}
    }

    mutating func consumed(_ bytes: Int) { count = max(0, count - bytes) }

    func release(to budget: any ReceiveBudget) {
        var capacity = capacity
        capacity.release(to: budget)
    }
}

/// Room for the bytes of one stream in one direction: a guaranteed minimum, doubled out of the budget that all streams
/// of the process share.
struct BorrowedCapacity {
    private let maximum: Int
    private(set) var bytes: Int
    private var borrowed = 0

    init(limits: SessionLimits) {
        maximum = limits.v1.maximumStoredBytes
        bytes = limits.freeStoredBytes
    }

    /// - Returns: false when there is no more.
    mutating func grow(_ budget: any ReceiveBudget) -> Bool {
        guard bytes * 2 <= maximum, budget.take(bytes) else { return false }
        borrowed += bytes
        bytes *= 2
        return true
    }

    /// Gives back what was drawn from the budget.
    mutating func release(to budget: any ReceiveBudget) {
        if borrowed > 0 { budget.giveBack(borrowed) }
        borrowed = 0
    }
}
