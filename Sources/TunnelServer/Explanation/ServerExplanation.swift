package import AgentStatus
package import HTTPMessage
package import Routing
package import TransportSecurity
package import TunnelConfiguration
package import TunnelProtocol

/// What a tunnel server would do with a request.
package struct ServerExplanation: Sendable {
    package var steps: [ExplanationSnapshot.Step]
    package var outcome: ExplanationSnapshot.Outcome
    /// Of the tunnel that it goes to; nil for none.
    package var token: RendezvousToken?
    /// As it goes there.
    package var request: RequestHead?
    /// Whether a name led there.
    package var isNamed = false
    /// Texts that must not be shown, and what is shown in their place.
    package var hints: [String: String]

    /// By a configuration alone. Looks at passwords: not for event loops.
    ///
    /// - Parameters:
    ///   - tls: made of the configuration; nil where that has none.
    ///   - claims: of the tunnel clients that are known to come.
    ///   - reason: why it is this server that is asked.
    package init(
        _ query: ExplanationQuery, by configuration: ServerConfiguration, tls: ServerTLS?,
        claims: HostClaims? = nil, _ reason: ServerChoice.Reason
    ) {
        self.init(
            query,
            RequestExplainer(
                ServerSettings(configuration, tls: tls), configuration.name, reason, claims: claims))
    }

    init(_ query: ExplanationQuery, _ explainer: RequestExplainer) {
        var explainer = explainer
        let outcome = explainer.explain(query)
        steps = explainer.steps
        self.outcome = outcome
        token = explainer.route?.token ?? explainer.settings.tcp?.token
        isNamed = explainer.route?.policy.namedBy == .host
        request = explainer.forwarded
        hints = explainer.hints
    }
}

extension TunnelServer {
    /// What it would do with a request now. Changes nothing, and tells nobody. Looks at passwords: not for event loops.
    ///
    /// - Parameter reason: why it is this server that is asked.
    package func explain(_ query: ExplanationQuery, _ reason: ServerChoice.Reason) -> ServerExplanation {
        ServerExplanation(query, RequestExplainer(core.settings, core.name, reason, facts: core))
    }
}
