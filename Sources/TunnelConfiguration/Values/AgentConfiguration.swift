package import ProxyProtocol
package import TunnelProtocol

/// Everything that a configuration file says, checked and complete: defaults are filled in, variables
/// expanded, secrets read, relative files resolved against the folder of the file that names them.
///
/// Equal values ask for the same agent: a reload compares them. Without servers and tunnels (none is enabled, or
/// the included folder is empty) it asks for an agent that waits for its next configuration.
package struct AgentConfiguration: Hashable, Sendable {
    package var log: LogConfiguration
    /// Where the process writes its id, or nil.
    package var pidfile: String?
    /// Where the bytes of each month are counted, or nil: then no token has a quota.
    package var usageFile: String?
    /// How long requests in flight may go on after a stop was asked for.
    package var shutdownGrace: Duration
    /// Where the local commands (`status`, `reload`, …) reach the agent, or nil for the path that follows from the
    /// configuration file's.
    package var controlSocket: String?
    /// The listener of the admin API, or nil for none.
    package var admin: AdminConfiguration?
    /// Whether a changed file is applied without being asked to.
    package var watch: Bool
    /// What is taken less of when something runs short.
    package var loadShedding = LoadShedding()
    /// Spans of requests, or nil for none.
    package var tracing: TracingConfiguration?
    /// Who is told of events: the enabled ones, in the order of the file; names are unique.
    package var webhooks: [WebhookConfiguration] = []
    /// Where the history is kept; nil: a little of it, in memory.
    package var history: HistoryConfiguration?
    /// The enabled ones in the order of the files, the main one first; names are unique.
    package var servers: [ServerConfiguration]
    /// The enabled ones in the order of the files, the main one first; names are unique.
    package var tunnels: [TunnelClientConfiguration]

    package init(
        log: LogConfiguration = LogConfiguration(), pidfile: String? = nil, usageFile: String? = nil,
        shutdownGrace: Duration = .seconds(30), controlSocket: String? = nil,
        admin: AdminConfiguration? = nil, watch: Bool = false, servers: [ServerConfiguration] = [],
        tunnels: [TunnelClientConfiguration] = []
    ) {
        self.log = log
        self.pidfile = pidfile
        self.usageFile = usageFile
        self.shutdownGrace = shutdownGrace
        self.controlSocket = controlSocket
        self.admin = admin
        self.watch = watch
        self.servers = servers
        self.tunnels = tunnels
    }
}

/// What is logged, how, and where to.
package struct LogConfiguration: Hashable, Sendable {
    /// The least severe level that is written.
    package enum Level: String, CaseIterable, Hashable, Sendable {
        case trace, debug, info, notice, warning, error
    }

    /// How a line is written. `auto` is `text` on a terminal, else `logfmt`.
    package enum Format: String, CaseIterable, Hashable, Sendable {
        case auto, text, logfmt, json
    }

    /// Where lines go.
    package enum Destination: Hashable, Sendable {
        case standardError
        /// A file, appended to.
        case file(path: String)
    }

    package var level: Level
    package var format: Format
    package var destination: Destination
    /// Also goes to the machine's syslog under this facility, or nil.
    package var syslog: SyslogFacility?

    package init(
        level: Level = .info, format: Format = .auto, destination: Destination = .standardError,
        syslog: SyslogFacility? = nil
    ) {
        self.level = level
        self.format = format
        self.destination = destination
        self.syslog = syslog
    }
}

