/// The Basic authentication scheme (RFC 7617).
package enum BasicAuthorization {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The field value for a user and a password.
    package static func encode(user: String, password: String) -> String {
        let bytes = Array("\(user):\(password)".utf8)
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for index in 0..<4 {
                let sextet = Int(bits >> UInt32(18 - 6 * index) & 63)
                text.append(index <= group.count ? alphabet[sextet] : UInt8(ascii: "="))
            }
        }
        return "Basic " + String(decoding: text, as: UTF8.self)
    }

    /// User and password out of a field value; nil when it is another scheme, no Base64, no UTF-8, or lacks a colon.
    package static func decode(_ value: String) -> (user: String, password: String)? {
        let parts = value.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "basic",
            let bytes = decodeBase64(parts[1]), let text = String(validating: bytes, as: UTF8.self),
            let colon = text.firstIndex(of: ":")
        else { return nil }
        return (String(text[..<colon]), String(text[text.index(after: colon)...]))
    }

    private static func decodeBase64(_ text: Substring) -> [UInt8]? {
        let digits = text.utf8.drop { $0 == UInt8(ascii: " ") }
        let significant = digits.prefix { $0 != UInt8(ascii: "=") }
        let padding = digits[significant.endIndex...]
        guard digits.count % 4 == 0, padding.count <= 2, padding.allSatisfy({ $0 == UInt8(ascii: "=") })
        else {
            return nil
        }
        var bytes: [UInt8] = []
        var (bits, count): (UInt32, UInt32) = (0, 0)
        for digit in significant {
            guard let value = alphabet.firstIndex(of: digit) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> count))
            }
        }
        return bytes
    }
}
