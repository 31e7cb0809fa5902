import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// How often strangers were wrong about a secret of this server, to slow them down.
struct Guesses: ~Copyable, Sendable {
    /// Who guesses the password of a token. By token, too: one tunnel's wrong password must not shut out the others of its
    /// machine or proxy.
    struct PasswordGuesser: Hashable, Sendable {
        let address: AddressGroup
        let token: RendezvousToken
    }

    private let passwords = Mutex(
        FailureThrottle<PasswordGuesser>(tolerance: 10, forgiveness: .seconds(10)))
    /// Who names tokens that are nobody's: as callers, or as tunnel clients where they have to be listed.
    private let tokens = Mutex(FailureThrottle<AddressGroup>(tolerance: 100, forgiveness: .seconds(1)))

    /// Whether who knocks must wait before it may try a password for the token again, be it the right one.
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
