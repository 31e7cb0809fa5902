import AgentStatus
import HTTPMessage
import Logging
import NIOCore
import NameResolution
import OriginHTTP
import ProxyProtocol
import Synchronization
import TransportSecurity
import TunnelConfiguration
import TunnelProtocol

/// The origins of one tunnel: the configured one, and those that callers named by `X-Host`.
final class OriginDirectory: Sendable {
    /// Origins named by `X-Host` that are kept; the pattern decides how many there can be, callers which.
    private static let mostNamed = 64

    private struct Named {
        var origins: [OriginAddress: HTTPOrigin] = [:]
        var order: [OriginAddress] = []
        var areRetired = false
    }

    /// Where requests go that name no origin.
    private enum Configured {
        case builtIn(any Origin)
        case server(Server)
        case group(OriginGroup)
        case none
    }

    /// One web server. A class: to ask a copy of how requests are written would copy all its texts.
    private final class Server: Sendable {
        let origin: HTTPOrigin
        let rewriting: OriginRequest

        init(_ origin: HTTPOrigin, _ rewriting: OriginRequest) {
            self.origin = origin
            self.rewriting = rewriting
        }
    }

    private let rules: OriginRules
    private let configured: Configured
    /// Whether that takes raw streams, and nothing else.
    private let isRaw: Bool
    private let redirects: Redirects
    private let token: String
    private let trusts: OriginTrusts
    /// What is spoken with origins that callers name.
    private let versions: HTTPVersions
    private let header: ProxyHeader.Version?
    private let named = Mutex(Named())

    /// - Parameters:
    ///   - pool: of those whom other tunnels trust already.
    ///   - previous: what it knows of the health of origins is known here too.
    /// - Throws: when certificates cannot be used, the system's where a configured origin needs them. May read those: not
    ///   for event loops.
    init(
        _ configuration: TunnelClientConfiguration, trusting pool: TrustPool, logger: Logger,
        previous: OriginDirectory? = nil
    ) throws(TLSSetupError) {
        rules = OriginRules(
            hasOrigin: configuration.origin != nil, pattern: configuration.hostPattern)
        trusts = try OriginTrusts(configuration, pool)
        versions = HTTPVersions(configuration.originVersions)
        isRaw = if case .tcp = configuration.origin { true } else { false }
        redirects = configuration.redirects
        token = configuration.token.secret
        header = configuration.proxyHeader
        var servers: [ConfiguredServer] = []
        for target in configuration.origins {
            if let server = try ConfiguredServer(target, configuration, trusts) { servers.append(server) }
        }
        switch configuration.origin {
        case .web, .socket:
            if servers.count == 1, configuration.health == nil {
                configured = .server(Server(servers[0].makeOrigin(), servers[0].rewriting))
            } else {
                configured = .group(
                    OriginGroup(
                        servers.map(\.member), balance: configuration.balance, check: configuration.health,
                        logger: logger, previous: previous?.group))
            }
        case .echo: configured = .builtIn(EchoOrigin())
        case .folder(let path):
            configured = .builtIn(FileOrigin(folder: path, servesHidden: configuration.servesHiddenFiles))
        case .tcp(let host, let port):
            configured = .builtIn(TCPOrigin(host: host, port: port, header: header))
        case nil: configured = .none
        }
    }

    private var group: OriginGroup? {
        if case .group(let group) = configured { group } else { nil }
    }

    /// Its web servers, to be looked at by themselves.
    ///
    /// - Parameter names: of all origins, as the configuration has them.
    func examined(named names: [String]) -> [OriginGroup.Member] {
        switch configured {
        case .server(let server):
            [
                OriginGroup.Member(
                    name: names.first ?? "", origin: server.origin, rewriting: server.rewriting,
                    probe: server.origin)
            ]
        case .group(let group): group.members
        case .builtIn, .none: []
        }
    }

    /// What is known of the health of origins; empty where nobody looks.
    var snapshots: [OriginSnapshot] { group?.snapshots ?? [] }

    /// Begins to look after the health of origins, where that is asked for. May be called again.
    func start(on loops: [any EventLoop]) { group?.startChecks(on: loops) }

    /// Where a request goes.
    ///
    /// - Parameters:
    ///   - request: made what it is as it goes there.
    ///   - entrance: how it came to the tunnel.
    func destination(
        of request: inout RequestHead, from entrance: TunnelEntrance
    ) throws(OriginRefusal) -> Destination {
        if isRaw || request.asksForRawStream {
            guard isRaw, case .builtIn(let origin) = configured else { throw .noRawOrigin }
            return Destination(origin: origin)
        }
        let choice = rules.choose(request.fields)
        Forwarding.rewrite(&request.fields, at: .requestOutOfTunnel)
        switch choice {
        case .configured: return try configuredDestination(of: &request, from: entrance)
        case .named(let address):
            let rewriting = OriginRequest(address: address, redirects: redirects, token: token)
            let prepared = try rewriting.prepare(&request, from: entrance)
            return Destination(origin: named(address), host: prepared.host, view: prepared.view)
        case .refused(let words):
            throw OriginRefusal(status: 403, words: words)
        }
    }

