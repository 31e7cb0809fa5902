import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// How often strangers were wrong about a secret of this server, to slow them down.
struct Guesses: ~Copyable, Sendable {
    /// Who knocks for a token that has a password. By token, too: one tunnel's wrong password must not shut out the others
    /// of its machine or proxy.
    struct Knocker: Hashable, Sendable {
        let address: AddressGroup
        let token: RendezvousToken
    }

    /// Who guesses: everybody who knocks so, or one client of them.
    struct PasswordGuesser: Hashable, Sendable {
        let knocker: Knocker
        /// Its own text, if it was let in by the right password before: who shares its address and knows its token cannot
        /// shut it out. A text that nobody can guess makes no room for guessing.
        let client: String?
    }

    private let passwords = Mutex(
        FailureThrottle<PasswordGuesser>(tolerance: 10, forgiveness: .seconds(10)))
    /// Who names tokens that are nobody's: as callers, or as tunnel clients where they have to be listed.
    private let tokens = Mutex(FailureThrottle<AddressGroup>(tolerance: 100, forgiveness: .seconds(1)))

    /// Who was right about the password of a token.
    private let known = Mutex(KnownClients<Knocker>())

    /// - Parameter client: the text that the client made up, if it did.
    func guesser(_ knocker: Knocker, client: String?) -> PasswordGuesser {
        guard let client, known.withLock({ $0.contains(client, of: knocker) }) else {
            return PasswordGuesser(knocker: knocker, client: nil)
        }
        return PasswordGuesser(knocker: knocker, client: client)
    }

    func passwordWasRight(_ knocker: Knocker, client: String?) {
        if let client { known.withLock { $0.insert(client, of: knocker) } }
    }

    /// Whether who knocks must wait before it may try a password for the token again.
    func refusePassword(_ guesser: PasswordGuesser) -> Bool {
        passwords.withLock { $0.refuses(guesser, now: .now) }
    }

    /// - Parameter password: what was wrong; nil where none came.
    func passwordFailed(_ guesser: PasswordGuesser, _ password: Secret?) {
        passwords.withLock { _ = $0.failed(guesser, guess: password?.secret ?? "", now: .now) }
    }

    /// A token is nobody's. What comes from there with a token that is somebody's goes on as before, whatever this says.
    ///
    /// - Returns: whether it is one too many.
    func tokenFailed(from address: AddressGroup) -> Bool {
        tokens.withLock { !$0.failed(address, now: .now) }
    }
}
