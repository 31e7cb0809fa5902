import NIOCore
import Routing
import TunnelConfiguration
import TunnelProtocol

/// What a configuration says of a running server, apart from where it listens. Immutable: an update puts another in
/// its place, and a request keeps the one that it began with.
final class ServerSettings: Sendable {
    let basePath: String
    let queueTimeout: TimeAmount
    let httpTimeout: TimeAmount
    let wsTimeout: Duration
    let maximumWaiting: Int
    let maximumClients: Int?
    let maximumSessionsPerToken: Int
    let maximumSessionsPerAddress: Int
    let trustedProxies: [AddressRange]
    let hosts: [String: RendezvousToken]
    let admission: TunnelAdmission
    private let tokensOfHosts: Set<RendezvousToken>

    init(_ configuration: ServerConfiguration) {
        basePath = configuration.basePath
        queueTimeout = TimeAmount(configuration.queueTimeout)
        httpTimeout = TimeAmount(configuration.httpTimeout)
        wsTimeout = configuration.wsTimeout
        maximumWaiting = configuration.maxRequestsPerTunnel
        maximumClients = configuration.maxClientsPerToken
        maximumSessionsPerToken = configuration.maxSessionsPerToken
        maximumSessionsPerAddress = configuration.maxSessionsPerAddress
        trustedProxies = configuration.trustedProxies
        hosts = configuration.hosts
        admission = TunnelAdmission(
            passwords: configuration.passwords, onlyListedTokens: configuration.onlyListedTokens)
        tokensOfHosts = Set(configuration.hosts.values)
    }

    /// Whether the configuration names the token.
    func lists(_ token: RendezvousToken) -> Bool { admission.lists(token) || tokensOfHosts.contains(token) }
}
