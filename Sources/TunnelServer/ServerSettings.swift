import HTTPMessage
import NIOCore
import Routing
import TransportSecurity
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
    let callerLimits: CallerLimits
    let bans: BanRules
    /// Those, where any of them bounds requests or bytes.
    private let requestLimits: CallerLimits?
    let routes: RouteTable
    /// Which names tunnel clients may have for the asking; nil for none.
    let claims: HostClaimRules?
    /// Where callers reach the server; nil: where it listens.
    let publicURL: PublicURL?
    /// Who may call.
    let access: AccessTable
    let admission: TunnelAdmission
    /// What the listener is where it speaks no HTTP; nil where it does.
    let tcp: TCPPort?
    /// Whether tunnel clients may come by long polling.
    let offersLongPoll: Bool
    /// Whether origins are told of callers in `Forwarded` and `Via` too.
    let tellsAllOfCallers: Bool
    /// With everybody who connects; nil where plain HTTP is spoken.
    let tls: ServerTLS?
    /// With tunnel clients who ask for it, inside what carries the tunnel; nil where none is spoken.
    let innerTLS: ServerTLS?
    /// Whether connections begin with a PROXY header of one of the proxies; nil where they do not.
    let proxyHeader: ServerConfiguration.ProxyHeaderDemand?
    let proxies: [AddressRange]

    init(_ configuration: ServerConfiguration, tls: ServerTLS?, innerTLS: ServerTLS? = nil) {
        self.tls = tls
        self.innerTLS = innerTLS ?? tls
        tcp = configuration.tcp
        offersLongPoll = configuration.offersLongPoll
        tellsAllOfCallers = configuration.routes.forwarding == .all
        times = Times(
            keepalive: configuration.times.keepalive, stall: TimeAmount(configuration.times.stall),
            queue: TimeAmount(configuration.times.queue))
        limits = configuration.limits
        claims = configuration.routes.claims
        publicURL = configuration.routes.publicURL
        callerLimits = configuration.callerLimits
        bans = configuration.bans
        requestLimits = configuration.callerLimits.boundsRequests ? configuration.callerLimits : nil
        proxyHeader = configuration.trust.proxyHeader
        proxies = configuration.trust.proxies
        routes = RouteTable(
            basePath: configuration.routes.basePath, hosts: configuration.routes.hosts,
            trustedProxies: configuration.trust.proxies, redirect: configuration.redirect)
        access = AccessTable(configuration.access, hosts: routes.hosts)
        admission = TunnelAdmission(
            passwords: configuration.trust.passwords, onlyListedTokens: configuration.trust.onlyListedTokens,
            certificateNames: configuration.trust.certificateNames,
            needsCertificate: tls?.configuration.tunnelClients == .required,
            authority: tls?.configuration.clientAuthority?.pem)
    }

    /// Most connections at once from an address; nil where the configuration sets no limit for it, as it does for no proxy
    /// that speaks for many callers.
    func connectionsPerAddress(from peer: String) -> Int? {
        guard let most = callerLimits.connectionsPerAddress,
            !routes.trustedProxies.contains(where: { $0.contains(peer) })
        else { return nil }
        return most
    }

    /// Whether an address is not banned, whatever comes from it: proxies that speak for many callers are not.
    func isNeverBanned(_ address: String) -> Bool {
        (bans.never + routes.trustedProxies).contains { $0.contains(address) }
    }

    /// What callers have to show.
    var callerCertificates: ListenerTLS.CertificateDemand { tls?.configuration.callers ?? .none }

    /// Whether a request ends here, as its caller has to show a certificate and has shown none that counts.
    func lacksCertificate(_ route: CallerRoute, hasShown: Bool) -> Bool {
        callerCertificates == .required && !hasShown && route.isForCallersAlone
    }

    /// The rules for callers that a request is held to; nil for none.
    func policy(for route: CallerRoute) -> AccessPolicy? {
        guard !access.isEmpty, route.isForCallersAlone else { return nil }
        if case .forward(let route) = route { return access.policy(for: route) }
        return access.everybody
    }

    /// Who is meant by limits when a request goes to a tunnel; nobody where none are set.
    func limitedParties(_ route: Route, _ fields: HeaderFields, from address: String) -> [LimitedParty] {
        guard let requestLimits else { return [] }
        let isNamed = route.policy.namedBy == .host
        return requestLimits.parties(
            of: route.token, host: isNamed ? fields[.host].map(CallerRoute.name(ofHost:)) : nil,
            name: route.policy.name.map { routes.hosts.names[$0] }, from: AddressGroup(address))
    }

    /// The same of a connection that is no request.
    func limitedParties(to token: RendezvousToken, from address: String) -> [LimitedParty] {
        requestLimits?.parties(of: token, host: nil, name: nil, from: AddressGroup(address)) ?? []
    }

    /// Who vouches for what others show; nil where none do.
    var clientAuthority: CertificateFile? { tls?.configuration.clientAuthority }

    /// Whether origins are told what callers have shown.
    var tellsOriginsCertificates: Bool { tls?.configuration.tellsOrigins == true }

    /// Whether the configuration names the token.
    func lists(_ token: RendezvousToken) -> Bool {
        admission.lists(token) || routes.leads(to: token) || tcp?.token == token
    }
}
