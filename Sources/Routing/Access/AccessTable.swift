package import HTTPMessage
package import TunnelConfiguration
package import TunnelProtocol

/// The rules for callers of a server, compiled for every route that has some.
package struct AccessTable: Sendable {
    /// For what has no rules of its own, and no token; nil where the server has none.
    package let everybody: AccessPolicy?
    private let tokens: [RendezvousToken: AccessPolicy]
    /// As `HostTable.names` has them; empty where none of them has rules.
    private let names: [AccessPolicy?]
    /// Whether nobody has rules.
    package let isEmpty: Bool

    /// - Parameter hosts: where names lead.
    package init(_ access: CallerAccess, hosts: HostTable = HostTable()) {
        let everybody = access.everybody.map { AccessPolicy($0) }
        let tokens = access.tokens.mapValues { AccessPolicy($0, within: everybody) }
        names =
            access.names.isEmpty
            ? []
            : hosts.names.map { name in
                access.names[name].map { rules in
                    let ofToken = hosts.tokens[name].flatMap { tokens[$0] }
                    return AccessPolicy(rules, within: ofToken ?? everybody)
                }
            }
        self.everybody = everybody
        self.tokens = tokens
        isEmpty = everybody == nil && tokens.isEmpty && names.isEmpty
    }

    /// Whether a request that was let in for another token may go on to this one.
    package func alsoLetsIn(
        _ head: RequestHead, to token: RendezvousToken, from address: String
    ) -> Bool {
        tokens[token]?.alsoLetsIn(head, from: address) ?? true
    }

    /// Whether the token has rules of its own.
    package func hasRules(for token: RendezvousToken) -> Bool { tokens[token] != nil }

    /// Where rules stand.
    package enum Place: String, Sendable {
        case server, token, name
    }

    /// Where those stand that hold for a request, from wide to narrow.
    package func places(for route: CallerRoute) -> [Place] {
        var places: [Place] = everybody == nil ? [] : [.server]
        guard case .forward(let route) = route else { return places }
        if hasRules(for: route.token) { places.append(.token) }
        if let index = route.policy.name, index < names.count, names[index] != nil { places.append(.name) }
        return places
    }

    /// What holds for a request to a tunnel.
    package func policy(for route: Route) -> AccessPolicy? {
        if let index = route.policy.name, index < names.count, let policy = names[index] { return policy }
        return tokens.isEmpty ? everybody : tokens[route.token] ?? everybody
    }
}
