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

    /// True when a text can stand in a `key=value` line without quotes.
    static func isPlain(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= longestValue && text.consists(of: isPlainByte)
    }

    /// Appends a field's name, with `_` for everything that could be taken for the end of a name.
    static func appendName(_ name: String, to bytes: inout LineBytes) {
        if isPlain(name), name.utf8.count <= longestName { return bytes.append(utf8: name) }
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
        if text.utf8.count <= limit, text.consists(of: { isPlainByte($0) || $0 == 0x20 || $0 == 0x3d }) {
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
        case _ where isDeceptive(scalar): appendHexadecimal(scalar, to: &bytes)
        default: bytes.append(utf8: String(scalar))
        }
    }

    /// Characters that a reader does not see but that change what is seen: controls (C0, DEL, C1 with its
    /// one-byte CSI), line and paragraph separators, marks of direction, the byte order mark.
    private static func isDeceptive(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f...0x9f: true
        case 0x061c, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x2069, 0xfeff, 0xfff9...0xfffb: true
        default: false
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
    /// Whether each byte is one of these.
    fileprivate func consists(of isMeant: (UInt8) -> Bool) -> Bool {
        var text = self
        return text.withUTF8 { bytes in
            for byte in bytes where !isMeant(byte) { return false }
            return true
        }
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
