/// Every key, once: its name, what it takes, its default, and what it is for.
enum Keys {
    // The whole file.
    static let version = ScalarKey<Int>(
        declaration: KeyDeclaration(
            "version", .integer(1...1), default: "1", "The version of this format."),
        defaultValue: 1,
        parse: { value throws(ValueFault) in
            let version = try ValueRule.integer(value, Int.min...Int.max)
            guard version == 1 else {
                throw ValueFault("\(version) is no known version", advice: "this wstunnel reads version 1")
            }
            return version
        })
    static let include = KeyDeclaration(
        "include", .patterns, "Files with more servers and tunnels, such as conf.d/*.yaml.")
    static let log = KeyDeclaration("log", .mapping(.log), "What is logged, how and where to.")
    static let pidfile = ScalarKey<String?>.optional(
        "pidfile", .path, "Where to write the process id.", TextRule.path)
    static let usageFile = ScalarKey<String?>.optional(
        "usage-file", .path, "Where to count the bytes of each month, for bytes-per-month.", TextRule.path)
    static let shutdownGrace = ScalarKey<Duration>.duration(
        "shutdown-grace", .zero ... .seconds(86_400), default: .seconds(30),
        "How long requests in flight may go on after a stop was asked for")
    static let controlSocket = ScalarKey<String?>.optional(
        "control-socket", .path, "The Unix socket by which the local commands reach the agent.", TextRule.path
    )
    static let watch = ScalarKey<Bool>.boolean(
        "watch", default: false, "Whether a changed file is applied without being asked to.")
    static let admin = KeyDeclaration("admin", .mapping(.admin), "The listener of the admin API.")
    static let defaults = KeyDeclaration(
        "defaults", .mapping(.defaults), "What entries take over unless they say otherwise.")
    static let serverDefaults = KeyDeclaration("server", .mapping(.server), "For every entry of servers.")
    static let tunnelDefaults = KeyDeclaration("tunnel", .mapping(.tunnel), "For every entry of tunnels.")
    static let servers = KeyDeclaration("servers", .list(.server), "The tunnel servers of this process.")
    static let tunnels = KeyDeclaration("tunnels", .list(.tunnel), "The tunnel clients of this process.")

    // log
    static let level = ScalarKey<LogConfiguration.Level>.choice(
        "level", default: .info, "The least severe level that is written.")
    static let format = ScalarKey<LogConfiguration.Format>.choice(
        "format", default: .auto, "auto is text on a terminal, else logfmt.")
    static let file = ScalarKey<String>.text(
        "file", .path, default: "-", "A file to append to; - is standard error.", TextRule.path)
    static let syslog = ScalarKey<SyslogFacility?>.optionalChoice(
        "syslog", "The facility under which lines go to the machine's syslog too.")

    // admin
    static let listen = ScalarKey<ListenAddress>(
        declaration: KeyDeclaration(
            "listen", .text, default: "127.0.0.1:9400", "Address and port to listen on."),
        defaultValue: ListenAddress(host: "127.0.0.1", port: 9400),
        parse: { value throws(ValueFault) in try ListenAddress.parse(value.text) })
    static let lookToken = SecretKeys(
        "look-token", "The token of who may look at what the agent is and does, 16 characters or more.")
    static let operateToken = SecretKeys(
        "operate-token", "The token of who may reload, pause, drain and ban besides.")
    static let adminHosts = KeyDeclaration(
        "hosts", .texts,
        "Names by which the admin API is asked, beside those in its certificate, such as ops.example.com.")
    static let adminTLS = KeyDeclaration("tls", .mapping(.adminTLS), "TLS with callers of the admin API.")

    // servers and tunnels
    static let name = ScalarKey<String?>.optional(
        "name", .name, "Identity in logs and across reloads: letters, digits, _ . and -.", TextRule.name)
    static let enabled = ScalarKey<Bool>.boolean(
        "enabled", default: true, "false: the entry stays in the file, but is not run.")

