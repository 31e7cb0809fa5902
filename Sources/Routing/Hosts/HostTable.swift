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
        func match(_ path: String) -> Match? {
            guard longest > 0 else { return matches[""] }
            var rest = path[...]
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
    /// Whether any name has a path: else those of requests are not looked at.
    private let havePaths: Bool
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
            let path = name.path.isEmpty ? "" : ComparablePath.of(name.path)
            switch name.host {
            case .exact(let host): exact[host, default: Paths()].add(path, match)
            case .anyLabel(let parent): wildcards[parent, default: Paths()].add(path, match)
            case .any: others.add(path, match)
            }
        }
        (self.exact, self.wildcards, self.others) = (exact, wildcards, others)
        havePaths = names.contains { !$0.path.isEmpty }
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
    /// - Throws: `RouteError.ambiguousPath` where it depends on how an origin reads the path which name is meant: rules of one
    ///   name must not let in what an origin takes for another's.
    package func match(
        host: String, target: String, claimed: (String) -> RendezvousToken? = { _ in nil }
    ) throws(RouteError) -> (token: RendezvousToken, index: Int?)? {
        guard havePaths else { return match(host, path: "", claimed) }
        let found = match(host, path: ComparablePath.of(target), claimed)
        for reading in ComparablePath.otherReadings(of: target) {
            let other = match(host, path: reading, claimed)
            guard other?.token == found?.token, other?.index == found?.index else { throw .ambiguousPath }
        }
        return found
    }

    /// - Parameter path: without a query.
    private func match(
        _ host: String, path: String, _ claimed: (String) -> RendezvousToken?
    ) -> (token: RendezvousToken, index: Int?)? {
        if !exact.isEmpty, let match = exact[host]?.match(path) { return (match.token, match.index) }
        if let token = claimed(host) { return (token, nil) }
        if !wildcards.isEmpty, let dot = host.firstIndex(of: "."), dot != host.startIndex,
            let match = wildcards[String(host[host.index(after: dot)...])]?.match(path)
        {
            return (match.token, match.index)
        }
        return others.match(path).map { ($0.token, $0.index) }
    }
}
