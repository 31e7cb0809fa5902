import DequeModule

/// How much those on one event loop may do with what came for them before its sockets are looked at again: one turn of
/// the loop. What is more than that waits in line, and has its turn later.
///
/// Who sends thousands of tiny frames at once would have the loop for itself for a third of a second otherwise. Work is
/// counted in units of less than a tenth of a microsecond: a frame of a WebSocket takes one.
struct TurnAllowance<Member> {
    /// Units for all together. A request crosses several turns of busy loops, one after another.
    static var perTurn: Int { 2048 }
    /// For each of several in line: it is shared fairly, and the line moves.
    static var quantum: Int { 512 }
    /// For who is not in line, though nothing is left: who sends little at a time goes before all who send much.
    static var least: Int { 256 }

    private var left = TurnAllowance.perTurn
    private var line = Deque<Member>()

    /// Whether somebody has to go on in a later turn.
    var isAnyoneInLine: Bool { !line.isEmpty }
    /// Whether so much is used up that the next turn should begin with all of it again.
    var isLow: Bool { left < Self.perTurn / 2 }

    /// What somebody may do for whom something has just come.
    var share: Int { line.isEmpty ? max(Self.least, left) : Self.least }

    mutating func spend(_ work: Int) { left -= work }

    /// Somebody has used up its share, and there is more. It is in line once.
    mutating func wait(_ member: Member) { line.append(member) }

    /// A turn begins.
    mutating func begin() { left = Self.perTurn }

    /// Takes the first out of the line, with what it may do now; nil when the line or the turn is over.
    mutating func next() -> (Member, share: Int)? {
        guard left > 0, let member = line.popFirst() else { return nil }
        return (member, line.isEmpty ? left : min(left, Self.quantum))
    }
}
