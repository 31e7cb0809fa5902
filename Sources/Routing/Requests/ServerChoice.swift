package import TunnelConfiguration

/// Which server of an agent a URL means, where nobody says it outright: by where callers reach them, then by where they listen.
package struct ServerChoice: Sendable, Hashable {
    /// A server that may be meant.
    package struct Candidate: Sendable {
        package let name: String
        fileprivate let configuration: ServerConfiguration
        /// Where it listens: 0 where that is not known.
        package let port: Int
        fileprivate let hosts: HostTable

        /// - Parameter port: where it listens in fact; nil: where its configuration says.
        package init(_ configuration: ServerConfiguration, port: Int? = nil) {
            name = configuration.name
            self.configuration = configuration
            self.port = port ?? configuration.port
            hosts = HostTable(configuration.routes.hosts)
        }

        fileprivate var isSecure: Bool { configuration.tls != nil }
    }

    /// How well a server fits; the last one best.
    package enum Reason: Int, Sendable, Comparable {
        /// It listens at no such port, but knows the name of the host: something in front of it may.
        case mayBeInFront
        /// It listens at that port, and speaks TLS where the URL says it does not, or the other way round.
        case otherScheme
        case listens
        /// Callers reach it there, by way of something in front of it: its `public-url` says so.
        case publicURL
        /// Who asks has named it.
        case named

        package static func < (one: Self, other: Self) -> Bool { one.rawValue < other.rawValue }
    }

    /// Of the candidates.
    package let index: Int
    package let reason: Reason
    /// Others that fit as well.
    package let others: [String]

    /// - Parameters:
    ///   - host: of the URL, in lower case, IPv6 without brackets.
    ///   - candidates: in the order of the configuration.
    /// - Returns: nil where none fits.
    package init?(isSecure: Bool, host: String, port: Int, among candidates: [Candidate]) {
        let ranks = candidates.enumerated().compactMap { index, candidate in
            Self.reason(candidate, isSecure, host, port)
                .map { (index: index, reason: $0, host: candidate.fit(host)) }
        }
        let best = ranks.max { ($0.reason, $0.host, $1.index) < ($1.reason, $1.host, $0.index) }
        guard let best else { return nil }
        index = best.index
        reason = best.reason
        others = ranks.filter { $0.reason == best.reason && $0.index != best.index }
            .map { candidates[$0.index].name }
    }

    /// The server of that name.
    package init?(named name: String, among candidates: [Candidate]) {
        guard let index = candidates.firstIndex(where: { $0.name == name }) else { return nil }
        self.index = index
        reason = .named
        others = []
    }

    private static func reason(
        _ candidate: Candidate, _ isSecure: Bool, _ host: String, _ port: Int
    ) -> Reason? {
        if let url = candidate.configuration.routes.publicURL, url.isSecure == isSecure, url.port == port,
            url.host == host || candidate.fit(host) > .other || candidate.mayClaim(host)
        {
            // What callers are told may be the listener itself.
            let isItself = candidate.port == port && candidate.isSecure == isSecure
            return isItself ? .listens : .publicURL
        }
        guard candidate.port == port, candidate.listens(at: host) else {
            return candidate.mayBeReached(by: host, port) ? .mayBeInFront : nil
        }
        return candidate.isSecure == isSecure ? .listens : .otherScheme
    }
}

/// How a server's names fit a host; the last one best.
private enum HostFit: Int, Comparable {
    case other, anyHost, wildcard, exact

    static func < (one: Self, other: Self) -> Bool { one.rawValue < other.rawValue }
}

extension ServerChoice.Candidate {
    fileprivate func fit(_ host: String) -> HostFit {
        if hosts.lists(host) || configuration.routes.publicURL?.host == host { return .exact }
        guard let index = (try? hosts.match(host: host, target: "/"))?.index else { return .other }
        if case .any = hosts.names[index].host { return .anyHost }
        return .wildcard
    }

    /// Whether a tunnel client may ask for the name.
    fileprivate func mayClaim(_ host: String) -> Bool {
        guard let claims = configuration.routes.claims else { return false }
        return claims.domain.map { host.hasSuffix(".\($0)") } ?? false
            || claims.allowed.contains { $0.matches(host) }
    }

    /// Whether callers may come by a port that is not its own, as they do where a proxy stands before it: by a name that it
    /// knows, at a port that needs not be written.
    fileprivate func mayBeReached(by host: String, _ port: Int) -> Bool {
        guard port == 80 || port == 443, configuration.tcp == nil, configuration.redirect == nil,
            configuration.routes.publicURL == nil
        else { return false }
        return AddressRange(host) == nil && host != "localhost" && (fit(host) > .other || mayClaim(host))
    }

    /// Whether an address may be one that it listens at; a name may be any.
    fileprivate func listens(at host: String) -> Bool {
        let bound = configuration.host
        guard !["0.0.0.0", "::", "*", "", host].contains(bound) else { return true }
        guard AddressRange(host) != nil || host == "localhost" else { return true }
        return AddressRange.isLoopback(bound) && AddressRange.isLoopback(host)
    }
}
