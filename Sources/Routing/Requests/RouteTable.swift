package import HTTPMessage
package import TunnelConfiguration
package import TunnelProtocol

/// What a configuration says of the ways to a server's tunnels.
package struct RouteTable: Sendable {
    /// "" or a path with a leading and without a trailing slash; requests outside it are nobody's.
    package let basePath: String
    /// The tokens of hosts, in lower case and without port, whose requests need not name one.
    package let hosts: [String: RendezvousToken]
    /// Proxies whose words about earlier hops count.
    package let trustedProxies: [AddressRange]
    private let redirect: RedirectListener?
    private let tokensOfHosts: Set<RendezvousToken>

    package init(
        basePath: String = "", hosts: [String: RendezvousToken] = [:], trustedProxies: [AddressRange] = [],
        redirect: RedirectListener? = nil
    ) {
        self.basePath = basePath
        self.hosts = hosts
        self.trustedProxies = trustedProxies
        self.redirect = redirect
        tokensOfHosts = Set(hosts.values)
    }

    /// Who calls.
    ///
    /// - Parameter peer: the address that connected.
    package func caller(at peer: String, _ fields: HeaderFields) -> CallerAddress {
        CallerAddress(peer: peer, fields, trusted: trustedProxies)
    }

    package func route(_ head: RequestHead) -> CallerRoute {
        redirect.map { CallerRoute(head, redirecting: $0) }
            ?? CallerRoute(head, basePath: basePath, hosts: hosts)
    }

    /// Whether it leads to no tunnel, but to another listener.
    package var onlyRedirects: Bool { redirect != nil }

    /// Whether a host leads to the token.
    package func leads(to token: RendezvousToken) -> Bool { tokensOfHosts.contains(token) }
}
