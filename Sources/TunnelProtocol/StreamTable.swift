/// Values by stream: what a dictionary does, without its keyed hash, which took a tenth of a small request's time.
///
/// Identifiers are counted up by the server, and no more are in use than a session may have streams: a peer that
/// chose them to collide would slow down its own session, within that bound. Public, and inlinable, for the optimiser
/// alone: it makes no version of its own of a generic type from another module that is `package`.
public struct StreamTable<Value> {
    /// Open addressing: the position of an entry plus one, or 0 for an empty slot. A quarter stays empty.
    @usableFromInline var slots: [Int32] = []
    @usableFromInline var ids: [StreamID] = []
    /// Their values, in the same order.
    public var values: [Value] = []

    @inlinable public init() {}

    /// The streams that have a value, in no order.
    @inlinable public var keys: [StreamID] { ids }
    @inlinable public var count: Int { ids.count }
    @inlinable public var isEmpty: Bool { ids.isEmpty }

    @inlinable public subscript(id: StreamID) -> Value? {
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

    /// Adds the value of a stream that has none. It is taken over: the subscript copies it.
    @inlinable public mutating func insert(_ value: consuming Value, for id: StreamID) { append(id, value) }

    /// Where in `values` a stream's value is, until the next one is added or removed.
    @inlinable public func index(forKey id: StreamID) -> Int? {
        slot(of: id).map { Int(slots[$0]) - 1 }
    }

    @discardableResult
    @inlinable public mutating func removeValue(forKey id: StreamID) -> Value? {
        guard let slot = slot(of: id) else { return nil }
        let index = Int(slots[slot]) - 1
        empty(slot)
        let last = ids.count - 1
        if index < last, let moved = self.slot(of: ids[last]) { slots[moved] = Int32(index + 1) }
        let lastID = ids.removeLast()
        var value = values.removeLast()
        if index < last {
            ids[index] = lastID
            // Not `swapAt`, which copies both.
            swap(&values[index], &value)
        }
        // After a flood of streams its memory is not kept.
        if ids.isEmpty, slots.count > Self.keptSlots { self = StreamTable() }
        return value
    }

    @inlinable static var fewestSlots: Int { 8 }
    @inlinable static var keptSlots: Int { 64 }

    @inlinable mutating func append(_ id: StreamID, _ value: consuming Value) {
        if (ids.count + 1) * 4 > slots.count * 3 {
            slots = [Int32](repeating: 0, count: max(Self.fewestSlots, slots.count * 2))
            for index in ids.indices { occupy(ids[index], index) }
        }
        ids.append(id)
        values.append(value)
        occupy(id, ids.count - 1)
    }

    /// Where the search for a stream begins. Multiplying spreads neighbours, and multiples of the table's length.
    @inlinable func home(_ id: StreamID) -> Int {
        Int(truncatingIfNeeded: (id.rawValue &* 0x9e37_79b1) >> 7) & (slots.count - 1)
    }

    @inlinable func slot(of id: StreamID) -> Int? {
        guard !ids.isEmpty else { return nil }
        var slot = home(id)
        while slots[slot] != 0 {
            if ids[Int(slots[slot]) - 1] == id { return slot }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    @inlinable mutating func occupy(_ id: StreamID, _ index: Int) {
        var slot = home(id)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = Int32(index + 1)
    }

    /// Empties a slot, and moves what would no more be found behind the gap into it.
    @inlinable mutating func empty(_ slot: Int) {
        let mask = slots.count - 1
        var gap = slot
        var next = (gap + 1) & mask
        while slots[next] != 0 {
            let distance = (next - home(ids[Int(slots[next]) - 1])) & mask
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
