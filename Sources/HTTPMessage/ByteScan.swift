// Heads are looked at eight or sixteen bytes at a time: where the processor compares sixteen at once, it does; bit tricks on
// a 64-bit word tell the rest.

private let ones: UInt64 = 0x0101_0101_0101_0101
private let highBits: UInt64 = 0x8080_8080_8080_8080

extension UInt64 {
    /// The high bit of each byte that is zero; above the lowest such byte there may be false ones.
    @inline(__always)
    fileprivate var zeroBytes: UInt64 { (self &- ones) & ~self & highBits }

    /// Its first bytes in memory, fewer than eight, with those of another word behind them. It is as read from memory, the
    /// first byte lowest.
    @inline(__always)
    fileprivate func first(_ count: Int, else other: UInt64) -> UInt64 {
        let mask = UInt64.max &<< UInt64(count &* 8)
        return self & ~mask | other & mask
    }

    /// Not zero exactly when a byte is below 0x20 or is 0x7f.
    @inline(__always)
    fileprivate var controlBytes: UInt64 {
        (self &- ones &* 0x20) & ~self & highBits | (self ^ ones &* 0x7f).zeroBytes
    }

    /// Whether all of its bytes are letters or hyphens, as in nearly every name of a field.
    @inline(__always)
    fileprivate var isPlainName: Bool {
        let lowercased = self | ones &* 0x20
        let letters = (lowercased &+ ones &* (0x80 - 0x61)) & ~(lowercased &+ ones &* (0x80 - 0x7b))
        let hyphen = self ^ ones &* 0x2d
        let hyphens = ~((hyphen & ~highBits) &+ ~highBits | hyphen)
        return (letters | hyphens) & ~self & highBits == highBits
    }
}

extension UnsafeRawBufferPointer {
    /// Whether all bytes of a range are those of a token (RFC 9110 §5.6.2).
    func isToken(in range: Range<Int>) -> Bool {
        var index = range.lowerBound
        while index + 8 <= range.upperBound {
            guard word(at: index).isPlainName else { break }
            index += 8
        }
        // Most names are no multiple of eight bytes long, but more of the head stands behind them.
        let rest = range.upperBound - index
        if rest < 8, index + 8 <= count, word(at: index).first(rest, else: ones &* 0x61).isPlainName {
            return true
        }
        while index < range.upperBound {
            guard self[index].isTokenByte else { return false }
            index += 1
        }
        return true
    }

    @inline(__always)
    private func word(at index: Int) -> UInt64 {
        UInt64(littleEndian: loadUnaligned(fromByteOffset: index, as: UInt64.self))
    }

    /// Where the first LF at or behind `start` is.
    func firstNewline(from start: Int) -> Int? { firstByte(0x0a, from: start) }

    /// Where the first LF at or behind `start` is, and whether there is no other control character before it, but for a CR
    /// at the line's end: one search tells both of nearly every line.
    func lineEnd(from start: Int) -> (newline: Int, isPlain: Bool)? {
        let (highest, delete) = (SIMD16<UInt8>(repeating: 0x1f), SIMD16<UInt8>(repeating: 0x7f))
        let first = firstPlace(
            from: start, where: { $0 <= 0x1f || $0 == 0x7f }, among: { $0 .<= highest .| $0 .== delete })
        guard let first else { return nil }
        if self[first] == 0x0a { return (first, true) }
        if self[first] == 0x0d, first + 1 < count, self[first + 1] == 0x0a { return (first + 1, true) }
        return firstNewline(from: first).map { ($0, false) }
    }

    /// Where the first such byte at or behind `start` is.
    @inline(__always)
    func firstByte(_ byte: UInt8, from start: Int = 0) -> Int? {
        let pattern = SIMD16<UInt8>(repeating: byte)
        return firstPlace(from: start, where: { $0 == byte }, among: { $0 .== pattern })
    }

    /// Where the first byte at or behind `start` is that is meant.
    ///
    /// - Parameters:
    ///   - isMeant: whether one is.
    ///   - areMeant: which of sixteen are.
    @inline(__always)
    private func firstPlace(
        from start: Int, where isMeant: (UInt8) -> Bool,
        among areMeant: (SIMD16<UInt8>) -> SIMDMask<SIMD16<Int8>>
    ) -> Int? {
        /// All bits of their places are set.
        func found(_ place: Int) -> SIMD2<UInt64> {
            let bytes = loadUnaligned(fromByteOffset: place, as: SIMD16<UInt8>.self)
            return unsafeBitCast(areMeant(bytes), to: SIMD2<UInt64>.self)
        }
        var index = start
        while index + 16 <= count {
            if let first = found(index).firstMatch { return index + first }
            index += 16
        }
        if index < count, count >= 16 {
            // The last sixteen, without those that were looked at before.
            let last = count - 16
            return found(last).behind(index - last).firstMatch.map { last + $0 }
        }
        while index < count {
            if isMeant(self[index]) { return index }
            index += 1
        }
        return nil
    }

    /// Which of sixteen bytes are those of a pattern: all bits of their places are set.
    @inline(__always)
    private func matches(at index: Int, _ pattern: SIMD16<UInt8>) -> SIMD2<UInt64> {
        unsafeBitCast(
            loadUnaligned(fromByteOffset: index, as: SIMD16<UInt8>.self) .== pattern, to: SIMD2<UInt64>.self)
    }

    /// Whether a text of two bytes or more stands in it: looks for its first two bytes, sixteen places at a time.
    func contains(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count >= 2, text.count <= count else { return false }
        let (first, second) = (SIMD16(repeating: text[0]), SIMD16(repeating: text[1]))
        let places = count - text.count + 1
        var index = 0
        while index < places {
            // Seventeen bytes for sixteen places.
            if index + 17 <= count,
                (matches(at: index, first) & matches(at: index + 1, second)).firstMatch == nil
            {
                index += 16
                continue
            }
            let end = Swift.min(index + 16, places)
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
                // The last word may hold some of the one before once more.
                let next = index + 8
                index = next < range.upperBound ? Swift.min(next, range.upperBound - 8) : next
                continue
            }
            let rest = range.upperBound - index
            if rest < 8, index + 8 <= count,
                word(at: index).first(rest, else: ones &* 0x20).controlBytes == 0
            {
                return false
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

extension SIMD2<UInt64> {
    /// Without what is set in its first bytes, fewer than sixteen.
    @inline(__always)
    fileprivate func behind(_ count: Int) -> SIMD2<UInt64> {
        let mask = UInt64(littleEndian: .max &<< UInt64((count & 7) &* 8))
        return count < 8 ? SIMD2(self[0] & mask, self[1]) : SIMD2(0, self[1] & mask)
    }

    /// The first byte that is set; the words are as they lie in memory.
    @inline(__always)
    fileprivate var firstMatch: Int? {
        if self[0] | self[1] == 0 { return nil }
        return self[0] != 0
            ? self[0].littleEndian.trailingZeroBitCount / 8
            : 8 + self[1].littleEndian.trailingZeroBitCount / 8
    }
}
