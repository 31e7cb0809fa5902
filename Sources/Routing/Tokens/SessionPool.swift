/// The sessions of one token, and which of them gets the next stream.
///
/// A token has one session or ten thousand: nothing here takes time in proportion to how many, but for a logarithm, and
/// but for `all`. Those that take a stream stand in a line for each event loop, a binary heap by their rank; so the next
/// for a caller is the first of one of the lines, of which there are as many as the machine has cores at most.
struct SessionPool: Sendable {
    typealias Member = ServingSession
    typealias Session = TokenTable.SessionHandle
    /// Where a session stands for as long as it is here.
    typealias Place = Int

    private struct Line: Sendable {
        let loop: Int
        var heap: [Place] = []
        /// Sessions of the loop that are not draining.
        var taking = 0
    }

    /// Places at most that `some` looks at.
    private static var mostLooks: Int { 1024 }

    private var members: [Member?] = []
    private var loads: [SessionLoad] = []
    private var vacant: [Place] = []
    private var lines: [Line] = []
    /// Streams that are open in all.
    private(set) var openStreams = 0
    /// Where `some` goes on.
    private var next = 0

    var count: Int { members.count - vacant.count }
    var isEmpty: Bool { count == 0 }
    /// Whether a session takes streams, be it that all it takes are in use now.
    var isUp: Bool { lines.contains { $0.taking > 0 } }

    /// Whether a session takes one more stream now.
    var hasRoom: Bool { lines.contains { !$0.heap.isEmpty } }

    /// Every session. Takes time in proportion to their number.
    var all: [Member] { members.compactMap(\.self) }

    /// Every session, with the streams that are open in it and whether it drains. Takes time in proportion to their number.
    var standings: [(member: Member, openStreams: Int, isDraining: Bool)] {
        members.indices.compactMap { place in
            members[place].map { ($0, loads[place].openStreams, loads[place].isDraining) }
        }
    }

    /// The session at this place.
    subscript(place: Place) -> Session? { members[place]?.session }

    /// So many of the sessions at most, others each time; fewer where a crowd has left, and its places are vacant.
    mutating func some(_ most: Int) -> [Member] {
        var found: [Member] = []
        for _ in 0..<min(Self.mostLooks, members.count) {
            guard found.count < most else { break }
            next = (next + 1) % members.count
            if let member = members[next] { found.append(member) }
        }
        return found
    }

    /// Sessions that are not draining, on each of so many event loops.
    func sessionsPerLoop(_ loops: Int) -> [Int] {
        var counts = [Int](repeating: 0, count: loops)
        for line in lines where line.loop < loops { counts[line.loop] = line.taking }
        return counts
    }

    mutating func join(_ member: Member) -> Place {
        let line = self.line(of: member.loop)
        lines[line].taking += 1
        let load = SessionLoad(capacity: member.capacity, isSerial: member.isSerial, line: line)
        let place = vacant.popLast() ?? members.count
        if place == members.count {
            members.append(member)
            loads.append(load)
        } else {
            members[place] = member
            loads[place] = load
        }
        settle(place)
        return place
    }

    mutating func leave(_ place: Place) -> Member? {
        drain(place)
        openStreams -= loads[place].openStreams
        let member = members[place].take()
        vacant.append(place)
        if isEmpty { self = SessionPool() }
        return member
    }

    /// It takes no new streams.
    ///
    /// - Returns: the session.
    @discardableResult mutating func drain(_ place: Place) -> Session? {
        if !loads[place].isDraining {
            loads[place].isDraining = true
            lines[loads[place].line].taking -= 1
            settle(place)
        }
        return members[place]?.session
    }

    mutating func setOccupied(_ place: Place, _ isOccupied: Bool) {
        loads[place].isOccupied = isOccupied
        settle(place)
    }

    mutating func streamEnded(_ place: Place) {
        loads[place].openStreams -= 1
        openStreams -= 1
        settle(place)
    }

    /// Gives a stream to the session with the fewest on the caller's own loop, else on any; equals take turns.
    mutating func takeTurn(_ loop: Int, _ turns: inout UInt64) -> (id: UInt64, session: Session)? {
        var best: (place: Place, rank: SessionLoad.Rank)?
        for line in lines.indices {
            guard let place = lines[line].heap.first else { continue }
            let rank = rank(of: place, isOnItsLoop: lines[line].loop == loop)
            if let best, best.rank < rank { continue }
            best = (place, rank)
            if rank.delay == 0 { break }
        }
        guard let (place, _) = best else { return nil }
        turns += 1
        openStreams += 1
        loads[place].openStreams += 1
        loads[place].lastTurn = turns
        settle(place)
        return members[place].map { ($0.id, $0.session) }
    }

    /// A hop between loops costs something, but less than waiting for another stream; behind one that has the connection
    /// for itself it does not matter.
    private func rank(of place: Place, isOnItsLoop: Bool) -> SessionLoad.Rank {
        var rank = loads[place].rank
        if !isOnItsLoop, rank.delay < 4 { rank.delay += 1 }
        return rank
    }

    private mutating func line(of loop: Int) -> Int {
        if let line = lines.firstIndex(where: { $0.loop == loop }) { return line }
        lines.append(Line(loop: loop))
        return lines.count - 1
    }

    // MARK: The lines

    /// Puts a session where it belongs, after anything about it has changed.
    private mutating func settle(_ place: Place) {
        let line = loads[place].line
        if loads[place].isFree {
            if loads[place].position < 0 {
                loads[place].position = lines[line].heap.count
                lines[line].heap.append(place)
            }
            rise(place, line)
            sink(place, line)
        } else if loads[place].position >= 0 {
            let position = loads[place].position
            loads[place].position = -1
            guard let last = lines[line].heap.popLast(), last != place else { return }
            put(last, at: position, line)
            rise(last, line)
            sink(last, line)
        }
    }

    private mutating func rise(_ place: Place, _ line: Int) {
        var position = loads[place].position
        while position > 0 {
            let parent = lines[line].heap[(position - 1) / 2]
            guard loads[place].rank < loads[parent].rank else { break }
            put(parent, at: position, line)
            position = (position - 1) / 2
            put(place, at: position, line)
        }
    }

    private mutating func sink(_ place: Place, _ line: Int) {
        let count = lines[line].heap.count
        var position = loads[place].position
        while position * 2 + 1 < count {
            var child = position * 2 + 1
            if child + 1 < count,
                loads[lines[line].heap[child + 1]].rank < loads[lines[line].heap[child]].rank
            {
                child += 1
            }
            let other = lines[line].heap[child]
            guard loads[other].rank < loads[place].rank else { break }
            put(other, at: position, line)
            position = child
            put(place, at: position, line)
        }
    }

    private mutating func put(_ place: Place, at position: Int, _ line: Int) {
        lines[line].heap[position] = place
        loads[place].position = position
    }
}
