package import TunnelConfiguration
package import TunnelProtocol

/// How often strangers were wrong about a secret of a server, to slow them down.
package struct AuthenticationThrottle: Sendable {
    /// Who knocks for a token that has a password. By token, too: one tunnel's wrong password must not shut out the others
    /// of its machine or proxy.
    package struct Knocker: Hashable, Sendable {
        fileprivate let address: AddressGroup
        fileprivate let token: RendezvousToken

        package init(address: AddressGroup, token: RendezvousToken) {
            self.address = address
            self.token = token
        }
    }

    /// Who guesses: everybody who knocks so, or one client of them.
    package struct PasswordGuesser: Hashable, Sendable {
        fileprivate let knocker: Knocker
        /// Its own text, if it was let in by the right password before: who shares its address and knows its token cannot
        /// shut it out. A text that nobody can guess makes no room for guessing.
        fileprivate let client: String?
    }

    private var passwords = FailureThrottle<PasswordGuesser>(tolerance: 10, forgiveness: .seconds(10))
    /// Who names tokens that are nobody's: as callers, or as tunnel clients whose handshake makes no sense, or where tokens
    /// have to be listed.
    private var tokens = FailureThrottle<AddressGroup>(tolerance: 100, forgiveness: .seconds(1))
    /// Callers who are wrong about who they are. By address alone: a user's name is everybody's to try.
    private var logins = FailureThrottle<AddressGroup>(tolerance: 10, forgiveness: .seconds(10))
    /// Who was right about the password of a token.
    private var known = KnownClients<Knocker>()

    package init() {}

    /// - Parameter client: the text that the client made up, if it did.
    package func guesser(_ knocker: Knocker, client: String?) -> PasswordGuesser {
        let isKnown = client.map { known.contains($0, of: knocker) } ?? false
        return PasswordGuesser(knocker: knocker, client: isKnown ? client : nil)
    }

    package mutating func passwordWasRight(_ knocker: Knocker, client: String?) {
        if let client { known.insert(client, of: knocker) }
    }

    /// Whether who knocks must wait before it may try a password for the token again.
    package func refusesPassword(_ guesser: PasswordGuesser, now: MonotonicInstant) -> Bool {
        passwords.refuses(guesser, now: now)
    }

    /// - Parameter password: what was wrong; nil where none came.
    package mutating func passwordFailed(
        _ guesser: PasswordGuesser, _ password: Secret?, now: MonotonicInstant
    ) {
        passwords.failed(guesser, guess: password?.secret ?? "", now: now)
    }

    /// Whether callers from there must wait before a password or secret of theirs is looked at again.
    package func refusesLogin(from address: AddressGroup, now: MonotonicInstant) -> Bool {
        logins.refuses(address, now: now)
    }

    /// - Parameter guess: what was wrong: the same once more may be one browser's.
    package mutating func loginFailed(from address: AddressGroup, guess: String?, now: MonotonicInstant) {
        logins.failed(address, guess: guess, now: now)
    }

    /// What `tokenFailed` would return for one more. Changes nothing.
    package func refusesToken(from address: AddressGroup, now: MonotonicInstant) -> Bool {
        tokens.refuses(address, now: now)
    }

    /// A token is nobody's. What comes from there with a token that is somebody's goes on as before, whatever this says.
    ///
    /// - Returns: whether it is one too many.
    package mutating func tokenFailed(from address: AddressGroup, now: MonotonicInstant) -> Bool {
        !tokens.failed(address, now: now)
    }
}
