/// Numbers of requests on the wire of protocol v1: the server counts 1, 2, … for each token, whichever of its
/// sessions takes the request.
package protocol RequestNumbering: AnyObject, Sendable {
    /// - Returns: the next number, below `RequestNumber.modulus`.
    func next() -> UInt16
}

/// How a message of protocol v1 begins: four lower-case hexadecimal digits.
package enum RequestNumber {
    /// Numbers are counted modulo this.
    package static let modulus: UInt16 = 32_000
    static let digits = 4

    static func text(_ number: UInt16) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: digits - text.utf8.count) + text
    }

    /// - Returns: nil for anything but four such digits.
    static func parse(_ text: some Sequence<UInt8>) -> UInt16? {
        var number: UInt16 = 0
        var count = 0
        for byte in text {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                number = number << 4 | UInt16(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"):
                number = number << 4 | UInt16(byte - UInt8(ascii: "a") + 10)
            default: return nil
            }
            count += 1
        }
        return count == digits ? number : nil
    }
}
