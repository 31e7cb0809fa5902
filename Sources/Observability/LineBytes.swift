/// The bytes of a line in the making, in memory of its own, so that appending a piece is a copy and little else: no
/// look whether somebody shares it. Each request writes a line of some forty pieces.
struct LineBytes: ~Copyable {
    /// Room for most lines.
    private static let usualLength = 512
    /// More is not kept for the next line.
    private static let keptLength = 4096
    /// How many bytes are looked at at a time.
    private static let block = 16

    private var memory = UnsafeMutablePointer<UInt8>.allocate(capacity: usualLength)
    private var capacity = usualLength
    private(set) var count = 0
    /// The second that a line was last written in, since 1970, and its text.
    private var second: Int64?
    private var secondText: (UInt64, UInt64, UInt32) = (0, 0, 0)

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

    @inline(__always)
    mutating func append(_ text: StaticString) {
        makeRoom(for: text.utf8CodeUnitCount)
        place(text)
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
        // Most are small, and told apart sooner than measured.
        guard number < 10_000 else {
            var (digits, rest) = (5, number / 100_000)
            while rest > 0 {
                rest /= 10
                digits += 1
            }
            return append(number, digits: digits)
        }
        makeRoom(for: 4)
        let small = UInt32(truncatingIfNeeded: number)
        if small >= 100 {
            place(leading: small / 100)
            place(pair: small % 100)
        } else {
            place(leading: small)
        }
    }

    /// Appends the digits of a number below a hundred.
    @inline(__always)
    private mutating func place(leading number: UInt32) {
        guard number < 10 else { return place(pair: number) }
        memory[count] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number)
        count &+= 1
    }

    /// Appends two digits.
    @inline(__always)
    private mutating func place(pair: UInt32) {
        memory[count] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: pair / 10)
        memory[count &+ 1] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: pair % 10)
        count &+= 2
    }

    /// Appends three digits of a number below a thousand.
    @inline(__always)
    mutating func append(threeDigits number: UInt32) {
        makeRoom(for: 3)
        memory[count] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number / 100)
        count &+= 1
        place(pair: number % 100)
    }

    /// Appends the last two decimal digits of a number, with a leading zero.
    mutating func append(twoDigits number: UInt8) {
        makeRoom(for: 2)
        place(pair: UInt32(number % 100))
    }

    /// Appends what stands before the value of a field: its name between two texts. Inlined, as are those who give it
    /// literals: a store or two take the place of each piece.
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
        count &+= text.utf8CodeUnitCount
    }

    /// Appends the last `digits` decimal digits of a number.
    private mutating func append(_ number: UInt64, digits: Int) {
        makeRoom(for: digits)
        var rest = number
        for place in (count..<count + digits).reversed() {
            memory[place] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        count += digits
    }

    /// Appends a text that is visible ASCII without `"`, `=` and `\`, and takes it back if it is not: it is copied first, so
    /// that it can be looked at in blocks with something behind it.
    ///
    /// - Returns: whether it is.
    mutating func append(plain text: String) -> Bool {
        let start = count
        let isPlain = text.utf8.withContiguousStorageIfAvailable { text in
            guard let source = text.baseAddress else { return false }
            makeRoom(for: text.count + Self.block)
            let target = UnsafeMutableRawPointer(memory + start)
            target.copyMemory(from: source, byteCount: text.count)
            count += text.count
            (target + text.count).storeBytes(
                of: SIMD16<UInt8>(repeating: UInt8(ascii: "a")), as: SIMD16<UInt8>.self)
            return Self.isPlain(UnsafeRawPointer(target), text.count)
        }
        guard isPlain == true else {
            count = start
            return false
        }
        return true
    }

    /// - Parameter memory: with a block of plain bytes behind the text.
    @inline(__always)
    private static func isPlain(_ memory: UnsafeRawPointer, _ length: Int) -> Bool {
        let (lowest, highest) = (SIMD16<UInt8>(repeating: 0x21), SIMD16<UInt8>(repeating: 0x7e))
        let quote = SIMD16<UInt8>(repeating: UInt8(ascii: "\""))
        let equals = SIMD16<UInt8>(repeating: UInt8(ascii: "="))
        let escape = SIMD16<UInt8>(repeating: UInt8(ascii: "\\"))
        for place in stride(from: 0, to: length, by: block) {
            let bytes = memory.loadUnaligned(fromByteOffset: place, as: SIMD16<UInt8>.self)
            let odd =
                (bytes .< lowest) .| (bytes .> highest) .| (bytes .== quote) .| (bytes .== equals)
                .| (bytes .== escape)
            let words = unsafeBitCast(odd, to: SIMD2<UInt64>.self)
            if words[0] | words[1] != 0 { return false }
        }
        return true
    }

    /// Appends a second as `write` has it, in so many characters as the text of one takes: what was written last is kept, as
    /// most lines come in the same second as others.
    ///
    /// - Parameter write: appends twenty bytes.
    @inline(__always)
    mutating func append(second: Int64, _ write: (inout LineBytes) -> Void) {
        if second != self.second {
            let start = count
            write(&self)
            let text = UnsafeRawPointer(memory + start)
            secondText = (
                text.loadUnaligned(as: UInt64.self),
                text.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
                text.loadUnaligned(fromByteOffset: 16, as: UInt32.self)
            )
            self.second = second
            return
        }
        makeRoom(for: 20)
        let text = UnsafeMutableRawPointer(memory + count)
        text.storeBytes(of: secondText.0, as: UInt64.self)
        text.storeBytes(of: secondText.1, toByteOffset: 8, as: UInt64.self)
        text.storeBytes(of: secondText.2, toByteOffset: 16, as: UInt32.self)
        count += 20
    }

    /// Begins anew, for another line.
    mutating func removeAll() {
        count = 0
        guard capacity > Self.keptLength else { return }
        memory.deallocate()
        memory = .allocate(capacity: Self.usualLength)
        capacity = Self.usualLength
    }

    borrowing func withBytes<Value>(_ body: (UnsafeBufferPointer<UInt8>) -> Value) -> Value {
        body(UnsafeBufferPointer(start: memory, count: count))
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
        if capacity &- count < more { grow(by: more) }
    }

    private mutating func grow(by more: Int) {
        capacity += max(capacity, more)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        larger.update(from: memory, count: count)
        memory.deallocate()
        memory = larger
    }
}