    // servers
    static let host = ScalarKey<String>.text(
        "host", default: "0.0.0.0", "The address to listen on.", TextRule.bindAddress)
    static let port = ScalarKey<Int>.integer(
        "port", 0...65_535, default: 80, "The port to listen on; 0 lets the kernel choose.")
    static let reusePort = ScalarKey<Bool>.boolean(
        "reuse-port", default: false, "Whether another process of the same user may listen on the same port.")
    static let tls = KeyDeclaration("tls", .mapping(.tls), "TLS with callers and tunnel clients.")
    static let longPoll = ScalarKey<Bool>.boolean(
        "longpoll", default: true,
        "Whether tunnel clients may come by HTTP requests where WebSockets are blocked.")
    static let basePath = ScalarKey<String>.text(
        "base-path", default: "", "What stands before the paths of the server.", TextRule.basePath)
    static let wsTimeout = ScalarKey<Duration>.duration(
        "wstimeout", sessionTimeouts, default: .seconds(30),
        "A tunnel client that was silent for so long is gone")
    static let httpTimeout = ScalarKey<Duration>.duration(
        "httptimeout", .seconds(1) ... .seconds(86_400), default: .seconds(1200),
        "How long a request may go on without a byte in either direction")
    static let queueTimeout = ScalarKey<Duration>.duration(
        "queue-timeout", .zero ... .seconds(86_400), default: .seconds(30),
        "How long a request waits for a tunnel that is down or busy")
    static let maxRequestsPerTunnel = ScalarKey<Int>.integer(
        "max-requests-per-tunnel", 1...32_000, default: 20,
        "Most requests of one token that wait while its tunnel is down.")
    static let maxClientsPerToken = ScalarKey<Int>.integer(
        "max-clients-per-token", 0...10_000, default: 0,
        "Most tunnel clients of one token; 0 is any number. All connections of one client count once, if they come from "
            + "one address.")
    static let maxRequestsPerSession = ScalarKey<Int>.integer(
        "max-requests-per-session", 1...ServerConfiguration.mostRequestsPerSession,
        default: ServerConfiguration.mostRequestsPerSession,
        "Most requests that one connection of a tunnel client carries at once.")
    static let maxSessionsPerToken = ScalarKey<Int>.integer(
        "max-sessions-per-token", 1...ServerConfiguration.mostSessions, default: 1024,
        "Most connections of tunnel clients for one token.")
    static let maxSessionsPerAddress = ScalarKey<Int>.integer(
        "max-sessions-per-address", 1...ServerConfiguration.mostSessions,
        default: ServerConfiguration.mostSessions / 2,
        "Most connections of tunnel clients from one address, of IPv6 from one /64.")
    static let passwordEntries = KeyDeclaration(
        "passwords", .list(.passwordEntry), "The passwords that tokens need to connect.")
    static let passwordsFile = ScalarKey<String?>.optional(
        "passwords-file", .path, "A file with token:password on each line.", TextRule.path)
    static let onlyListedTokens = ScalarKey<Bool>.boolean(
        "only-listed-tokens", default: false, "Whether tokens without a password here are refused.")
    static let hosts = KeyDeclaration(
        "hosts", .list(.hostEntry), "Hosts whose requests go to a token without naming it.")
    static let trustedProxies = KeyDeclaration(
        "trusted-proxies", .addresses, "IP addresses and ranges whose X-Forwarded fields are believed.")

    // tunnels, and what servers and the admin API are told about tokens
    static let token = SecretKeys("token", "The token, 16 characters or more.")
    static let password = SecretKeys("password", "The password that goes with the token.")
    static let passwordList = KeyDeclaration(
        "passwords", .secrets, group: "password", "Several passwords, each of them good.")

