package import HTTPMessage

/// The name of a request, by which people find it again in the logs of all who had it.
package enum RequestID {
    /// The field that brings it.
    private static let field = "X-Request-Id"
    /// In bytes.
    private static let longest = 128

    /// What a request gets.
    ///
    /// - Parameters:
    ///   - isPeerTrusted: whether who sends it is a proxy whose words count: then what it calls the request stays.
    ///   - random: 128 bits.
    package static func of(
        _ fields: HeaderFields, isPeerTrusted: Bool, random: @autoclosure () -> (UInt64, UInt64)
    ) -> String {
        if isPeerTrusted, let name = fields.first(named: field), isPlain(name) { return name }
        let (high, low) = random()
        return text(high, low)
    }

    /// 32 hexadecimal digits.
    static func text(_ high: UInt64, _ low: UInt64) -> String {
        String(unsafeUninitializedCapacity: 32) { digits in
            for place in 0..<32 {
                let half = place < 16 ? high : low
                let digit = UInt8(truncatingIfNeeded: half >> UInt64(60 - 4 * (place % 16)) & 15)
                digits[place] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            }
            return 32
        }
    }

    /// Whether a text is one that logs and programs take as it is.
    private static func isPlain(_ text: String) -> Bool {
        (1...longest).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                default: "-_.:+/=@".utf8.contains(byte)
                }
            }
    }
}
