extension PasswordHash {
    /// Most memory for one look at a password, in KiB.
    static let mostMemory = 256 << 10
    /// Most passes over it, and most threads at once.
    static let mostPasses = 10
    static let mostLanes = 8
    /// The highest cost of bcrypt: about a second of work.
    static let highestCost = 14
    /// Most rounds of SHA-512: about a second of work.
    static let mostRounds = 1_000_000

    /// - Parameter text: nil comes of one that the configuration would not take.
    package init?(_ text: String) {
        guard let hash = try? Self.parse(text) else { return nil }
        self = hash
    }

    /// Reads `$argon2id$…`, `$2y$…` or `$6$…`.
    ///
    /// - Throws: for another function, and for one that takes more work than a caller may make us do. Never holds the text.
    static func parse(_ text: String) throws(ValueFault) -> PasswordHash {
        if text.hasPrefix("$argon2id$") { return try argon2(text) }
        if ["$2a$", "$2b$", "$2y$"].contains(where: text.hasPrefix) { return try bcrypt(text) }
        if text.hasPrefix("$6$") { return try sha512(text) }
        let advice = "make one by \"wstunnel hash\" or \"htpasswd -B\""
        guard text.hasPrefix("$") || text.hasPrefix("{") else {
            throw ValueFault("what follows the colon is no hash", advice: advice)
        }
        throw ValueFault(
            "the hash is of a kind that is too weak, or unknown here",
            advice: "\(advice): argon2id, bcrypt and SHA-512 crypt are understood")
    }

    /// `$argon2id$v=19$m=19456,t=2,p=1$salt$digest` (RFC 9106; the form is that of its reference program).
    private static func argon2(_ text: String) throws(ValueFault) -> PasswordHash {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, parts[2] == "v=19" else {
            throw broken("$argon2id$v=19$m=…,t=…,p=…$salt$digest")
        }
        let settings = parts[3].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard settings.count == 3, let memory = number(settings[0], "m="),
            let passes = number(settings[1], "t="), let lanes = number(settings[2], "p="),
            passes >= 1, lanes >= 1, memory >= 8 * lanes,
            isBase64(parts[4], 11...86), isBase64(parts[5], 22...86)
        else { throw broken("$argon2id$v=19$m=…,t=…,p=…$salt$digest") }
        guard memory <= mostMemory, passes <= mostPasses, lanes <= mostLanes else {
            throw ValueFault(
                "the hash takes too much work to check",
                advice:
                    "make one with m up to \(mostMemory) (KiB), t up to \(mostPasses), p up to \(mostLanes)")
        }
        return PasswordHash(.argon2id, text)
    }

    /// `$2y$10$` and 53 characters.
    private static func bcrypt(_ text: String) throws(ValueFault) -> PasswordHash {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4, parts[2].utf8.count == 2, let cost = decimal(parts[2]), cost >= 4,
            parts[3].utf8.count == 53, parts[3].utf8.allSatisfy(isCryptDigit)
        else { throw broken("$2y$10$ and 53 characters") }
        guard cost <= highestCost else {
            throw ValueFault(
                "the hash takes too much work to check",
                advice: "make one with a cost up to \(highestCost)")
        }
        return PasswordHash(.bcrypt, text)
    }

    /// `$6$salt$digest`, or `$6$rounds=5000$salt$digest`.
    private static func sha512(_ text: String) throws(ValueFault) -> PasswordHash {
        var parts = text.split(separator: "$", omittingEmptySubsequences: false).map(String.init)
        if parts.count == 5 {
            guard let rounds = number(parts[2], "rounds="), rounds >= 1000 else {
                throw broken("$6$rounds=5000$salt$digest")
            }
            guard rounds <= mostRounds else {
                throw ValueFault(
                    "the hash takes too much work to check",
                    advice: "make one with rounds up to \(mostRounds)")
            }
            parts.remove(at: 2)
        }
        guard parts.count == 4, (1...16).contains(parts[2].utf8.count),
            parts[2].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ":") }),
            parts[3].utf8.count == 86, parts[3].utf8.allSatisfy(isCryptDigit)
        else { throw broken("$6$salt$digest") }
        return PasswordHash(.sha512, text)
    }

    private static func broken(_ form: String) -> ValueFault {
        ValueFault("the hash is not whole: its form is \(form)", advice: "copy all of it, in single quotes")
    }

    private static func number(_ text: String, _ name: String) -> Int? {
        text.hasPrefix(name) ? decimal(String(text.dropFirst(name.count))) : nil
    }

    private static func decimal(_ text: String) -> Int? {
        (1...9).contains(text.utf8.count) && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
            ? Int(text) : nil
    }

    private static func isBase64(_ text: String, _ length: ClosedRange<Int>) -> Bool {
        length.contains(text.utf8.count)
            && text.utf8.allSatisfy {
                isLetterOrDigit($0) || $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "/")
            }
    }

    private static func isCryptDigit(_ byte: UInt8) -> Bool {
        isLetterOrDigit(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "/")
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: false
        }
    }
}
