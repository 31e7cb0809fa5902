/// Every key, once: its name, what it takes, and its default.
enum Keys {
    // The whole file.
    static let version = ScalarKey<Int>(
        declaration: KeyDeclaration("version", .integer(1...1), default: "1"), defaultValue: 1,
        parse: { value throws(ValueFault) in
            let version = try ValueRule.integer(value, Int.min...Int.max)
            guard version == 1 else {
                throw ValueFault("\(version) is no known version", advice: "this wstunnel reads version 1")
            }
            return version
        })
    static let log = KeyDeclaration("log", .mapping(.log))
    static let pidfile = ScalarKey<String?>.optional("pidfile", .path, TextRule.path)
    static let shutdownGrace = ScalarKey<Duration>.duration(
        "shutdown-grace", .zero ... .seconds(86_400), default: .seconds(30))
    static let defaults = KeyDeclaration("defaults", .mapping(.defaults))
    static let serverDefaults = KeyDeclaration("server", .mapping(.server))
    static let tunnelDefaults = KeyDeclaration("tunnel", .mapping(.tunnel))
    static let servers = KeyDeclaration("servers", .list(.server))
    static let tunnels = KeyDeclaration("tunnels", .list(.tunnel))

    // log
    static let level = ScalarKey<LogConfiguration.Level>.choice("level", default: .info)
    static let format = ScalarKey<LogConfiguration.Format>.choice("format", default: .auto)
    static let file = ScalarKey<String>.text("file", .path, default: "-", TextRule.path)

    static let syslog = ScalarKey<SyslogFacility?>.optionalChoice("syslog")

    // servers and tunnels
    static let name = ScalarKey<String?>.optional("name", .text, TextRule.name)

    // servers
    static let host = ScalarKey<String>.text("host", default: "0.0.0.0", TextRule.bindAddress)
    static let port = ScalarKey<Int>.integer("port", 0...65_535, default: 80)
    static let basePath = ScalarKey<String>.text("base-path", default: "", TextRule.basePath)
    static let wsTimeout = ScalarKey<Duration>.duration(
        "wstimeout", sessionTimeouts, default: .seconds(30))
    static let httpTimeout = ScalarKey<Duration>.duration(
        "httptimeout", .seconds(1) ... .seconds(86_400), default: .seconds(1200))
    static let queueTimeout = ScalarKey<Duration>.duration(
        "queue-timeout", .zero ... .seconds(86_400), default: .seconds(30))
    static let maxRequestsPerTunnel = ScalarKey<Int>.integer(
        "max-requests-per-tunnel", 1...32_000, default: 20)
    static let maxClientsPerToken = ScalarKey<Int>.integer("max-clients-per-token", 0...10_000, default: 0)
    static let passwordEntries = KeyDeclaration("passwords", .list(.passwordEntry))
    static let passwordsFile = ScalarKey<String?>.optional("passwords-file", .path, TextRule.path)

    static let trustedProxies = KeyDeclaration("trusted-proxies", .addresses)

    // tunnels and the passwords of servers
    static let token = SecretKeys("token")
    static let password = SecretKeys("password")
    static let passwordList = KeyDeclaration("passwords", .secrets, group: "password")

    // tunnels
    static let tunnel = ScalarKey<TunnelURL?>.optional("tunnel", .url(["ws", "wss"]), TunnelURL.parse)
    static let server = ScalarKey<OriginTarget?>.optional(
        "server", .url(["http", "https", "builtin", "file"]), OriginTarget.parse)
    static let regexp = ScalarKey<HostPattern?>.optional("regexp", .regexp, HostPattern.parse)
    static let connections = ScalarKey<Int?>.integer("connections", 1...64)
    static let timeout = ScalarKey<Duration>.duration("timeout", sessionTimeouts, default: .seconds(30))
    static let insecure = ScalarKey<Bool>.boolean("insecure", default: false)
    static let certFile = ScalarKey<String?>.optional("certfile", .path, TextRule.path)

    /// Hidden in excerpts, as it may hold a password.
    static let proxy = ScalarKey<ProxyChoice>(
        declaration: KeyDeclaration("proxy", .secret), defaultValue: .environment,
        parse: { value throws(ValueFault) in try ProxyChoice.parse(value.text) })
    static let clientPorts = KeyDeclaration("client-ports", .ports)
    static let statusFile = ScalarKey<String?>.optional("statusfile", .path, TextRule.path)
    static let reconnectDelay = ScalarKey<Duration>.duration(
        "reconnect-delay", .seconds(1) ... .seconds(86_400), default: .seconds(30))
    static let maxRetries = ScalarKey<Int>.integer("max-retries", 0...1_000_000, default: 0)

    /// The clamp of the Go program, here a range: a value outside is an error, not silently another one.
    private static let sessionTimeouts: ClosedRange<Duration> = .seconds(3) ... .seconds(600)
}

/// A secret and its twins: the text itself, a file that holds it, a command that prints it.
struct SecretKeys: Sendable {
    let literal: KeyDeclaration
    let file: ScalarKey<String?>
    let command: KeyDeclaration

    init(_ name: String) {
        literal = KeyDeclaration(name, .secret, group: name)
        let fileKey = ScalarKey<String?>.optional("\(name)-file", .path, TextRule.path)
        file = ScalarKey(
            declaration: KeyDeclaration(fileKey.declaration.name, .path, group: name),
            defaultValue: nil, parse: fileKey.parse)
        command = KeyDeclaration("\(name)-command", .command, group: name)
    }

    var declarations: [KeyDeclaration] { [literal, file.declaration, command] }
}
