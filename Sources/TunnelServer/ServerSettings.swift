import NIOCore
import Routing
import TunnelConfiguration
import TunnelProtocol

/// What a configuration says of a running server, apart from where it listens. Immutable: an update puts another in
/// its place, and a request keeps the one that it began with.
final class ServerSettings: Sendable {
    /// As `ServerConfiguration.Times` has them.
    struct Times: Sendable {
        let keepalive: Duration
        let stall: TimeAmount
        let queue: TimeAmount
    }

    let times: Times
    let limits: ServerConfiguration.Limits
    let routes: RouteTable
    let admission: TunnelAdmission

    init(_ configuration: ServerConfiguration) {
        times = Times(
            keepalive: configuration.times.keepalive, stall: TimeAmount(configuration.times.stall),
            queue: TimeAmount(configuration.times.queue))
        limits = configuration.limits
        routes = RouteTable(
            basePath: configuration.routes.basePath, hosts: configuration.routes.hosts,
            trustedProxies: configuration.trust.proxies)
        admission = TunnelAdmission(
            passwords: configuration.trust.passwords, onlyListedTokens: configuration.trust.onlyListedTokens)
    }

    /// Whether the configuration names the token.
    func lists(_ token: RendezvousToken) -> Bool { admission.lists(token) || routes.leads(to: token) }
}