    // tunnels
    static let tunnel = ScalarKey<TunnelURL?>.optional(
        "tunnel", .url(["ws", "wss"]), "The tunnel server, ws:// or wss://.", TunnelURL.parse)
    static let server = ScalarKey<OriginTarget?>.optional(
        "server", .urls(["http", "https", "h2c", "unix", "builtin", "file", "tcp"]),
        "The origin: http://, https://, h2c://, unix:/run/app.sock, builtin:echo, file:///folder or tcp://host:port; or a list "
            + "of web servers.",
        OriginTarget.parse)
    static let regexp = ScalarKey<HostPattern?>.optional(
        "regexp", .regexp, "Which X-Host values callers may ask for; the whole value must match.",
        HostPattern.parse)
    static let hostHeader = ScalarKey<HostHeader>(
        declaration: KeyDeclaration(
            "host-header", .text, default: HostHeader.automatic.shown,
            "What Host says to the origin: auto, origin, keep, or a host."),
        defaultValue: .automatic,
        parse: { value throws(ValueFault) in try HostHeader.parse(value.text) })
    static let originVersions = ScalarKey<TunnelClientConfiguration.OriginVersions>.choice(
        "http", default: .auto,
        "The version of HTTP that origins are asked for: auto lets those of https:// choose 2 or 1.1; 2 insists, also "
            + "on http://.")
    static let hiddenFiles = ScalarKey<Bool>.boolean(
        "hidden-files", default: false,
        "Whether file:// serves files and folders whose names begin with a dot, by their names and by links.")
    static let connections = ScalarKey<Int?>.integer(
        "connections", 1...64,
        "Connections to the tunnel server; by default one for each core, 4 at most.")
    static let `protocol` = ScalarKey<TunnelClientConfiguration.ProtocolChoice>.choice(
        "protocol", default: .auto, "v1: speak the older protocol, even with a server that knows v2.")
    static let transport = ScalarKey<TunnelClientConfiguration.Transport>.choice(
        "transport", default: .auto,
        "What carries the tunnel: websocket, longpoll (HTTP requests), or auto: longpoll where no WebSocket gets through."
    )
    static let websocketRetry = ScalarKey<Duration>.duration(
        "websocket-retry", .seconds(1) ... .seconds(86_400), default: .seconds(600),
        "How often a tunnel that transport: auto has brought to longpoll tries a WebSocket again")
    static let timeout = ScalarKey<Duration>.duration(
        "timeout", sessionTimeouts, default: .seconds(30), "A server that was silent for so long is gone")
    static let insecure = ScalarKey<Bool>.boolean(
        "insecure", default: false, "Whether certificates go unverified.")
    static let certFile = ScalarKey<String?>.optional(
        "certfile", .path, "A PEM file with further certificates to trust.", TextRule.path)

    /// Hidden in excerpts, as it may hold a password.
    static let proxy = ScalarKey<ProxyChoice>(
        declaration: KeyDeclaration(
            "proxy", .secret,
            "The HTTP proxy to dial through, http://user:password@host:port, or none; by default what the "
                + "environment says."),
        defaultValue: .environment,
        parse: { value throws(ValueFault) in try ProxyChoice.parse(value.text) })
    static let clientPorts = KeyDeclaration(
        "client-ports", .ports, "Local ports to dial from, such as 8000..8100,8300, tried in this order.")
    static let statusFile = ScalarKey<String?>.optional(
        "statusfile", .path, "A file that is rewritten whenever the server has shown that it lives.",
        TextRule.path)
    static let reconnectDelay = ScalarKey<Duration>.duration(
        "reconnect-delay", .seconds(1) ... .seconds(86_400), default: .seconds(30),
        "The longest wait between two tries to connect")
    static let maxRetries = ScalarKey<Int>.integer(
        "max-retries", 0...1_000_000, default: 0,
        "Failed tries in a row after which the tunnel gives up; 0 is never.")

    static let required = ScalarKey<Bool?>.boolean(
        "required",
        "Whether the agent is ready (/readyz) only while this tunnel is up; false: whether or not it is. By default one "
            + "tunnel is enough.")

    /// The clamp of the Go program, here a range: a value outside is an error, not silently another one.
    private static let sessionTimeouts: ClosedRange<Duration> = .seconds(3) ... .seconds(600)
}

/// A secret and its twins: the text itself, a file that holds it, a command that prints it.
struct SecretKeys: Sendable {
    let literal: KeyDeclaration
    let file: ScalarKey<String?>
    let command: KeyDeclaration

    init(_ name: String, _ meaning: String) {
        literal = KeyDeclaration(name, .secret, group: name, meaning)
        file = ScalarKey(
            declaration: KeyDeclaration(
                "\(name)-file", .path, group: name, "A file whose first line is the \(name)."),
            defaultValue: nil, parse: { value throws(ValueFault) in try TextRule.path(value.text) })
        command = KeyDeclaration(
            "\(name)-command", .command, group: name,
            "Program and arguments; the first line of the output is the \(name).")
    }

    var declarations: [KeyDeclaration] { [literal, file.declaration, command] }
}