/// A tunnel: the client side of one reverse path, from a tunnel server to an origin.
package struct TunnelClientConfiguration: Hashable, Sendable {
    /// Which protocols the client offers.
    package enum ProtocolChoice: String, CaseIterable, Hashable, Sendable {
        /// v2, and v1 where the server knows no other.
        case auto
        /// Only v1.
        case v1
    }

    /// What carries the bytes between the client and its server.
    package enum Transport: String, CaseIterable, Hashable, Sendable {
        /// A WebSocket, and `longpoll` where the network lets none through. With `ProtocolChoice.v1` a WebSocket alone.
        case auto
        /// Only a WebSocket.
        case websocket
        /// Only HTTP requests, one after another. Never with `ProtocolChoice.v1`.
        case longpoll
    }

    /// Which versions of HTTP are spoken with origins.
    package enum OriginVersions: String, CaseIterable, Hashable, Sendable {
        /// Over TLS what the origin chooses, HTTP/2 or HTTP/1.1; else HTTP/1.1.
        case auto
        case http1 = "1.1"
        /// Over TLS the origin must choose it; else it is taken to speak it.
        case http2 = "2"
    }

    /// Most names that a tunnel asks for.
    package static let mostHosts = 64

    /// Which of several origins has a request.
    package enum Balance: String, CaseIterable, Hashable, Sendable {
        /// The first in their order that is up: the others stand in for it.
        case first
        /// Each in turn.
        case roundRobin = "round-robin"
    }

    /// Sessions to keep open where nobody says how many.
    private static let mostByDefault = 4

    /// Sessions to keep open on a machine with so many cores. Where nobody says how many, it is one to a server that turns
    /// out to speak protocol v1.
    package func connections(cores: Int) -> Int {
        connections ?? (`protocol` == .v1 ? 1 : min(cores, Self.mostByDefault))
    }

    /// Identity across reloads, in logs and metrics: `[A-Za-z0-9][A-Za-z0-9_.-]*`.
    package var name: String
    /// The tunnel server to dial.
    package var tunnel: TunnelURL
    /// Where requests without `X-Host` go; several are web servers. At least one of `origins` and `hostPattern` is there.
    package var origins: [OriginTarget]
    /// Which of several origins has a request.
    package var balance: Balance
    /// How it is found out whether `origins` are well; nil: by requests alone.
    package var health: HealthCheck?
    /// Which `X-Host` values are allowed, or nil for none.
    package var hostPattern: HostPattern?
    /// What `Host` says to `origin`.
    package var hostHeader: HostHeader
    /// Whether URLs and cookies in fields follow.
    package var redirects: Redirects
    /// What is spoken with origins; but an `h2c://` one speaks HTTP/2.
    package var originVersions: OriginVersions
    /// Whether a folder as `origin` shows what bears a name that begins with a dot.
    package var servesHiddenFiles: Bool
    /// Host names to ask the server for, whole or a label below its domain, in lower case; `random` is one of its choice.
    package var hosts: [String]
    /// How each connection to an origin begins by naming the caller; nil where it does not.
    package var proxyHeader: ProxyHeader.Version?
    package var token: RendezvousToken
    /// The token's password, when the server asks for one.
    package var password: Secret?
    /// Sessions to keep open, 1…64, or nil: the client takes min(cores, 4).
    package var connections: Int?
    /// What is spoken with the server.
    package var `protocol`: ProtocolChoice
    /// What carries it.
    package var transport: Transport
    /// How often a tunnel that `Transport.auto` has brought to long polling tries a WebSocket again; 1 s…86,400 s.
    package var websocketRetry: Duration
    /// A server that was silent for so long is gone; 3 s…600 s.
    package var timeout: Duration
    /// Which tunnel servers it believes, over TLS.
    package var trust: PeerTrust
    /// Which tunnel servers it believes in TLS of its own, inside whatever carries the tunnel; nil: there is none inside.
    /// Never insecure. It names pins, certificates or both, and these certificates are all the roots that count: those of
    /// the system may be those of a proxy that decrypts. Never with `ProtocolChoice.v1`.
    package var innerTrust: PeerTrust?
    /// What it shows to a tunnel server that asks who it is, or nil.
    package var identity: KeyPair?
    /// Which origins it believes over TLS, where that is said of origins: the first that holds for one counts.
    package var originTrust: [OriginTrust]
    /// The HTTP proxy to dial through, or nil: what the key says, or else the environment.
    package var proxy: ProxyURL?
    /// Local ports to dial from, tried in this order; empty for any.
    package var clientPorts: [ClosedRange<Int>]
    /// A file that is rewritten whenever the server has shown that it lives, or nil.
    package var statusFile: String?
    /// The longest wait between two tries to connect.
    package var longestRetryDelay: Duration
    /// Failed tries in a row after which the tunnel gives up, or nil: never.
    package var maxRetries: Int?
    /// Whether the agent is ready only while this tunnel is up; false: whatever it is. nil: one of those that do not say is
    /// enough, and where any is required, none of them.
    package var isRequired: Bool?

    package init(
        name: String, tunnel: TunnelURL, origin: OriginTarget? = nil, hostPattern: HostPattern? = nil,
        hostHeader: HostHeader = .automatic, redirects: Redirects = .auto,
        originVersions: OriginVersions = .auto,
        servesHiddenFiles: Bool = false, hosts: [String] = [], proxyHeader: ProxyHeader.Version? = nil,
        token: RendezvousToken,
        password: Secret? = nil, connections: Int? = nil,
        protocol: ProtocolChoice = .auto, transport: Transport = .auto,
        websocketRetry: Duration = .seconds(600), timeout: Duration = .seconds(30),
        trust: PeerTrust = PeerTrust(), innerTrust: PeerTrust? = nil,
        identity: KeyPair? = nil, originTrust: [OriginTrust] = [],
        proxy: ProxyURL? = nil, clientPorts: [ClosedRange<Int>] = [], statusFile: String? = nil,
        longestRetryDelay: Duration = .seconds(30), maxRetries: Int? = nil
    ) {
        self.name = name
        self.tunnel = tunnel
        self.origins = origin.map { [$0] } ?? []
        self.balance = .first
        self.health = nil
        self.hostPattern = hostPattern
        self.hostHeader = hostHeader
        self.redirects = redirects
        self.originVersions = originVersions
        self.servesHiddenFiles = servesHiddenFiles
        self.hosts = hosts
        self.proxyHeader = proxyHeader
        self.token = token
        self.password = password
        self.connections = connections
        self.protocol = `protocol`
        self.transport = transport
        self.websocketRetry = websocketRetry
        self.timeout = timeout
        self.trust = trust
        self.innerTrust = innerTrust
        self.identity = identity
        self.originTrust = originTrust
        self.proxy = proxy
        self.clientPorts = clientPorts
        self.statusFile = statusFile
        self.longestRetryDelay = longestRetryDelay
        self.maxRetries = maxRetries
    }

    /// The only origin, or the first of several.
    package var origin: OriginTarget? {
        get { origins.first }
        set { origins = newValue.map { [$0] } ?? [] }
    }

    /// Which other origins it believes: `certfile` and `insecure` hold for servers and origins alike, a pin or a name for
    /// the tunnel server alone.
    package var fallbackTrust: PeerTrust {
        PeerTrust(isInsecure: trust.isInsecure, certificates: trust.certificates)
    }
}
