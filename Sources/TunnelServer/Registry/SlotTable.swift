/// Values under numbers that are small, so that finding one costs no hash. A number is given anew when its value has left.
struct SlotTable<Value: Sendable>: Sendable {
    private var values: [Value?] = []
    private var vacant: [Int] = []

    /// The value that came by this number, while it is here.
    subscript(slot: Int) -> Value? { values.indices.contains(slot) ? values[slot] : nil }

    /// - Returns: its number for as long as it is here.
    mutating func insert(_ value: Value) -> Int {
        guard let slot = vacant.popLast() else {
            values.append(value)
            return values.count - 1
        }
        values[slot] = value
        return slot
    }

    @discardableResult mutating func remove(_ slot: Int) -> Value? {
        guard values.indices.contains(slot), let value = values[slot].take() else { return nil }
        vacant.append(slot)
        // After a crowd its memory is not kept.
        if vacant.count == values.count { self = SlotTable() }
        return value
    }
}
