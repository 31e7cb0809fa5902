/// Base64 (RFC 4648 §4).
enum Base64 {
    fileprivate static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for index in 0..<4 {
                let sextet = Int(bits >> UInt32(18 - 6 * index) & 63)
                text.append(index <= group.count ? alphabet[sextet] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// Takes Base64 digit by digit: padded, with nothing else in between, and each byte string in its one form (§3.5).
struct Base64Decoder {
    private static let values: [UInt8?] = {
        var values = [UInt8?](repeating: nil, count: 256)
        for (value, digit) in Base64.alphabet.enumerated() { values[Int(digit)] = UInt8(value) }
        return values
    }()

    private var bytes: [UInt8] = []
    /// Of the digits since the last byte; at most 6 bits wait.
    private var bits: UInt32 = 0
    private var bitCount: UInt32 = 0
    /// Digits and padding since a group of four began.
    private var place = 0
    private var isPadded = false

    /// Whether nothing was taken yet.
    var isEmpty: Bool { bytes.isEmpty && place == 0 }

    /// Whether the digit may stand here.
    mutating func take(_ digit: UInt8) -> Bool {
        if digit == UInt8(ascii: "=") {
            guard place >= 2 else { return false }
            isPadded = true
        } else {
            guard !isPadded, let value = Self.values[Int(digit)] else { return false }
            bits = bits << 6 | UInt32(value)
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> bitCount))
                bits &= 1 << bitCount - 1
            }
        }
        place = (place + 1) % 4
        return true
    }

    /// The bytes; nil unless the last group is whole.
    func end() -> [UInt8]? { place == 0 && bits == 0 ? bytes : nil }
}
