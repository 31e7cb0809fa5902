/// The wish for a name that nobody can guess: `random`, or `random=label` for the one that the client had before.
package struct RandomHost: Sendable {
    package static let word = "random"
    /// 60 bits.
    private static let length = 12
    private static let letters = Array("abcdefghijkmnpqrstuvwxyz23456789".utf8)

    /// That it had before.
    package let label: String?

    package init?(_ text: String) {
        guard text.utf8.starts(with: Self.word.utf8) else { return nil }
        let rest = text.dropFirst(Self.word.count)
        guard rest.isEmpty || rest.first == "=" else { return nil }
        let label = rest.dropFirst()
        let isOurs = label.utf8.count == Self.length && label.utf8.allSatisfy { Self.letters.contains($0) }
        self.label = isOurs ? String(label) : nil
    }

    /// The wish for the one that the client had before.
    package static func again(_ label: some StringProtocol) -> String { "\(word)=\(label)" }

    /// Of a token, in this process: nobody who sees it learns anything of the token.
    package static func label(_ token: RendezvousToken, _ number: Int) -> String {
        var hasher = Hasher()
        hasher.combine(token)
        hasher.combine(number)
        return label(UInt64(bitPattern: Int64(hasher.finalize())))
    }

    /// - Parameter bits: of which 60 count.
    private static func label(_ bits: UInt64) -> String {
        var rest = bits
        var label: [UInt8] = []
        for _ in 0..<length {
            label.append(letters[Int(rest & 31)])
            rest >>= 5
        }
        return String(decoding: label, as: UTF8.self)
    }
}
