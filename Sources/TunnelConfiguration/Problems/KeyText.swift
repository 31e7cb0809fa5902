/// Keys that are none of ours in messages: they may be secrets in the wrong place.
enum KeyText {
    /// Whether a text looks like a key: short words of letters, with hardly a digit.
    static func isPlain(_ key: String) -> Bool {
        guard key.utf8.count <= longest else { return false }
        var digits = 0
        for byte in key.utf8 {
            switch byte {
            case 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: continue
            case 0x30...0x39: digits += 1
            default: return false
            }
        }
        return digits <= 2
    }

    /// - Parameter whole: else only the start of a long one is shown.
    static func shown(_ key: String, whole: Bool) -> String {
        whole || key.count <= 12 ? Quotation.of(key) : Quotation.of("\(key.prefix(8))...")
    }

    private static let longest = 40
}
