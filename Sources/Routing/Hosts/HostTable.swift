import HTTPMessage
package import TunnelConfiguration
package import TunnelProtocol

/// The names of a server that lead to a token: which of them a request means. Made once for a configuration; to ask it costs
/// the same however many there are.
///
/// The more exact host counts first, and of its paths the longest; a host of which no path matches is looked for among those
/// that are less exact.
///
/// A class: it is handed on with every request, and to copy a structure of as many parts would cost more than all else of it.
package final class HostTable: Sendable {
    /// That of a server which lists no names.
    package static let empty = HostTable()

    /// What a request means.
    package struct Match: Sendable, Equatable {
        package var token: RendezvousToken
        /// Which of `names`.
        package var index: Int
    }

    /// The names of one host, by their paths.
    private struct Paths: Sendable {
        private var matches: [String: Match] = [:]
        /// Of the longest path, in bytes; 0 where none of them has one.
        private var longest = 0

        mutating func add(_ path: String, _ match: Match) {
            matches[path] = match
            longest = max(longest, path.utf8.count)
        }

        /// Asks for the request's path and those above it, however many others there are.
        func match(_ target: String) -> Match? {
            guard longest > 0 else { return matches[""] }
            var rest = ComparablePath.of(target)[...]
            while !rest.isEmpty {
                if rest.utf8.count <= longest, let match = matches[String(rest)] { return match }
                guard let slash = rest.utf8.lastIndex(of: UInt8(ascii: "/")) else { break }
                rest = rest[..<slash]
            }
            return matches[""]
        }
    }

    /// All of them, in their order.
    package let names: [PublicName]
    private let exact: [String: Paths]
    /// By what stands behind the first label.
    private let wildcards: [String: Paths]
    private let others: Paths
    /// Where each of them leads.
    package let tokens: [PublicName: RendezvousToken]
    private let ends: Set<RendezvousToken>

    package init(_ hosts: [PublicName: RendezvousToken] = [:]) {
        names = hosts.keys.sorted()
        tokens = hosts
        ends = Set(hosts.values)
        var exact: [String: Paths] = [:]
        var wildcards: [String: Paths] = [:]
        var others = Paths()
        for (index, name) in names.enumerated() {
            guard let token = hosts[name] else { continue }
            let match = Match(token: token, index: index)
            switch name.host {
            case .exact(let host): exact[host, default: Paths()].add(name.path, match)
            case .anyLabel(let parent): wildcards[parent, default: Paths()].add(name.path, match)
            case .any: others.add(name.path, match)
            }
        }
        (self.exact, self.wildcards, self.others) = (exact, wildcards, others)
    }

    package var isEmpty: Bool { names.isEmpty }

    /// Whether a name leads to the token.
    package func leads(to token: RendezvousToken) -> Bool { ends.contains(token) }

    /// Whether a name is this host's alone.
    package func lists(_ host: String) -> Bool { exact[host] != nil }

    /// - Parameters:
    ///   - host: as `PublicName.Host.exact` has it.
    ///   - target: a path, perhaps with a query.
    ///   - claimed: the token that holds a host that is not listed by itself; asked before wildcards.
    package func match(
        host: String, target: String, claimed: (String) -> RendezvousToken? = { _ in nil }
    ) -> (token: RendezvousToken, index: Int?)? {
        if !exact.isEmpty, let match = exact[host]?.match(target) { return (match.token, match.index) }
        if let token = claimed(host) { return (token, nil) }
        if !wildcards.isEmpty, let dot = host.firstIndex(of: "."), dot != host.startIndex,
            let match = wildcards[String(host[host.index(after: dot)...])]?.match(target)
        {
            return (match.token, match.index)
        }
        return others.match(target).map { ($0.token, $0.index) }
    }
}
