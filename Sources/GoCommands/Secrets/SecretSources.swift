import TunnelProtocol

/// The secrets of one command line: where each comes from, checked for one source each.
struct SecretSources {
    /// Names of the variables that secrets are taken from, and that the printed configuration reads them from.
    static let tokenVariable = "WSTUNNEL_TOKEN"
    static let passwordVariable = "WSTUNNEL_PASSWORD"
    static let passwordsVariable = "WSTUNNEL_PASSWORDS"

    /// A token as it was given, `token:password` taken apart.
    struct Token {
        var token: String
        var password: String?
        /// The flag or variable that gave it.
        var label: String
    }

    /// One pair of `-passwords`.
    struct Pair: Hashable {
        var token: String
        var password: String
    }

    /// Splits at the first colon; white space around both halves does not count, as in the Go program.
    static func token(_ text: String, label: String) -> Token {
        guard let colon = text.firstIndex(of: ":") else {
            return Token(token: trimmed(text[...]), label: label)
        }
        return Token(
            token: trimmed(text[..<colon]), password: trimmed(text[text.index(after: colon)...]), label: label
        )
    }

    /// Reads `token:password,token:password`.
    /// - Parameter label: the flag or variable that gave the list.
    static func pairs(_ text: String, label: String, _ messages: inout CommandMessages) -> [Pair] {
        var pairs: [Pair] = []
        for (index, item) in text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
            let what = "\(label), pair \(index + 1)"
            guard let colon = item.firstIndex(of: ":") else {
                messages.error(
                    "\(what): there is no colon",
                    advice: "write token:password; a password with a comma needs -passwords-file")
                continue
            }
            let pair = Pair(
                token: trimmed(item[..<colon]), password: trimmed(item[item.index(after: colon)...]))
            guard !pair.token.isEmpty, !pair.password.isEmpty else {
                let half = pair.token.isEmpty ? "token" : "password"
                messages.error("\(what): the \(half) is empty", advice: "write token:password")
                continue
            }
            do {
                _ = try RendezvousToken(pair.token)
            } catch {
                messages.warning("\(what): no tunnel can use it, as \(explanation(of: error))")
                continue
            }
            if let same = pairs.firstIndex(where: { $0.token == pair.token }) {
                messages.warning("\(what): the token stands there twice; the last password counts")
                pairs.remove(at: same)
            }
            pairs.append(pair)
        }
        return pairs
    }

    private static func explanation(of error: RendezvousTokenError) -> String {
        switch error {
        case .tooShort: "its token is shorter than \(RendezvousToken.minimumLength) characters"
        case .tooLong: "its token is longer than \(RendezvousToken.maximumLength) characters"
        case .forbiddenCharacter: "its token holds something other than visible ASCII characters"
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
