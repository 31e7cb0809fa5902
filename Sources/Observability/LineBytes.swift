/// The bytes of a line in the making, in memory of its own, so that appending a piece is a copy and little else: no
/// look whether somebody shares it. Each request writes a line of some forty pieces.
struct LineBytes: ~Copyable {
    /// Room for most lines.
    private static let usualLength = 512

    private var memory = UnsafeMutablePointer<UInt8>.allocate(capacity: usualLength)
    private var capacity = usualLength
    private(set) var count = 0

    deinit { memory.deallocate() }

    mutating func append(_ byte: UInt8) {
        makeRoom(for: 1)
        memory[count] = byte
        count += 1
    }

    mutating func append(utf8 text: String) {
        var text = text
        text.withUTF8 { append($0) }
    }

    mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { append($0) }
    }

    mutating func append(contentsOf bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { append($0) }
    }

    /// Appends a whole number.
    mutating func append(decimal number: Int64) {
        if number < 0 { append(UInt8(ascii: "-")) }
        append(decimal: number.magnitude)
    }

    /// Appends a whole number.
    mutating func append(decimal number: UInt64) {
        var digits = 1
        var rest = number
        while rest >= 10 {
            rest /= 10
            digits += 1
        }
        append(number, digits: digits)
    }

    /// Appends the last two decimal digits of a number, with a leading zero.
    mutating func append(twoDigits number: UInt8) {
        makeRoom(for: 2)
        memory[count] = UInt8(ascii: "0") + number / 10 % 10
        memory[count + 1] = UInt8(ascii: "0") + number % 10
        count += 2
    }

    /// Appends what stands before the value of a field: its name between two texts.
    @inline(__always)
    mutating func append(_ front: StaticString, _ name: StaticString, _ back: StaticString) {
        makeRoom(for: front.utf8CodeUnitCount + name.utf8CodeUnitCount + back.utf8CodeUnitCount)
        place(front)
        place(name)
        place(back)
    }

    /// Puts a text where there is room for it.
    @inline(__always)
    private mutating func place(_ text: StaticString) {
        (memory + count).update(from: text.utf8Start, count: text.utf8CodeUnitCount)
        count += text.utf8CodeUnitCount
    }

    /// Appends the last `digits` decimal digits of a number, with leading zeros.
    mutating func append(_ number: UInt64, digits: Int) {
        makeRoom(for: digits)
        var rest = number
        var place = count + digits
        while place > count {
            place -= 1
            memory[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        count += digits
    }

    /// The bytes as an array.
    consuming func array() -> [UInt8] { Array(UnsafeBufferPointer(start: memory, count: count)) }

    mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard let start = bytes.baseAddress else { return }
        makeRoom(for: bytes.count)
        (memory + count).update(from: start, count: bytes.count)
        count += bytes.count
    }

    @inline(__always)
    private mutating func makeRoom(for more: Int) {
        if capacity - count < more { grow(by: more) }
    }

    private mutating func grow(by more: Int) {
        capacity += max(capacity, more)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        larger.update(from: memory, count: count)
        memory.deallocate()
        memory = larger
    }
}
