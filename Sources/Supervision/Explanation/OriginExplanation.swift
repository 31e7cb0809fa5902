import AgentStatus
import HTTPMessage
import TunnelClient
import TunnelConfiguration
import TunnelServer

/// Which origin a request would go to, where the tunnel clients of its token are the same agent's.
struct OriginExplanation {
    private(set) var steps: [ExplanationSnapshot.Step] = []
    /// In place of the server's word: a client's refusal.
    private(set) var outcome: ExplanationSnapshot.Outcome?

    init(_ explanation: ServerExplanation, _ all: [TunnelClientConfiguration]) {
        let tunnels = all.filter { $0.token == explanation.token }
        guard !tunnels.isEmpty else {
            steps.append(.init(.origin, "where the tunnel clients of this token say: none of them is here"))
            return
        }
        for tunnel in tunnels {
            if let request = explanation.request {
                add(tunnel, request, isNamed: explanation.isNamed)
            } else {
                steps.append(.init(.origin, Self.shown(tunnel), key: "tunnels[\(tunnel.name)]"))
            }
        }
        // Of several nobody knows which one has it.
        if tunnels.count > 1 { outcome = nil }
    }

    private mutating func add(
        _ tunnel: TunnelClientConfiguration, _ request: RequestHead, isNamed: Bool
    ) {
        let rules = OriginRules(hasOrigin: tunnel.origin != nil, pattern: tunnel.hostPattern)
        let key = "tunnels[\(tunnel.name)]"
        switch rules.choose(request.fields) {
        case .refused(let words):
            steps.append(.init(.origin, words, key: key, isEnd: true))
            outcome = .init(.refused, status: 403, words)
        case .named(let address):
            steps.append(
                .init(.origin, "\(address), as X-Host asks" + Self.redirects(tunnel, isNamed), key: key))
        case .configured:
            let words = Self.shown(tunnel)
            let isPlain = if case .web = tunnel.origin { true } else { false }
            steps.append(
                .init(
                    .origin,
                    words
                        + (isPlain
                            ? Self.host(tunnel.hostHeader, isNamed) + Self.redirects(tunnel, isNamed) : ""),
                    key: key))
        }
    }

    private static func shown(_ tunnel: TunnelClientConfiguration) -> String {
        let origins = tunnel.origins.map(\.shown)
        guard origins.count > 1 else { return origins.first ?? "none" }
        return "one of \(origins.joined(separator: ", ")) (balance: \(tunnel.balance.rawValue))"
    }

    private static func host(_ header: HostHeader, _ isNamed: Bool) -> String {
        switch header {
        case .automatic:
            isNamed ? "; Host: the caller's for http://, else the origin's own" : "; Host: the origin's own"
        case .origin: "; Host: the origin's own"
        case .keep: "; Host: the caller's"
        case .named(let name): "; Host: \(name)"
        }
    }

    private static func redirects(_ tunnel: TunnelClientConfiguration, _ isNamed: Bool) -> String {
        let follow =
            switch tunnel.redirects {
            case .auto: isNamed
            case .rewrite: true
            case .keep: false
            }
        return "; URLs in its answer \(follow ? "follow" : "stay") (redirects: \(tunnel.redirects.rawValue))"
    }
}