    private func configuredDestination(
        of request: inout RequestHead, from entrance: TunnelEntrance
    ) throws(OriginRefusal) -> Destination {
        switch configured {
        case .server(let server):
            let prepared = try server.rewriting.prepare(&request, from: entrance)
            return Destination(origin: server.origin, host: prepared.host, view: prepared.view)
        case .builtIn(let origin): return Destination(origin: origin, host: nil)
        case .group(let group):
            guard let attempt = try group.attempt(request, from: entrance) else { throw group.refusal }
            let origin = GroupOrigin(
                group: group, first: attempt.index, view: attempt.prepared.view, original: request,
                entrance: entrance)
            request = attempt.request
            // Whichever has it in the end, it makes its answer one for callers.
            return Destination(origin: origin, host: attempt.prepared.host)
        case .none: throw OriginRefusal(status: 403, words: "no origin")
        }
    }

    /// Another directory has taken its place: connections that wait for a request are closed. Exchanges under way go on.
    func retire() {
        switch configured {
        case .server(let server): server.origin.retire()
        case .builtIn(let origin): origin.retire()
        case .group(let group): group.retire()
        case .none: break
        }
        let origins = named.withLock { named in
            named.areRetired = true
            return Array(named.origins.values)
        }
        for origin in origins { origin.retire() }
    }

    /// Connections that wait for a request are closed; the next one makes another.
    func closeIdle() {
        switch configured {
        case .server(let server): server.origin.closeIdle()
        case .builtIn(let origin): origin.closeIdle()
        case .group(let group): for member in group.members { member.origin.closeIdle() }
        case .none: break
        }
        for origin in named.withLock({ Array($0.origins.values) }) { origin.closeIdle() }
    }

    /// Connections of one event loop, the current one.
    func connections(on eventLoop: any EventLoop) -> OriginConnections {
        var all =
            switch configured {
            case .server(let server): server.origin.connections(on: eventLoop)
            case .group(let group): group.connections(on: eventLoop)
            case .builtIn, .none: OriginConnections()
            }
        for origin in named.withLock({ Array($0.origins.values) }) {
            all += origin.connections(on: eventLoop)
        }
        return all
    }

    private func named(_ address: OriginAddress) -> any Origin {
        named.withLock { named in
            if let origin = named.origins[address] { return origin }
            let tls = trusts.tls(forHost: address.host)
            let origin = HTTPOrigin(address, tls: tls, versions: versions, header: header, names: .callers)
            if named.areRetired { origin.retire() }
            named.origins[address] = origin
            named.order.append(address)
            if named.order.count > Self.mostNamed {
                named.origins.removeValue(forKey: named.order.removeFirst())?.retire()
            }
            return origin
        }
    }
}

/// A web server that the configuration names.
private struct ConfiguredServer {
    let name: String
    let rewriting: OriginRequest
    private let address: OriginAddress
    private let tls: ClientTLS
    private let versions: HTTPVersions
    private let header: ProxyHeader.Version?

    /// - Returns: nil for what is no web server.
    init?(
        _ target: OriginTarget, _ configuration: TunnelClientConfiguration, _ trusts: OriginTrusts
    ) throws(TLSSetupError) {
        var versions = HTTPVersions(configuration.originVersions)
        var basePath = ""
        switch target {
        case .web(let url):
            address = OriginAddress(isSecure: url.isSecure, host: url.host, port: url.port)
            basePath = url.basePath
            if url.isHTTP2 { versions = .http2 }
        case .socket(let path): address = OriginAddress(socketPath: path)
        case .echo, .folder, .tcp: return nil
        }
        name = target.shown
        tls = trusts.tls(forHost: address.host)
        if address.isSecure { try tls.load(for: address.host, offering: versions.offer) }
        self.versions = versions
        header = configuration.proxyHeader
        rewriting = OriginRequest(
            address: address, basePath: basePath, hostHeader: configuration.hostHeader,
            redirects: configuration.redirects, token: configuration.token.secret)
    }

    func makeOrigin(_ options: HTTPOriginOptions = HTTPOriginOptions()) -> HTTPOrigin {
        HTTPOrigin(address, tls: tls, versions: versions, header: header, options: options)
    }

    var member: OriginGroup.Member {
        OriginGroup.Member(
            name: name, origin: makeOrigin(), rewriting: rewriting,
            probe: makeOrigin(HTTPOriginOptions(idleConnections: 0)))
    }
}

extension HTTPVersions {
    fileprivate init(_ versions: TunnelClientConfiguration.OriginVersions) {
        self =
            switch versions {
            case .auto: .automatic
            case .http1: .http1
            case .http2: .http2
            }
    }
}

/// TLS with the origins of one tunnel, as far as they are believed for different reasons.
private struct OriginTrusts {
    private let listed: [(trust: OriginTrust, tls: ClientTLS)]
    private let others: ClientTLS

    init(_ configuration: TunnelClientConfiguration, _ pool: TrustPool) throws(TLSSetupError) {
        listed = try configuration.originTrust.map { entry throws(TLSSetupError) in
            (entry, try pool.tls(entry.trust))
        }
        others = try pool.tls(configuration.fallbackTrust)
    }

    func tls(forHost host: String) -> ClientTLS {
        listed.first { $0.trust.holds(for: host) }?.tls ?? others
    }
}

/// Where a request goes.
struct Destination {
    var origin: any Origin
    /// What `Host` is to say; nil for the origin's own.
    var host: String?
    /// How its answer is made one for callers; nil where it may stay as it is.
    var view: PublicView?
}

/// Why a request goes to no origin.
package struct OriginRefusal: Error, Hashable {
    var status: Int
    var words: String
}

extension OriginRefusal {
    fileprivate static let noRawOrigin = Self(
        status: 403, words: "no TCP service stands behind this tunnel: its \"server\" is not tcp://host:port")
}
