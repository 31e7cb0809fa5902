// Heads are looked at eight bytes at a time: bit tricks on a 64-bit word tell whether one of its bytes matters.

private let ones: UInt64 = 0x0101_0101_0101_0101
private let highBits: UInt64 = 0x8080_8080_8080_8080

extension UInt64 {
    /// The high bit of each byte that is zero; above the lowest such byte there may be false ones.
    @inline(__always)
    fileprivate var zeroBytes: UInt64 { (self &- ones) & ~self & highBits }

    /// Not zero exactly when a byte is below 0x20 or is 0x7f.
    @inline(__always)
    fileprivate var controlBytes: UInt64 {
        (self &- ones &* 0x20) & ~self & highBits | (self ^ ones &* 0x7f).zeroBytes
    }
}

extension UnsafeRawBufferPointer {
    @inline(__always)
    private func word(at index: Int) -> UInt64 {
        UInt64(littleEndian: loadUnaligned(fromByteOffset: index, as: UInt64.self))
    }

    /// Where the first LF at or behind `start` is.
    func firstNewline(from start: Int) -> Int? { firstByte(0x0a, from: start) }

    /// Where the first such byte at or behind `start` is.
    @inline(__always)
    func firstByte(_ byte: UInt8, from start: Int = 0) -> Int? {
        let pattern = ones &* UInt64(byte)
        var index = start
        while index + 8 <= count {
            let found = (word(at: index) ^ pattern).zeroBytes
            if found != 0 { return index + found.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < count {
            if self[index] == byte { return index }
            index += 1
        }
        return nil
    }

    /// Whether a text of two bytes or more stands in it: looks for its first two bytes, eight places at a time.
    func contains(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count >= 2, text.count <= count else { return false }
        let (first, second) = (ones &* UInt64(text[0]), ones &* UInt64(text[1]))
        let places = count - text.count + 1
        var index = 0
        while index < places {
            // Nine bytes for eight places.
            if index + 9 <= count,
                ((word(at: index) ^ first) | (word(at: index + 1) ^ second)).zeroBytes == 0
            {
                index += 8
                continue
            }
            let end = Swift.min(index + 8, places)
            while index < end {
                if self[index] == text[0], self[index..<index + text.count].elementsEqual(text) {
                    return true
                }
                index += 1
            }
        }
        return false
    }

    /// Whether a byte of the range may not stand in a field's value or a reason phrase: a control character other
    /// than the tab (RFC 9110 §5.5).
    func hasControlCharacter(in range: Range<Int>) -> Bool {
        var index = range.lowerBound
        while index < range.upperBound {
            if index + 8 <= range.upperBound, word(at: index).controlBytes == 0 {
                index += 8
                continue
            }
            let end = Swift.min(index + 8, range.upperBound)
            while index < end {
                let byte = self[index]
                if byte < 0x20 && byte != 0x09 || byte == 0x7f { return true }
                index += 1
            }
        }
        return false
    }
}
