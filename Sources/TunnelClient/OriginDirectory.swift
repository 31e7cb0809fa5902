import HTTPMessage
import NameResolution
import OriginHTTP
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

    private let rules: OriginRules
    private let configured: (any Origin)?
    /// Whether that takes raw streams, and nothing else.
    private let isRaw: Bool
    /// How requests to the configured origin are written; nil for a built-in one.
    private let rewriting: OriginRequest?
    private let redirects: Redirects
    private let token: String
    private let trusts: OriginTrusts
    /// What is spoken with origins that callers name.
    private let versions: HTTPVersions
    private let named = Mutex(Named())

    /// - Parameter pool: of those whom other tunnels trust already.
    /// - Throws: when certificates cannot be used, the system's where the configured origin needs them. May read those: not
    ///   for event loops.
    init(_ configuration: TunnelClientConfiguration, trusting pool: TrustPool) throws(TLSSetupError) {
        rules = OriginRules(
            hasOrigin: configuration.origin != nil, pattern: configuration.hostPattern)
        trusts = try OriginTrusts(configuration, pool)
        versions = HTTPVersions(configuration.originVersions)
        isRaw = if case .tcp = configuration.origin { true } else { false }
        redirects = configuration.redirects
        token = configuration.token.secret
        switch configuration.origin {
        case .web(let url):
            let address = OriginAddress(isSecure: url.isSecure, host: url.host, port: url.port)
            let tls = trusts.tls(forHost: url.host)
            let versions = url.isHTTP2 ? .http2 : versions
            if url.isSecure { try tls.load(for: url.host, offering: versions.offer) }
            configured = HTTPOrigin(address, tls: tls, versions: versions)
            rewriting = OriginRequest(
                address: address, basePath: url.basePath, hostHeader: configuration.hostHeader,
                redirects: redirects, token: token)
        case .echo:
            configured = EchoOrigin()
            rewriting = nil
        case .folder(let path):
            configured = FileOrigin(folder: path, servesHidden: configuration.servesHiddenFiles)
            rewriting = nil
        case .tcp(let host, let port):
            configured = TCPOrigin(host: host, port: port)
            rewriting = nil
        case nil:
            configured = nil
            rewriting = nil
        }
    }

    /// Where a request goes.
    ///
    /// - Parameters:
    ///   - request: made what it is as it goes there.
    ///   - entrance: how it came to the tunnel.
    func destination(
        of request: inout RequestHead, from entrance: TunnelEntrance
    ) throws(OriginRefusal) -> Destination {
        if isRaw || request.asksForRawStream {
            guard isRaw, let configured else { throw .noRawOrigin }
            return Destination(origin: configured)
        }
        let choice = rules.choose(request.fields)
        Forwarding.rewrite(&request.fields, at: .requestOutOfTunnel)
        switch choice {
        case .configured:
            guard let configured else { throw OriginRefusal(status: 403, words: "no origin") }
            let prepared = try rewriting?.prepare(&request, from: entrance)
            return Destination(origin: configured, host: prepared?.host, view: prepared?.view)
        case .named(let address):
            let rewriting = OriginRequest(address: address, redirects: redirects, token: token)
            let prepared = try rewriting.prepare(&request, from: entrance)
            return Destination(origin: named(address), host: prepared.host, view: prepared.view)
        case .refused(let words):
            throw OriginRefusal(status: 403, words: words)
        }
    }

    /// Another directory has taken its place: connections that wait for a request are closed. Exchanges under way go on.
    func retire() {
        configured?.retire()
        let origins = named.withLock { named in
            named.areRetired = true
            return Array(named.origins.values)
        }
        for origin in origins { origin.retire() }
    }

    private func named(_ address: OriginAddress) -> any Origin {
        named.withLock { named in
            if let origin = named.origins[address] { return origin }
            let tls = trusts.tls(forHost: address.host)
            let origin = HTTPOrigin(address, tls: tls, versions: versions, names: .callers)
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
