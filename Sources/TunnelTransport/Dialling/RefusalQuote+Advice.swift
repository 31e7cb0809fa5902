import HTTPMessage

extension RefusalQuote {
    /// What a tunnel server's answer that opens no tunnel comes to, in words, with what may help.
    var explanation: String {
        let words = plainWords
        let said = "the server answered \(head.status)" + (words.isEmpty ? "" : ": \(words)")
        return advice.map { "\(said) — \($0)" } ?? said
    }

    /// The same as an error.
    var dialError: DialError {
        let status = head.status
        // A proxy may say 429 for reasons of its own, and our server says it to who guesses passwords.
        return DialError(
            .rejected, explanation, isRefusal: (400...403).contains(status) || status == 429,
            isForWantOfRoom: status == 429 && plainWords.contains("Too many clients"),
            isBlocked: ![401, 429, 503].contains(status), status: status)
    }

    private static let password = "password missing or wrong, or token not listed"
    private static let place = "is this a wstunnel server? is the base path right?"
    private static let longestLocation = 200

    private var advice: String? {
        switch head.status {
        case 401 where isPage:
            "what stands before the server may want a user and password: ws://user:password@host"
        case 401: plainWords.contains(Self.password) ? nil : Self.password
        case 300..<400: redirection
        case 404 where plainWords.hasSuffix("is the base path right?"): nil
        case 200..<300, 404, 405: Self.place
        case ..<500 where isPage: Self.place
        default: nil
        }
    }

    private var redirection: String {
        guard let location = head.fields.first(named: "Location")?.prefix(Self.longestLocation) else {
            return Self.place
        }
        let isSecure = location.lowercased().hasPrefix("https:")
        return "it leads to \(location)" + (isSecure ? "; use wss:// and that host" : "; \(Self.place)")
    }
}
