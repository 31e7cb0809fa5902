import AgentStatus
import Logging
import Observability
import Routing
import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// The names that tunnel clients have, for all event loops of a tunnel server: a lock around `HostClaims`, held for so long as
/// a look-up takes, and only where any are given out.
final class HostNames: Sendable {
    private let claims: Mutex<HostClaims>
    /// Whether any name can be somebody's.
    private let areGiven: Atomic<Bool>
    private let port = Atomic(0)

    init(_ settings: ServerSettings) {
        claims = Mutex(HostClaims(settings.claims, listed: settings.routes.hosts))
        areGiven = Atomic(settings.claims != nil)
    }

    /// Who has a name.
    func owner(of name: String) -> RendezvousToken? {
        guard areGiven.load(ordering: .acquiring) else { return nil }
        return claims.withLock { $0.owner(of: name) }
    }

    func change(_ body: (inout sending HostClaims, MonotonicInstant) -> HostClaims.Changes)
        -> HostClaims.Changes
    {
        let now = MonotonicInstant.now
        return claims.withLock { body(&$0, now) }
    }

    func apply(_ settings: ServerSettings) -> HostClaims.Changes {
        areGiven.store(true, ordering: .releasing)
        let changes = change { $0.apply(settings.claims, listed: settings.routes.hosts, now: $1) }
        areGiven.store(settings.claims != nil, ordering: .releasing)
        return changes
    }

    /// Names that are somebody's, in their order.
    var names: [(name: String, token: RendezvousToken)] { claims.withLock { $0.names } }

    /// What became of the claims of a session.
    func rulings(of session: UInt64, _ url: PublicURL, path: String) -> [HostRuling] {
        claims.withLock { $0.rulings(of: session) }.map { ruling in
            let isGranted = ruling.refusal == nil
            return HostRuling(
                claim: ruling.claim, isGranted: isGranted,
                text: ruling.refusal?.words ?? url.text(host: ruling.name ?? "", path: path))
        }
    }

    func listens(at port: Int) { self.port.store(port, ordering: .relaxed) }

    /// In front of names, where nothing else is said.
    func url(isSecure: Bool) -> PublicURL {
        let port = port.load(ordering: .relaxed)
        return PublicURL(isSecure: isSecure, port: port == 0 ? isSecure ? 443 : 80 : port)
    }
}

/// What follows when names get other owners.
extension ServerCore {
    /// Names beyond these are not listed one by one in a log line.
    private static var mostLogged: Int { 10 }

    private func url(_ settings: ServerSettings) -> (url: PublicURL, path: String) {
        let url = settings.publicURL ?? hosts.url(isSecure: settings.tls != nil)
        return (url, settings.routes.basePath + "/")
    }

    /// The names by which requests reach tunnels: those of the configuration, then those that were asked for.
    var namedTunnels: [NamedTunnel] {
        let settings = settings
        let (url, path) = url(settings)
        let tunnel = { (url: String, token: RendezvousToken, isClaimed: Bool) in
            NamedTunnel(
                url: url, tokenHint: token.hint, isClaimed: isClaimed, isUp: self.registry.isUp(token))
        }
        let listed = settings.routes.hosts.names.compactMap { name in
            settings.routes.hosts.tokens[name].map { token in
                let path = settings.routes.basePath + name.path
                return tunnel(url.text(host: name.shownHost, path: path.isEmpty ? "/" : path), token, false)
            }
        }
        return listed + hosts.names.map { tunnel(url.text(host: $0.name, path: path), $0.token, true) }
    }

    /// A session has joined, whose client asks for these names.
    func sessionAsksForNames(
        _ id: UInt64, _ token: RendezvousToken, claims: [String], session: any Session, logger: Logger
    ) {
        guard !claims.isEmpty else { return }
        follow(hosts.change { $0.join(id, token, claims: claims, now: $1) })
        let (url, path) = url(settings)
        let refused = hosts.rulings(of: id, url, path: path).filter { !$0.isGranted }
        guard !refused.isEmpty else { return }
        let words = refused.prefix(Self.mostLogged).map { "\($0.claim): \($0.text)" }.joined(separator: "; ")
        logger.notice("Host names refused", metadata: [.errorMessage: "\(words)"])
    }

    /// A session takes no more requests, or is over.
    func sessionGivesUpNames(_ id: UInt64, isOrderly: Bool) {
        follow(hosts.change { $0.leave(id, isOrderly: isOrderly, now: $1) })
    }

    func namesRested() { follow(hosts.change { $0.expire($1) }) }

    /// Other settings are in force: names may lead elsewhere.
    ///
    /// - Parameter old: that were in force.
    func namesMay(follow settings: ServerSettings, after old: ServerSettings) {
        var changes = hosts.apply(settings)
        if settings.routes.hosts.tokens != old.routes.hosts.tokens {
            changes.losers.formUnion(old.routes.hosts.tokens.values)
            changes.losers.formUnion(hosts.names.map(\.token))
        }
        follow(changes)
    }

    private func follow(_ changes: HostClaims.Changes) {
        guard !changes.isEmpty else { return }
        let settings = settings
        let (url, path) = url(settings)
        for (name, token) in changes.granted.sorted(by: { $0.key < $1.key }).prefix(Self.mostLogged) {
            logger.info(
                "Host name granted",
                metadata: [.tokenHint: "\(token.hint)", .hostName: "\(url.text(host: name, path: path))"])
        }
        for (id, reference) in connections.sessions(changes.sessions) {
            reference.perform { [hosts] in $0.tell(hosts.rulings(of: id, url, path: path)) }
        }
        registry.namesMoved(from: changes.losers)
    }
}
