/// Where in a file the bytes lie that were put there and not yet taken: in order, round and round, so that it never grows
/// beyond its capacity.
struct SpillRing {
    /// Where a piece lies, in one run of bytes.
    struct Piece: Equatable {
        var offset: Int
        var count: Int
    }

    let capacity: Int
    /// Bytes that lie there.
    private(set) var count = 0
    private var start = 0

    init(capacity: Int) { self.capacity = capacity }

    var isFull: Bool { count == capacity }

    /// Where so many bytes can be put, or as many as fit in one run; nil when it is full.
    func room(for wanted: Int) -> Piece? {
        let end = (start + count) % capacity
        let run = end < start ? start - end : capacity - end
        let fitting = min(wanted, run, capacity - count)
        return fitting > 0 ? Piece(offset: end, count: fitting) : nil
    }

    /// What `room` gave has been filled so far.
    mutating func filled(_ bytes: Int) { count += bytes }

    /// Where the oldest bytes lie, at most so many; nil when there are none.
    func oldest(_ wanted: Int) -> Piece? {
        let fitting = min(wanted, count, capacity - start)
        return fitting > 0 ? Piece(offset: start, count: fitting) : nil
    }

    /// The oldest bytes were taken.
    mutating func taken(_ bytes: Int) {
        count -= bytes
        start = (start + bytes) % capacity
    }

    /// Begins at the front again: it is empty, and nothing is on its way to it.
    mutating func rewind() { start = 0 }
}
