import TunnelProtocol
import YAMLDocument

/// A token with its password, as far as both could be read.
struct TokenAndPasswords {
    var token: RendezvousToken?
    var passwords: Set<Secret>
    /// Where the token stands.
    var tokenSource: FoundSecret?
}

extension MappingReader {
    /// The token of an entry and the passwords that go with it, with every rule about the two: exactly one
    /// way to write each, `token:password` split at the first colon, the length of tokens.
    ///
    /// - Parameter needsPassword: whether an entry without a password is a problem.
    func tokenAndPasswords(needsPassword: Bool, isDefaults: Bool) -> TokenAndPasswords {
        let hasToken = !keysPresent(inGroup: "token").isEmpty
        let passwordFields = keysPresent(inGroup: "password")
        if !hasToken && !isDefaults { reportMissingToken() }
        var passwords = readPasswords()
        let found = secret(Keys.token)
        var text = found?.text
        if let found, let colon = found.text.firstIndex(of: ":") {
            let password = String(found.text[found.text.index(after: colon)...])
            text = String(found.text[..<colon])
            passwords.insert(Secret(password))
            checkSplit(password, found)
            reportSplit(found, hasPassword: !passwordFields.isEmpty)
        } else if needsPassword, passwordFields.isEmpty, !isDefaults, found != nil || !hasToken,
            !misses(Keys.password.literal)
        {
            pass.error(
                at: place, path, "\"password\" is missing",
                advice: "add password, passwords, password-file or password-command")
        }
        let token = found.flatMap { found in text.flatMap { parseToken($0, found) } }
        return TokenAndPasswords(token: token, passwords: passwords, tokenSource: found)
    }

    /// The token of an entry that takes no password, such as one of `hosts`.
    func tokenAlone() -> RendezvousToken? {
        if keysPresent(inGroup: "token").isEmpty { reportMissingToken() }
        guard let found = secret(Keys.token) else { return nil }
        guard !found.text.contains(":") else {
            pass.error(
                at: found.place, found.path, "the token holds a colon, but no password has a place here",
                advice: "remove the colon and what follows it")
            return nil
        }
        return parseToken(found.text, found)
    }

    /// What callers of the admin API bring: as long and as plain as a rendezvous token.
    func bearerToken(_ found: FoundSecret) -> Secret? {
        (parseToken(found.text, found, placeholderIs: .error)?.secret).map(Secret.init)
    }

    /// The password behind a token's colon is a secret like any other; that there is none is told elsewhere.
    private func checkSplit(_ password: String, _ found: FoundSecret) {
        guard !password.isEmpty else { return }
        do throws(ValueFault) {
            checkPlaceholder(try SecretText.cleaned(password), at: found.place, found.path)
        } catch {
            pass.error(at: found.place, found.path, error.message, advice: error.advice)
        }
    }

    func reportMissingToken() {
        guard !misses(Keys.token.literal) else { return }
        pass.error(
            at: place, path, "\"token\" is missing",
            advice:
                "add token, token-file or token-command; a token has \(RendezvousToken.minimumLength) "
                + "characters or more")
    }

    private func reportSplit(_ found: FoundSecret, hasPassword: Bool) {
        if hasPassword {
            pass.error(
                at: found.place, found.path, "the token holds a colon, so it brings a password of its own",
                advice: "remove the colon and what follows it")
        } else if found.text.hasSuffix(":"), found.text.firstIndex(of: ":") == found.text.indices.last {
            pass.error(
                at: found.place, found.path, "nothing follows the colon that ends the token",
                advice: "remove the colon")
        } else {
            pass.warning(
                at: found.place, found.path, "the token is split at its first colon into token and password",
                advice: "use the key \"password\" for what follows the colon")
        }
    }

    private func parseToken(
        _ text: String, _ found: FoundSecret, placeholderIs severity: ConfigurationProblem.Severity = .warning
    ) -> RendezvousToken? {
        checkPlaceholder(text, at: found.place, found.path, severity)
        do {
            return try RendezvousToken(text)
        } catch {
            let (message, advice) = error.explanation(for: text)
            pass.error(at: found.place, found.path, message, advice: advice)
            return nil
        }
    }

    private func readPasswords() -> Set<Secret> {
        var passwords: Set<Secret> = []
        func take(_ password: FoundSecret) {
            checkPlaceholder(password.text, at: password.place, password.path)
            passwords.insert(Secret(password.text))
        }
        if let password = secret(Keys.password) { take(password) }
        guard section == .passwordEntry, let list = field(Keys.passwordList) else { return passwords }
        let items = items(Keys.passwordList)
        if items.isEmpty, list.node.sequence != nil {
            pass.error(at: list.place, list.path, "the list is empty", advice: "give a password")
        }
        for item in items {
            if let password = literalSecret(item) { take(password) }
        }
        return passwords
    }
}

extension RendezvousTokenError {
    /// Message and advice, without the token.
    func explanation(for text: String) -> (message: String, advice: String) {
        switch self {
        case .tooShort:
            (
                "the token has \(text.count) character\(text.count == 1 ? "" : "s")",
                "choose one of \(RendezvousToken.minimumLength) or more"
            )
        case .tooLong:
            (
                "the token has \(text.utf8.count) bytes",
                "choose one of \(RendezvousToken.maximumLength) or fewer"
            )
        case .forbiddenCharacter:
            ("the token holds something other than visible ASCII characters", "choose one without")
        }
    }
}
