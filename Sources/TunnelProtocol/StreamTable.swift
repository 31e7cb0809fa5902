/// Values by stream: what a dictionary does, without its keyed hash, which took a tenth of a small request's time.
///
/// Identifiers are counted up by the server, and no more are in use than a session may have streams: a peer that
/// chose them to collide would slow down its own session, within that bound.
package struct StreamTable<Value> {
    /// Open addressing: the position of an entry plus one, or 0 for an empty slot. A quarter stays empty.
    private var slots: [Int32] = []
    /// The streams that have a value, in no order.
    package private(set) var keys: [StreamID] = []
    /// Their values, in the same order.
    package var values: [Value] = []

    package init() {}

    package var count: Int { keys.count }
    package var isEmpty: Bool { keys.isEmpty }

    package subscript(id: StreamID) -> Value? {
        get { index(forKey: id).map { values[$0] } }
        set {
            guard let newValue else {
                removeValue(forKey: id)
                return
            }
            if let index = index(forKey: id) {
                values[index] = newValue
            } else {
                append(id, newValue)
            }
        }
    }

    /// Where in `values` a stream's value is, until the next one is added or removed.
    package func index(forKey id: StreamID) -> Int? {
        slot(of: id).map { Int(slots[$0]) - 1 }
    }

    @discardableResult
    package mutating func removeValue(forKey id: StreamID) -> Value? {
        guard let slot = slot(of: id) else { return nil }
        let index = Int(slots[slot]) - 1
        empty(slot)
        let last = keys.count - 1
        if index < last, let moved = self.slot(of: keys[last]) {
            slots[moved] = Int32(index + 1)
            keys.swapAt(index, last)
            values.swapAt(index, last)
        }
        keys.removeLast()
        let value = values.removeLast()
        // After a flood of streams its memory is not kept.
        if keys.isEmpty, slots.count > Self.keptSlots { self = StreamTable() }
        return value
    }

    private static var fewestSlots: Int { 8 }
    private static var keptSlots: Int { 64 }

    private mutating func append(_ id: StreamID, _ value: Value) {
        if (keys.count + 1) * 4 > slots.count * 3 {
            slots = [Int32](repeating: 0, count: max(Self.fewestSlots, slots.count * 2))
            for index in keys.indices { occupy(keys[index], index) }
        }
        keys.append(id)
        values.append(value)
        occupy(id, keys.count - 1)
    }

    /// Where the search for a stream begins. Multiplying spreads neighbours, and multiples of the table's length.
    private func home(_ id: StreamID) -> Int {
        Int(truncatingIfNeeded: (id.rawValue &* 0x9e37_79b1) >> 7) & (slots.count - 1)
    }

    private func slot(of id: StreamID) -> Int? {
        guard !keys.isEmpty else { return nil }
        var slot = home(id)
        while slots[slot] != 0 {
            if keys[Int(slots[slot]) - 1] == id { return slot }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    private mutating func occupy(_ id: StreamID, _ index: Int) {
        var slot = home(id)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = Int32(index + 1)
    }

    /// Empties a slot, and moves what would no more be found behind the gap into it.
    private mutating func empty(_ slot: Int) {
        let mask = slots.count - 1
        var gap = slot
        var next = (gap + 1) & mask
        while slots[next] != 0 {
            let distance = (next - home(keys[Int(slots[next]) - 1])) & mask
            if distance >= (next - gap) & mask {
                slots[gap] = slots[next]
                gap = next
            }
            next = (next + 1) & mask
        }
        slots[gap] = 0
    }
}

extension StreamTable: Sendable where Value: Sendable {}
