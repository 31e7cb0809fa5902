import NIOCore
import Routing
import TunnelConfiguration
import TunnelProtocol

/// What a configuration says of a running server, apart from where it listens. Immutable: an update puts another in
/// its place, and a request keeps the one that it began with.
final class ServerSettings: Sendable {
    let queueTimeout: TimeAmount
    let httpTimeout: TimeAmount
    let wsTimeout: Duration
    let maximumWaiting: Int
    let maximumClients: Int?
    let maximumSessionsPerToken: Int
    let maximumSessionsPerAddress: Int
    let routes: RouteTable
    let admission: TunnelAdmission

    init(_ configuration: ServerConfiguration) {
        queueTimeout = TimeAmount(configuration.queueTimeout)
        httpTimeout = TimeAmount(configuration.httpTimeout)
        wsTimeout = configuration.wsTimeout
        maximumWaiting = configuration.maxRequestsPerTunnel
        maximumClients = configuration.maxClientsPerToken
        maximumSessionsPerToken = configuration.maxSessionsPerToken
        maximumSessionsPerAddress = configuration.maxSessionsPerAddress
        routes = RouteTable(
            basePath: configuration.basePath, hosts: configuration.hosts,
            trustedProxies: configuration.trustedProxies)
        admission = TunnelAdmission(
            passwords: configuration.passwords, onlyListedTokens: configuration.onlyListedTokens)
    }

    /// Whether the configuration names the token.
    func lists(_ token: RendezvousToken) -> Bool { admission.lists(token) || routes.leads(to: token) }
}
