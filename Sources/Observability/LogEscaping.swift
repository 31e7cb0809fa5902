/// How untrusted text enters a log line: whatever it holds, it can neither end the line, nor close its
/// quotes, nor move a terminal's cursor, nor change the direction that the rest is read in.
///
/// The escapes are those of JSON (RFC 8259 §7), in all formats: `\n`, `\"`, `\\`, `\u001b`.
enum LogEscaping {
    /// The longest value that a line shows, in bytes; the rest is cut and `...` stands in its place.
    static let longestValue = 4096

    /// Appends text for between double quotes.
    static func append(_ text: String, limit: Int = longestValue, to bytes: inout [UInt8]) {
        append(text, limit: limit, escapesQuotes: true, to: &bytes)
    }

    /// Appends text that stands without quotes at a place where the reader is a person.
    static func appendBare(_ text: String, limit: Int = longestValue, to bytes: inout [UInt8]) {
        append(text, limit: limit, escapesQuotes: false, to: &bytes)
    }

    /// True when a text can stand in a `key=value` line without quotes.
    static func isPlain(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= longestValue && text.utf8.allSatisfy(isPlainByte)
    }

    /// Appends a field's name, with `_` for everything that could be taken for the end of a name.
    static func appendName(_ name: String, to bytes: inout [UInt8]) {
        if isPlain(name), name.utf8.count <= longestName { return bytes.append(contentsOf: name.utf8) }
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
        _ text: String, limit: Int, escapesQuotes: Bool, to bytes: inout [UInt8]
    ) {
        // Visible ASCII and spaces, as nearly every value is, go in one piece.
        let utf8 = text.utf8
        if utf8.count <= limit, utf8.allSatisfy({ isPlainByte($0) || $0 == 0x20 || $0 == 0x3d }) {
            bytes.append(contentsOf: utf8)
            return
        }
        var length = 0
        for scalar in text.unicodeScalars {
            let width = UTF8.width(scalar)
            if length + width > limit {
                bytes.append(contentsOf: "...".utf8)
                return
            }
            length += width
            append(scalar, escapesQuotes: escapesQuotes, to: &bytes)
        }
    }

    private static func append(_ scalar: Unicode.Scalar, escapesQuotes: Bool, to bytes: inout [UInt8]) {
        switch scalar {
        case "\n": bytes.append(contentsOf: #"\n"#.utf8)
        case "\r": bytes.append(contentsOf: #"\r"#.utf8)
        case "\t": bytes.append(contentsOf: #"\t"#.utf8)
        case "\"" where escapesQuotes: bytes.append(contentsOf: #"\""#.utf8)
        case "\\": bytes.append(contentsOf: #"\\"#.utf8)
        case _ where isDeceptive(scalar): appendHexadecimal(scalar, to: &bytes)
        default: bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
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
    private static func appendHexadecimal(_ scalar: Unicode.Scalar, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"\u"#.utf8)
        for shift in [12, 8, 4, 0] as [UInt32] {
            let digit = UInt8(truncatingIfNeeded: (scalar.value >> shift) & 0xf)
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
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
