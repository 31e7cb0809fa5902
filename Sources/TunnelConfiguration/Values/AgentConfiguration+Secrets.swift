import TunnelProtocol

extension AgentConfiguration {
    /// Everything in it that nobody else should read: for taking it out of texts.
    package var secrets: [String] {
        var secrets: [String?] = [
            admin?.token?.secret, admin?.operateToken?.secret, admin?.lookToken?.secret,
        ]
        secrets += tracing?.headers.map(\.value.secret) ?? []
        for webhook in webhooks {
            secrets += [webhook.secret.secret, webhook.url.credentials?.password.secret]
            // A path of one character would take every slash out of a text.
            if webhook.url.target.secret.utf8.count > 8 { secrets.append(webhook.url.target.secret) }
        }
        for server in servers {
            let trust = server.trust
            secrets += trust.passwords.keys.map(\.secret) + trust.passwords.values.joined().map(\.secret)
            secrets += trust.certificateNames.keys.map(\.secret) + server.routes.hosts.values.map(\.secret)
            secrets += server.access.secrets
        }
        for tunnel in tunnels {
            secrets += [
                tunnel.token.secret, tunnel.password?.secret, tunnel.tunnel.credentials?.password.secret,
                tunnel.proxy?.credentials?.password.secret,
            ]
        }
        return secrets.compactMap(\.self)
    }
}

extension CallerAccess {
    fileprivate var secrets: [String] {
        let rules = [everybody].compactMap(\.self) + tokens.values + names.values
        return tokens.keys.map(\.secret)
            + rules.flatMap { rules -> [String] in
                guard case .listed(_, let bearers) = rules.login else { return [] }
                return bearers.map(\.secret)
            }
    }
}
