internal import AgentStatus

/// How untrusted text enters a log line: whatever it holds, it can neither end the line, nor close its
/// quotes, nor move a terminal's cursor, nor change the direction that the rest is read in.
///
/// The escapes are those of JSON (RFC 8259 §7), in all formats: `\n`, `\"`, `\\`, `\u001b`.
enum LogEscaping {
    /// The longest value that a line shows, in bytes; the rest is cut and `...` stands in its place.
    static let longestValue = 4096

    /// Appends text for between double quotes.
    static func append(_ text: String, limit: Int = longestValue, to bytes: inout LineBytes) {
        append(text, limit: limit, escapesQuotes: true, to: &bytes)
    }

    /// Appends text that stands without quotes at a place where the reader is a person.
    static func appendBare(_ text: String, limit: Int = longestValue, to bytes: inout LineBytes) {
        append(text, limit: limit, escapesQuotes: false, to: &bytes)
    }

    /// Appends a text that can stand in a `key=value` line without quotes: it is looked at and copied in one go.
    ///
    /// - Returns: whether it can; if not, nothing is appended.
    @inline(__always)
    static func appendPlain(_ text: String, to bytes: inout LineBytes) -> Bool {
        guard !text.isEmpty, text.utf8.count <= longestValue else { return false }
        return bytes.append(plain: text)
    }

    /// Appends a field's name, with `_` for everything that could be taken for the end of a name.
    static func appendName(_ name: String, to bytes: inout LineBytes) {
        if name.utf8.count <= longestName, appendPlain(name, to: &bytes) { return }
        if name.isEmpty { bytes.append(UInt8(ascii: "_")) }
        for byte in name.utf8.prefix(longestName) {
            bytes.append(isPlainByte(byte) ? byte : UInt8(ascii: "_"))
        }
    }

    private static let longestName = 128

    /// Visible ASCII without `"`, `=` and `\`.
    private static func isPlainByte(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7f && byte != 0x22 && byte != 0x3d && byte != 0x5c
    }

    private static func append(
        _ text: String, limit: Int, escapesQuotes: Bool, to bytes: inout LineBytes
    ) {
        // Visible ASCII and spaces, as nearly every value is, go in one piece.
        if text.utf8.count <= limit,
            text.isVisible(from: 0x20, without: UInt8(ascii: "\""), UInt8(ascii: "\\"), 0x7f)
        {
            bytes.append(utf8: text)
            return
        }
        var length = 0
        for scalar in text.unicodeScalars {
            let width = UTF8.width(scalar)
            if length + width > limit {
                bytes.append(utf8: "...")
                return
            }
            length += width
            append(scalar, escapesQuotes: escapesQuotes, to: &bytes)
        }
    }

    private static func append(_ scalar: Unicode.Scalar, escapesQuotes: Bool, to bytes: inout LineBytes) {
        switch scalar {
        case "\n": bytes.append(utf8: #"\n"#)
        case "\r": bytes.append(utf8: #"\r"#)
        case "\t": bytes.append(utf8: #"\t"#)
        case "\"" where escapesQuotes: bytes.append(utf8: #"\""#)
        case "\\": bytes.append(utf8: #"\\"#)
        case _ where scalar.isDeceptive: appendHexadecimal(scalar, to: &bytes)
        default: bytes.append(utf8: String(scalar))
        }
    }

    /// `\u` and four digits; every deceptive character lies below U+10000.
    private static func appendHexadecimal(_ scalar: Unicode.Scalar, to bytes: inout LineBytes) {
        bytes.append(utf8: #"\u"#)
        for shift in [12, 8, 4, 0] as [UInt32] {
            let digit = UInt8(truncatingIfNeeded: (scalar.value >> shift) & 0xf)
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}

extension String {
    /// The same of a text.
    @inline(__always)
    fileprivate func isVisible(from lowest: UInt8, without a: UInt8, _ b: UInt8, _ c: UInt8) -> Bool {
        var text = self
        return text.withUTF8 { $0.isVisible(from: lowest, without: a, b, c) }
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Whether each byte lies between `lowest` and 0x7e and is none of three. Eight bytes are looked at at a time.
    @inline(__always)
    fileprivate func isVisible(from lowest: UInt8, without a: UInt8, _ b: UInt8, _ c: UInt8) -> Bool {
        let memory = UnsafeRawBufferPointer(self)
        var index = 0
        while index + 8 <= memory.count {
            let word = memory.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            guard word.isVisible(from: lowest, without: a, b, c) else { return false }
            index += 8
        }
        if index == memory.count { return true }
        if index > 0 {
            // The last word overlaps the one before.
            let word = memory.loadUnaligned(fromByteOffset: memory.count - 8, as: UInt64.self)
            return word.isVisible(from: lowest, without: a, b, c)
        }
        for byte in memory where byte < lowest || byte > 0x7e || byte == a || byte == b || byte == c {
            return false
        }
        return true
    }
}

extension UInt64 {
    /// The same of each of its bytes: the high bit of one that is not meant is set below, and then perhaps others
    /// above it.
    @inline(__always)
    fileprivate func isVisible(from lowest: UInt8, without a: UInt8, _ b: UInt8, _ c: UInt8) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var found = self | (self &+ ones) | (self &- ones &* UInt64(lowest))
        for byte in [a, b, c] {
            let difference = self ^ ones &* UInt64(byte)
            found |= (difference &- ones) & ~difference
        }
        return found & 0x8080_8080_8080_8080 == 0
    }
}

extension UTF8 {
    fileprivate static func width(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.value {
        case 0..<0x80: 1
        case 0x80..<0x800: 2
        case 0x800..<0x1_0000: 3
        default: 4
        }
    }
}
