/// Writes pieces one behind another into memory that was measured before: one look at the buffer for a whole head,
/// where each piece on its own would take one.
struct ByteCursor {
    private let memory: UnsafeMutableRawBufferPointer
    /// How many bytes were written.
    private(set) var count = 0

    init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

    @inline(__always)
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count <= memory.count - count, "a head is longer than it was measured")
        guard let source = bytes.baseAddress, let target = memory.baseAddress else { return }
        (target + count).copyMemory(from: source, byteCount: bytes.count)
        count += bytes.count
    }

    /// Inlined: of a literal, length and bytes are known then, and a store or two take the place of a call.
    @inline(__always)
    mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// It has a name of its own, as literals would be taken for texts of this type, which cost several times as much.
    mutating func append(utf8 text: String) {
        // Not `withUTF8`, which wants a copy that it may change.
        let isWritten: Void? = text.utf8.withContiguousStorageIfAvailable {
            append(UnsafeRawBufferPointer($0))
        }
        guard isWritten == nil else { return }
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    /// A whole number of so many digits.
    mutating func append(decimal number: UInt, digits: Int) {
        precondition(digits <= memory.count - count, "a head is longer than it was measured")
        var rest = number
        for place in (count..<count + digits).reversed() {
            memory[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        count += digits
    }
}
