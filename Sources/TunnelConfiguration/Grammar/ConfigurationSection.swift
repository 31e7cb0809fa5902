/// The mappings that a configuration file is made of. Their keys drive decoding, the check for unknown keys,
/// and the tests that hold the JSON schema and the reference file to the code.
package enum ConfigurationSection: String, CaseIterable, Hashable, Sendable {
    case root, log, defaults, server, passwordEntry, tunnel

    /// Every key that the section takes, in the order of the reference.
    package var keys: [KeyDeclaration] {
        switch self {
        case .root:
            [
                Keys.version.declaration, Keys.log, Keys.pidfile.declaration,
                Keys.shutdownGrace.declaration, Keys.defaults, Keys.servers, Keys.tunnels,
            ]
        case .log:
            [
                Keys.level.declaration, Keys.format.declaration, Keys.file.declaration,
                Keys.syslog.declaration,
            ]
        case .defaults: [Keys.serverDefaults, Keys.tunnelDefaults]
        case .server:
            [
                Keys.name.declaration, Keys.host.declaration, Keys.port.declaration,
                Keys.basePath.declaration, Keys.wsTimeout.declaration, Keys.httpTimeout.declaration,
                Keys.queueTimeout.declaration, Keys.maxRequestsPerTunnel.declaration,
                Keys.maxClientsPerToken.declaration, Keys.passwordEntries,
                Keys.passwordsFile.declaration, Keys.trustedProxies,
            ]
        case .passwordEntry: Keys.token.declarations + Keys.password.declarations + [Keys.passwordList]
        case .tunnel:
            [
                Keys.name.declaration, Keys.tunnel.declaration, Keys.server.declaration,
                Keys.regexp.declaration,
            ]
                + Keys.token.declarations + Keys.password.declarations
                + [
                    Keys.connections.declaration, Keys.timeout.declaration,
                    Keys.insecure.declaration, Keys.certFile.declaration, Keys.proxy.declaration,
                    Keys.clientPorts, Keys.statusFile.declaration, Keys.reconnectDelay.declaration,
                    Keys.maxRetries.declaration,
                ]
        }
    }
}
