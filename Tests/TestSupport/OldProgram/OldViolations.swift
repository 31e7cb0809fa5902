import Synchronization

/// What the other side of an old peer did against the facts of protocol v1, in its order.
final class OldViolations: Sendable {
    private let texts = Mutex<[String]>([])

    var all: [String] { texts.withLock { $0 } }

    func add(_ text: String) { texts.withLock { $0.append(text) } }

    func expect(_ condition: Bool, _ text: @autoclosure () -> String) {
        if !condition { add(text()) }
    }
}

/// The token, the numbers and the words that both old ends know.
enum OldFacts {
    /// Ids count up to this and begin again at 0.
    static let idModulus = 32_000
    /// What the old client takes at most, id and all.
    static let messageLimit = 100 << 20
    static let shortestToken = 16
    /// Fields of one hop (RFC 9110 §7.6.1) but `Transfer-Encoding`, which may frame the body.
    static let hopByHop: Set<String> = [
        "connection", "keep-alive", "te", "trailer", "upgrade", "proxy-authenticate", "proxy-authorization",
    ]

    /// An id as it stands before each message.
    static func text(ofID id: Int) -> String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }

    /// The id that four bytes stand for; nil when they are not four lower-case hexadecimal digits.
    static func id(from bytes: some Collection<UInt8>) -> Int? {
        let digits = bytes.map { byte -> Int? in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte) - 48
            case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte) - 87
            default: nil
            }
        }
        guard digits.count == 4, !digits.contains(nil) else { return nil }
        return digits.compactMap { $0 }.reduce(0) { $0 << 4 | $1 }
    }
}
