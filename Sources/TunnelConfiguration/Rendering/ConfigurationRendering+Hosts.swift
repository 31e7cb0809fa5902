import TunnelProtocol

/// The names by which requests reach tunnels.
extension ConfigurationRendering {
    static func writeNames(
        _ routes: ServerConfiguration.Routes, _ access: CallerAccess,
        _ limits: [PublicName: RequestLimits], to text: inout ConfigurationText
    ) {
        let names = routes.hosts.keys.sorted()
        text.line(4, "\(Keys.hosts.name):" + (names.isEmpty ? " []" : ""))
        for name in names {
            text.line(
                6, "- \(HostKeys.host.declaration.name): \(ConfigurationText.quoted(name.shownHost))")
            if !name.path.isEmpty { text.entry(8, HostKeys.path, text: name.path) }
            text.secret(8, Keys.token.literal)
            write(access.names[name], 8, to: &text)
            write(limits[name], 8, LimitKeys.nameLimits, to: &text)
        }
        if let claims = routes.claims {
            text.line(4, "\(HostKeys.claims.name):")
            text.entry(6, HostKeys.domain, text: claims.domain)
            list(6, HostKeys.allow, claims.allowed, to: &text)
            list(6, HostKeys.reserved, claims.reserved, to: &text)
            text.entry(6, HostKeys.perToken, plain: claims.most)
        }
        text.entry(4, HostKeys.publicURL, text: routes.publicURL?.shown)
    }

    /// Beside what a server says of the token's password.
    static func writeClaims(
        of token: RendezvousToken, _ claims: HostClaimRules?, to text: inout ConfigurationText
    ) {
        guard let own = claims?.tokens[token] else { return }
        text.line(8, "\(HostKeys.claimsOfToken.name):" + (own == .init() ? " {}" : ""))
        if let allowed = own.allowed { list(10, HostKeys.allow, allowed, to: &text) }
        text.entry(10, HostKeys.perToken, plain: own.most)
    }

    private static func list(
        _ indentation: Int, _ key: KeyDeclaration, _ globs: Set<HostGlob>, to text: inout ConfigurationText
    ) {
        text.texts(indentation, key, globs.map(\.text))
    }
}
