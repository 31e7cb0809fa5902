package import AgentStatus
import HTTPMessage
import Routing
import TransportSecurity
package import TunnelConfiguration
import TunnelServer

/// What would become of requests, by a configuration that nobody need run, or by servers that run.
package enum Explanations {
    /// By a configuration alone. Looks at passwords: takes up to a second.
    ///
    /// - Throws: where the server that the query names is none of its, or its certificates cannot be used.
    package static func explanation(
        of query: ExplanationQuery, by configuration: AgentConfiguration
    ) throws(ActionError) -> ExplanationSnapshot {
        let candidates = configuration.servers.map { ServerChoice.Candidate($0) }
        guard let choice = try choice(query, candidates) else {
            return nobodyListens(query, candidates, .file)
        }
        let server = configuration.servers[choice.index]
        let tls: ServerTLS?
        do throws(TLSSetupError) {
            tls = try server.tls.map { configuration throws(TLSSetupError) in
                try ServerTLSPool().tls(configuration)
            }
        } catch {
            throw ActionError(422, "servers[\(server.name)]: \(error)")
        }
        let explanation = ServerExplanation(
            query, by: server, tls: tls, claims: claims(at: choice.index, candidates, configuration),
            choice.reason)
        return snapshot(query, choice, server, explanation, configuration.tunnels, .file)
    }

    /// By a server that runs. Looks at passwords: takes up to a second.
    ///
    /// - Parameters:
    ///   - servers: with where they listen, in the order of the configuration.
    ///   - tunnels: of the same agent.
    static func explanation(
        of query: ExplanationQuery,
        by servers: [(server: TunnelServer, configuration: ServerConfiguration, port: Int)],
        _ tunnels: [TunnelClientConfiguration]
    ) throws(ActionError) -> ExplanationSnapshot {
        let candidates = servers.map { ServerChoice.Candidate($0.configuration, port: $0.port) }
        guard let choice = try choice(query, candidates) else {
            return nobodyListens(query, candidates, .agent)
        }
        let chosen = servers[choice.index]
        let explanation = chosen.server.explain(query, choice.reason)
        return snapshot(query, choice, chosen.configuration, explanation, tunnels, .agent)
    }

    /// The names that tunnels of the configuration ask a server of it for, as it would give them out if they came in their order.
    private static func claims(
        at index: Int, _ candidates: [ServerChoice.Candidate], _ configuration: AgentConfiguration
    ) -> HostClaims {
        let routes = configuration.servers[index].routes
        let tunnels = configuration.tunnels.filter { tunnel in
            let (isSecure, host, port) = (tunnel.tunnel.isSecure, tunnel.tunnel.host, tunnel.tunnel.port)
            return !tunnel.hosts.isEmpty
                && ServerChoice(isSecure: isSecure, host: host.lowercased(), port: port, among: candidates)?
                    .index == index
        }
        return HostClaims(
            routes.claims, listed: HostTable(routes.hosts), askedFor: tunnels.map { ($0.token, $0.hosts) })
    }

    // MARK: Which server

    private static func choice(
        _ query: ExplanationQuery, _ candidates: [ServerChoice.Candidate]
    ) throws(ActionError) -> ServerChoice? {
        guard !candidates.isEmpty else {
            throw ActionError(
                409, "there are no servers here: requests come to the agent that has them")
        }
        guard let name = query.server else {
            return ServerChoice(
                isSecure: query.isSecure, host: query.host, port: query.port, among: candidates)
        }
        guard let choice = ServerChoice(named: name, among: candidates) else {
            let names = candidates.map(\.name).joined(separator: ", ")
            throw ActionError(404, "no server has the name of --server — there is \(names)")
        }
        return choice
    }

    private static func nobodyListens(
        _ query: ExplanationQuery, _ candidates: [ServerChoice.Candidate],
        _ source: ExplanationSnapshot.Source
    ) -> ExplanationSnapshot {
        let place = hostAndPort(query.host, query.port)
        let others = candidates.map(\.shown).joined(separator: ", ")
        let words =
            "none listens at \(place), or is reached there by its public-url; there is \(others) — choose one by --server"
        return ExplanationSnapshot(
            source: source, request: TokenRemoval.masked(shown(query)),
            steps: [.init(.server, words, isEnd: true)],
            outcome: .init(.closed, "none of these servers has the request")
        )
    }

    private static func words(_ choice: ServerChoice, _ server: ServerConfiguration) -> String {
        let why =
            switch choice.reason {
            case .named: "named by --server"
            case .publicURL: "reached there by its public-url"
            case .listens, .otherScheme: "listens at that port"
            case .mayBeInFront:
                "knows that name, though it listens at port \(server.port): something in front of it has the other (public-url)"
            }
        let others = choice.others.joined(separator: ", ")
        return "\(server.name): \(why)"
            + (others.isEmpty ? "" : "; \(others) would do as well: --server says which is meant")
    }

    // MARK: The whole

    private static func snapshot(
        _ query: ExplanationQuery, _ choice: ServerChoice, _ server: ServerConfiguration,
        _ explanation: ServerExplanation, _ tunnels: [TunnelClientConfiguration],
        _ source: ExplanationSnapshot.Source
    ) -> ExplanationSnapshot {
        var steps = [
            ExplanationSnapshot.Step(.server, words(choice, server), key: "servers[\(server.name)]")
        ]
        steps += explanation.steps
        var outcome = explanation.outcome
        if outcome.verdict == .carried {
            let origins = OriginExplanation(explanation, tunnels)
            steps += origins.steps
            outcome = origins.outcome ?? outcome
        }
        if source == .file, explanation.outcome.verdict != .closed {
            steps.append(
                .init(
                    .agent,
                    "bans, names that other tunnels ask for, limits that are used up and tunnels that are down are the running "
                        + "agent's to tell: --running"))
        }
        return ExplanationSnapshot(
            source: source, request: shown(query), server: server.name, steps: steps, outcome: outcome
        ).hiding(explanation.hints)
    }

    private static func shown(_ query: ExplanationQuery) -> String {
        let url = PublicURL(isSecure: query.isSecure, port: query.port)
        return "\(query.method) \(url.text(host: query.host, path: query.target))"
    }
}

extension ExplanationSnapshot {
    /// With hints in place of secrets.
    fileprivate func hiding(_ hints: [String: String]) -> ExplanationSnapshot {
        let secrets = hints.keys.sorted { ($1.utf8.count, $1) < ($0.utf8.count, $0) }
        return mapped { text in
            var text = text
            for secret in secrets { text = text.replacing(secret, with: hints[secret] ?? "") }
            return text
        }
    }
}

extension ServerChoice.Candidate {
    /// Its name, and where it listens.
    fileprivate var shown: String {
        port == 0 ? "\(name) (the kernel picks its port)" : "\(name) at port \(port)"
    }
}
