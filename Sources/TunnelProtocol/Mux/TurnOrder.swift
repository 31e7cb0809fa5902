import DequeModule

/// Whose turn it is to write data, among the streams of a session that have some.
///
/// They go round, a turn each; but one that is new, or had nothing to write for a whole round, comes before the others, as
/// new flows do in RFC 8290. So a short answer or an event now and then does not wait behind a hundred downloads, and a
/// flood of short answers leaves these a ninth of the connection.
struct TurnOrder {
    /// What is written ahead of the others before one of those has its turn.
    static let mostAhead = 256 << 10

    private var ahead = Deque<StreamID>()
    private var others = Deque<StreamID>()
    /// Streams in there that have not ended.
    private(set) var count = 0
    /// Whether the one that was taken out last was ahead of the others.
    private var isAhead = false
    private var bytesAhead = 0
    private var turnsTaken: UInt64 = 0

    /// Puts a stream in that has something to write.
    ///
    /// - Parameter roundEnd: what came of its last turn; 0 when it had none.
    mutating func append(_ id: StreamID, roundEnd: UInt64) {
        count += 1
        if turnsTaken >= roundEnd { ahead.append(id) } else { others.append(id) }
    }

    /// Takes out the next one, which may have ended meanwhile.
    mutating func next() -> StreamID? {
        isAhead = !ahead.isEmpty && (bytesAhead < Self.mostAhead || others.isEmpty)
        return isAhead ? ahead.popFirst() : others.popFirst()
    }

    /// One that is in there has ended, or was taken out.
    mutating func left() { count -= 1 }

    /// The one that was taken out has written so much.
    ///
    /// - Returns: when everyone who waits now will have had a turn.
    mutating func tookTurn(_ bytes: Int) -> UInt64 {
        turnsTaken += 1
        bytesAhead = isAhead ? bytesAhead + bytes : 0
        return turnsTaken + UInt64(count)
    }
}
