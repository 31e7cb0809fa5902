/// Values by small numbers, each given out again once its value is removed: a look-up is a look into an array.
struct SlotTable<Value> {
    private var slots: [Value?] = []
    private var free: [Int] = []

    /// How many values there are.
    var count: Int { slots.count - free.count }

    /// - Returns: the number under which the value is kept from now on.
    mutating func insert(_ value: Value) -> Int {
        if let number = free.popLast() {
            slots[number] = value
            return number
        }
        slots.append(value)
        return slots.count - 1
    }

    /// The value of a number; nil when there is none.
    subscript(number: Int) -> Value? { number < slots.count ? slots[number] : nil }

    /// Puts a value in the place of the one that is kept under this number.
    mutating func replace(_ number: Int, by value: Value) { slots[number] = value }

    /// Removes a value, if it is there; its number is free then.
    @discardableResult
    mutating func remove(_ number: Int) -> Value? {
        guard number < slots.count, let value = slots[number].take() else { return nil }
        free.append(number)
        return value
    }
}
