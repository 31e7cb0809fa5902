import HTTPMessage
import HostSystem
import Routing
import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// What a running server knows beside its settings. To ask changes nothing: nothing is counted, taken, banned or logged.
protocol ServerFacts: Sendable {
    /// Who has a name that tunnel clients ask for.
    func owner(of name: String) -> RendezvousToken?
    /// How long an address is still shut out; nil where it is not.
    func banLeft(of address: String) -> Duration?
    /// Whether another wrong token from there is one too many.
    func refusesGuesses(from address: String) -> Bool
    /// Whether passwords from there are not looked at now.
    func refusesLogins(from address: String) -> Bool
    /// Whether the password was found right lately.
    func remembers(_ claim: PasswordClaim) -> Bool
    /// Which limit a request of these parties would meet, and how much each has used.
    func usage(of parties: [LimitedParty]) -> (hit: LimitHit?, usage: [RequestUsage])
    /// What would become of a request for a token.
    func outlook(for token: RendezvousToken, isListed: Bool) -> TokenOutlook
    /// Whether the server takes no requests for now.
    var isPaused: Bool { get }
    /// Whether the token is not served for now.
    func isBlocked(_ token: RendezvousToken) -> Bool
    /// Whether the agent is short of something, and refuses new requests.
    var isOverloaded: Bool { get }
    /// Whether the server takes no new requests.
    var isStopping: Bool { get }
}

extension ServerCore: ServerFacts {
    func owner(of name: String) -> RendezvousToken? { hosts.owner(of: name) }

    var isPaused: Bool { pause.isPaused }

    func isBlocked(_ token: RendezvousToken) -> Bool { blocked.contains(token) }

    var isOverloaded: Bool { gauge.refusesRequests }

    func banLeft(of address: String) -> Duration? { bans.timeLeft(of: address) }

    func refusesGuesses(from address: String) -> Bool {
        guesses.withLock { $0.refusesToken(from: AddressGroup(address), now: .now) }
    }

    func refusesLogins(from address: String) -> Bool {
        guesses.withLock { $0.refusesLogin(from: AddressGroup(address), now: .now) }
    }

    func remembers(_ claim: PasswordClaim) -> Bool { logins.remembers(logins.digest(of: claim)) }

    func usage(of parties: [LimitedParty]) -> (hit: LimitHit?, usage: [RequestUsage]) {
        meter.outlook(parties)
    }

    func outlook(for token: RendezvousToken, isListed: Bool) -> TokenOutlook {
        registry.outlook(for: token, isListed: isListed)
    }
}
