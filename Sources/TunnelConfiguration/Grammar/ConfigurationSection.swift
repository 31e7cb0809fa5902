/// The mappings that a configuration file is made of. Their keys drive decoding, the check for unknown keys,
/// the JSON schema, and the tests that hold the reference file to the code.
package enum ConfigurationSection: String, CaseIterable, Hashable, Sendable {
    case root, included, log, admin, adminTLS, defaults, server, tls, certificate, passwordEntry, hostEntry,
        hostClaims, tokenHostClaims, tunnel, originTLS, serverInnerTLS, tunnelInnerTLS, portEntry, callers,
        callerHeaders, fieldChanges, maintenance, limits, addressLimits, requestLimits, tokenLimits, ban,
        health, loadShedding, tracing, tracingHeader, webhook, history

    /// Every key that the section takes, in the order of the reference.
    package var keys: [KeyDeclaration] { Self.tables[self]?.keys ?? [] }

    /// The declaration of a key of the section, or nil.
    func declaration(of key: String) -> KeyDeclaration? { Self.tables[self]?.byName[key] }

    /// Whether keys that start with `x-` are the user's own, for anchors.
    var takesOwnKeys: Bool { self == .root || self == .included }

    static let ownKeyPrefix = "x-"

    private struct Table {
        let keys: [KeyDeclaration]
        let byName: [String: KeyDeclaration]
    }

    /// Made once: every entry of a file asks for its section's.
    private static let tables: [Self: Table] = {
        let tables = allCases.map { section in
            let keys = section.listedKeys
            let byName = Dictionary(keys.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
            return (section, Table(keys: keys, byName: byName))
        }
        return Dictionary(tables, uniquingKeysWith: { first, _ in first })
    }()

    private var listedKeys: [KeyDeclaration] {
        switch self {
        case .root:
            [
                Keys.version.declaration, Keys.include, Keys.log, Keys.pidfile.declaration,
                Keys.usageFile.declaration,
                Keys.shutdownGrace.declaration, Keys.controlSocket.declaration, Keys.watch.declaration,
                Keys.admin, HistoryKeys.history, LoadKeys.loadShedding, TracingKeys.tracing,
                WebhookKeys.webhooks, Keys.defaults, Keys.servers,
                Keys.tunnels,
            ]
        case .included: [Keys.version.declaration, Keys.include, Keys.servers, Keys.tunnels]
        case .log:
            [
                Keys.level.declaration, Keys.format.declaration, Keys.file.declaration,
                Keys.syslog.declaration,
            ]
        case .admin:
            [Keys.listen.declaration] + Keys.token.declarations + Keys.operateToken.declarations
                + Keys.lookToken.declarations + [Keys.adminHosts, Keys.adminTLS]
        case .adminTLS:
            TLSKeys.pair
                + [
                    TLSKeys.certificates, TLSKeys.clientAuthority.declaration, TLSKeys.adminClientNames,
                    TLSKeys.minimumVersion.declaration,
                ]
        case .defaults: [Keys.serverDefaults, Keys.tunnelDefaults]
        case .server:
            [
                Keys.name.declaration, Keys.enabled.declaration, Keys.host.declaration,
                Keys.port.declaration, Keys.reusePort.declaration, Keys.tls, TLSKeys.innerTLSOfServer,
                Keys.longPoll.declaration, Keys.basePath.declaration,
                Keys.wsTimeout.declaration, Keys.httpTimeout.declaration,
                Keys.queueTimeout.declaration, Keys.maxRequestsPerTunnel.declaration,
                Keys.maxRequestsPerSession.declaration,
                Keys.maxClientsPerToken.declaration, Keys.maxSessionsPerToken.declaration,
                Keys.maxSessionsPerAddress.declaration, Keys.passwordEntries,
                Keys.passwordsFile.declaration, Keys.onlyListedTokens.declaration, Keys.hosts,
                HostKeys.claims, HostKeys.publicURL.declaration,
                Keys.trustedProxies, OriginKeys.takenHeader.declaration, FieldKeys.forwarding.declaration,
                CallerKeys.callers, LimitKeys.limits, BanKeys.ban, PortKeys.ports,
            ]
        case .tls:
            TLSKeys.pair
                + [
                    TLSKeys.certificates, TLSKeys.clientAuthority.declaration,
                    TLSKeys.clientCertificates.declaration, TLSKeys.tunnelCertificates.declaration,
                    TLSKeys.tellsOrigins.declaration, TLSKeys.minimumVersion.declaration,
                    TLSKeys.redirectHTTP.declaration, TLSKeys.challenges.declaration,
                ]
        case .certificate: [TLSKeys.certificateHosts] + TLSKeys.pair
        case .passwordEntry:
            Keys.token.declarations + Keys.password.declarations + [
                Keys.passwordList, TLSKeys.clientNames, HostKeys.claimsOfToken, CallerKeys.callers,
                LimitKeys.tokenLimits,
            ]
        case .hostEntry:
            [HostKeys.host.declaration, HostKeys.path.declaration] + Keys.token.declarations
                + [CallerKeys.callers, LimitKeys.nameLimits]
        case .hostClaims:
            [
                HostKeys.domain.declaration, HostKeys.allow, HostKeys.reserved, HostKeys.perToken.declaration,
            ]
        case .tokenHostClaims: [HostKeys.allow, HostKeys.perToken.declaration]
        case .tunnel:
            [
                Keys.name.declaration, Keys.enabled.declaration, Keys.tunnel.declaration,
                Keys.server.declaration, HealthKeys.balance.declaration, HealthKeys.health,
                Keys.regexp.declaration, Keys.hostHeader.declaration, FieldKeys.redirects.declaration,
                Keys.originVersions.declaration, Keys.hiddenFiles.declaration, HostKeys.wanted,
                OriginKeys.sentHeader.declaration,
            ]
                + Keys.token.declarations + Keys.password.declarations
                + [
                    Keys.connections.declaration, Keys.protocol.declaration, Keys.transport.declaration,
                    Keys.websocketRetry.declaration, Keys.timeout.declaration,
                    Keys.insecure.declaration, Keys.certFile.declaration, TLSKeys.pins,
                    TLSKeys.serverName.declaration, TLSKeys.clientCertificate.declaration,
                    TLSKeys.clientKey.declaration,
                ] + TLSKeys.clientKeyPassword.declarations
                + [
                    TLSKeys.innerTLSOfTunnel, TLSKeys.originTLS, Keys.proxy.declaration,
                    Keys.clientPorts, Keys.statusFile.declaration, Keys.reconnectDelay.declaration,
                    Keys.maxRetries.declaration, Keys.required.declaration,
                ]
        case .originTLS:
            [
                TLSKeys.originHost.declaration, Keys.insecure.declaration, Keys.certFile.declaration,
                TLSKeys.pins, TLSKeys.serverName.declaration,
            ]
        case .callers: CallerKeys.all
        case .callerHeaders: [CallerKeys.requestHeaders, CallerKeys.responseHeaders]
        case .fieldChanges: [CallerKeys.setFields, CallerKeys.addFields, CallerKeys.removeFields]
        case .maintenance:
            [
                CallerKeys.status.declaration, CallerKeys.page.declaration,
                CallerKeys.retryAfter.declaration,
            ]
        case .limits: LimitKeys.ofServer
        case .ban: BanKeys.all
        case .loadShedding: LoadKeys.all
        case .tracing: TracingKeys.all
        case .tracingHeader: TracingKeys.ofHeader
        case .webhook: WebhookKeys.all
        case .history: HistoryKeys.all
        case .addressLimits: LimitKeys.ofAddress
        case .requestLimits: LimitKeys.ofRequests
        case .tokenLimits: LimitKeys.ofToken
        case .serverInnerTLS: TLSKeys.pair
        case .portEntry: PortKeys.all
        case .health:
            [
                HealthKeys.path.declaration, HealthKeys.every.declaration, HealthKeys.timeout.declaration,
                HealthKeys.fall.declaration, HealthKeys.rise.declaration, HealthKeys.status.declaration,
            ]
        case .tunnelInnerTLS:
            [TLSKeys.innerAuthorities.declaration, TLSKeys.pins, TLSKeys.serverName.declaration]
        }
    }
}
