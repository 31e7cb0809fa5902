/// What stands in front of a request's path where callers see it: the base path of the tunnel server, and
/// `/_token/<token>` where the token stood in the path. The server tells the tunnel client of it (`X-Tunnel-Public`); the
/// token itself both know, so that only its spelling is told.
package struct PublicPrefix: Equatable, Sendable {
    /// Which bytes of a token were escaped (RFC 3986 §2.1), and in which letters: browsers compare paths of cookies by their
    /// bytes.
    package struct Spelling: Equatable, Sendable {
        /// "" where none was. Else for each byte of the token `.`, or for an escape how many of its digits are in
        /// lower case: `0` none, `1` the first, `2` the second, `3` both.
        fileprivate let mask: String

        /// No byte is escaped.
        package init() { mask = "" }

        /// - Parameter written: the token as it stood in the path.
        package init(written: some StringProtocol) {
            var (mask, rest, isPlain) = ([UInt8](), Array(written.utf8)[...], true)
            while let byte = rest.popFirst() {
                guard byte == UInt8(ascii: "%"), rest.count > 1 else {
                    mask.append(UInt8(ascii: "."))
                    continue
                }
                let digits = rest.prefix(2)
                rest = rest.dropFirst(2)
                isPlain = false
                let cases = digits.map { ($0 >= UInt8(ascii: "a")) ? 1 : 0 }
                mask.append(UInt8(ascii: "0") + UInt8(cases[0] + 2 * cases[1]))
            }
            self.mask = isPlain ? "" : String(decoding: mask, as: UTF8.self)
        }

        fileprivate init(mask: String) { self.mask = mask }

        /// The token as it stood in the path.
        fileprivate func written(_ token: String) -> String {
            guard mask.utf8.count == token.utf8.count else { return token }
            let text = zip(token.utf8, mask.utf8).flatMap { byte, sign in
                sign == UInt8(ascii: ".") ? [byte] : Self.escape(byte, sign &- 0x30)
            }
            return String(decoding: text, as: UTF8.self)
        }

        private static func escape(_ byte: UInt8, _ cases: UInt8) -> [UInt8] {
            let digit = { (value: UInt8, isLower: Bool) in
                value < 10 ? 0x30 + value : (isLower ? UInt8(ascii: "a") : UInt8(ascii: "A")) + value - 10
            }
            return [UInt8(ascii: "%"), digit(byte >> 4, cases & 1 == 1), digit(byte & 15, cases & 2 == 2)]
        }
    }

    /// "" or a path with a leading and without a trailing slash.
    package let basePath: String
    /// How the token was written; nil where it did not stand in the path.
    package let token: Spelling?

    package init(basePath: String = "", token: Spelling? = nil) {
        self.basePath = basePath
        self.token = token
    }

    /// What `X-Tunnel-Public` says; nil where nothing stands in front.
    package var fieldValue: String? {
        guard let token else { return basePath.isEmpty ? nil : "- " + basePath }
        if token.mask.isEmpty { return basePath.isEmpty ? "token" : "token " + basePath }
        return "token=\(token.mask) \(basePath)"
    }

    /// Reads what `fieldValue` gave.
    package init(fieldValue: String) {
        let word = fieldValue.prefix { $0 != " " }
        basePath = String(fieldValue[word.endIndex...].drop { $0 == " " })
        token =
            word == "token"
            ? Spelling() : word.hasPrefix("token=") ? Spelling(mask: String(word.dropFirst(6))) : nil
    }

    /// - Parameter token: of the tunnel.
    /// - Returns: "" or a path with a leading and without a trailing slash, as the caller wrote it.
    package func path(token: String) -> String {
        self.token.map { "\(basePath)/_token/\($0.written(token))" } ?? basePath
    }
}
