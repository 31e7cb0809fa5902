package import HTTPMessage
package import TunnelConfiguration
package import TunnelProtocol

/// What a configuration says of the ways to a server's tunnels. A class, as every request looks into it.
package final class RouteTable: Sendable {
    /// "" or a path with a leading and without a trailing slash; requests outside it are nobody's.
    package let basePath: String
    /// The names whose requests need not bring a token.
    package let hosts: HostTable
    /// Proxies whose words about earlier hops count.
    package let trustedProxies: [AddressRange]
    private let redirect: RedirectListener?

    package init(
        basePath: String = "", hosts: [PublicName: RendezvousToken] = [:],
        trustedProxies: [AddressRange] = [],
        redirect: RedirectListener? = nil
    ) {
        self.basePath = basePath
        self.hosts = HostTable(hosts)
        self.trustedProxies = trustedProxies
        self.redirect = redirect
    }

    /// Who calls.
    ///
    /// - Parameter peer: the address that connected.
    package func caller(at peer: String, _ fields: HeaderFields) -> CallerAddress {
        CallerAddress(peer: peer, fields, trusted: trustedProxies)
    }

    /// - Parameters:
    ///   - claimed: the token that holds a host, of those that tunnel clients asked for.
    ///   - likely: a token that the request may well name.
    package func route(
        _ head: RequestHead, claimed: (String) -> RendezvousToken? = { _ in nil },
        likely: RendezvousToken? = nil
    ) -> CallerRoute {
        if let redirect { return CallerRoute(head, redirecting: redirect) }
        return CallerRoute(head, basePath: basePath, hosts: hosts, claimed: claimed, likely: likely)
    }

    /// Where the name in a request leads.
    ///
    /// - Parameters:
    ///   - head: its target without the base path.
    ///   - claimed: the token that holds a host, of those that tunnel clients asked for.
    package func route(named head: RequestHead, claimed: (String) -> RendezvousToken?) -> Route? {
        try? Route(named: head, hosts, claimed, basePath, target: head.target)
    }

    /// Whether it leads to no tunnel, but to another listener.
    package var onlyRedirects: Bool { redirect != nil }

    /// Whether a host leads to the token.
    package func leads(to token: RendezvousToken) -> Bool { hosts.leads(to: token) }
}
