/// Percent-encoding of URLs (RFC 3986 §2.1).
package enum PercentEncoding {
    /// Decodes once; nil for a broken escape or bytes that are not UTF-8.
    package static func decode(_ text: String) -> String? {
        var text = text
        return text.withUTF8 { decode(UnsafeRawBufferPointer($0)) }
    }

    /// The same of part of a text.
    package static func decode(_ text: Substring) -> String? {
        var text = text
        return text.withUTF8 { decode(UnsafeRawBufferPointer($0)) }
    }

    /// Encodes all but letters, digits, `-`, `.`, `_` and `~`, which mean nothing anywhere (RFC 3986 §2.3).
    package static func encode(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return encoded
    }

    private static func decode(_ text: UnsafeRawBufferPointer) -> String? {
        // Most have no escapes.
        guard text.firstByte(UInt8(ascii: "%")) != nil else { return String(decoding: text, as: UTF8.self) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            var byte = text[index]
            index += 1
            if byte == UInt8(ascii: "%") {
                guard index + 1 < text.count, let high = text[index].hexadecimalValue,
                    let low = text[index + 1].hexadecimalValue
                else { return nil }
                byte = high << 4 | low
                index += 2
            }
            bytes.append(byte)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension PercentEncoding {
    /// What follows a prefix, both compared by RFC 3986 §6.2.2: an escape of a character that needs none is that
    /// character, and the case of hexadecimal digits does not count.
    /// - Returns: nil when the text does not begin so.
    package static func rest(of text: String, behind prefix: String) -> Substring? {
        var wanted = prefix.utf8[...]
        var rest = text.utf8[...]
        while let unit = nextUnit(&wanted) {
            guard nextUnit(&rest) == unit else { return nil }
        }
        return Substring(rest)
    }

    private struct Unit: Equatable {
        let byte: UInt8
        let isEscaped: Bool
    }

    private static func nextUnit(_ text: inout Substring.UTF8View) -> Unit? {
        guard let first = text.popFirst() else { return nil }
        guard first == UInt8(ascii: "%"), let high = text.first?.hexadecimalValue,
            let low = text.dropFirst().first?.hexadecimalValue
        else { return Unit(byte: first, isEscaped: false) }
        text = text.dropFirst(2)
        let byte = high << 4 | low
        return Unit(byte: byte, isEscaped: !isUnreserved(byte))
    }

    /// RFC 3986 §2.3
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: true
        default: false
        }
    }
}

extension UInt8 {
    /// Two hexadecimal digits, in lower case.
    package var hexadecimalText: String { (self < 16 ? "0" : "") + String(self, radix: 16) }

    /// What a hexadecimal digit stands for, in either case; nil for any other byte.
    package var hexadecimalValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
