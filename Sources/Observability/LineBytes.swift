/// The bytes of a line in the making: an array whose end is counted apart, so that appending a piece is a copy and
/// little else. Each request writes a line of some forty pieces.
struct LineBytes {
    /// Room for most lines.
    private static let usualLength = 512

    private var memory = [UInt8](repeating: 0, count: usualLength)
    private(set) var count = 0

    mutating func append(_ byte: UInt8) {
        if count == memory.count { grow(by: 1) }
        memory[count] = byte
        count += 1
    }

    mutating func append(utf8 text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    mutating func append(contentsOf bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
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

    /// Appends the last `digits` decimal digits of a number, with leading zeros.
    mutating func append(_ number: UInt64, digits: Int) {
        if memory.count - count < digits { grow(by: digits) }
        var rest = number
        for place in stride(from: count + digits - 1, through: count, by: -1) {
            memory[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        count += digits
    }

    /// The bytes as an array.
    consuming func array() -> [UInt8] {
        memory.removeLast(memory.count - count)
        return memory
    }

    private mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if memory.count - count < bytes.count { grow(by: bytes.count) }
        memory.withUnsafeMutableBytes {
            UnsafeMutableRawBufferPointer(rebasing: $0[count...]).copyMemory(from: bytes)
        }
        count += bytes.count
    }

    private mutating func grow(by more: Int) {
        memory.append(contentsOf: repeatElement(0, count: max(memory.count, more)))
    }
}
