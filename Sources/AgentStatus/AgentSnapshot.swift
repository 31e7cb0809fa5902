/// What an agent is and does at one moment, as `wstunnel status` and the admin API tell it. Holds no secret.
///
/// Property names are those of the JSON; times are seconds since 1970, other durations say their unit.
package struct AgentSnapshot: Codable, Hashable, Sendable {
    package enum Phase: String, Codable, Hashable, Sendable, CaseIterable {
        case starting, running, reloading, stopping
    }

    /// Program and version.
    package var software: String
    package var processID: Int
    /// The file that it runs by; nil when it was started by flags.
    package var configurationFile: String?
    package var phase: Phase
    package var startedAt: Int
    /// When the snapshot was taken.
    package var takenAt: Int
    /// Counts the configurations that came into force; the first is 1.
    package var generation: Int
    /// Nil before the first reload.
    package var lastReload: ReloadSnapshot?
    /// Whether a rollback has put in force what the file does not say. Nil from agents that do not tell.
    package var isRolledBack: Bool?
    /// What is paused, since when and by whom. Nil from agents that do not tell.
    package var paused: [PauseSnapshot]?
    /// Tokens that are not served for now. Nil from agents that do not tell.
    package var blockedTokens: Int?
    /// Nil from agents that do not tell.
    package var logLevel: LogLevelSnapshot?
    /// Nil where nothing is looked at, and from agents that do not tell.
    package var load: LoadSnapshot?
    /// Nil where no request is traced.
    package var tracing: TracingSnapshot?
    /// By name; nil where there are none, and from agents that do not tell.
    package var webhooks: [WebhookSnapshot]?
    /// Nil from agents that do not tell.
    package var history: HistorySnapshot?
    /// By name.
    package var servers: [ServerSnapshot]
    /// By name.
    package var tunnels: [TunnelSnapshot]
    /// How many more there are than are told of at once. Nil where that is all, and from agents that tell of all.
    package var moreTunnels: Int?

    package init(
        software: String, processID: Int, configurationFile: String?, phase: Phase, startedAt: Int,
        takenAt: Int, generation: Int, lastReload: ReloadSnapshot? = nil, load: LoadSnapshot? = nil,
        servers: [ServerSnapshot] = [], tunnels: [TunnelSnapshot] = []
    ) {
        self.software = software
        self.processID = processID
        self.configurationFile = configurationFile
        self.phase = phase
        self.startedAt = startedAt
        self.takenAt = takenAt
        self.generation = generation
        self.lastReload = lastReload
        self.load = load
        self.servers = servers
        self.tunnels = tunnels
    }
}

/// How much was carried since the start.
package struct TrafficSnapshot: Codable, Hashable, Sendable {
    /// Requests begun.
    package var requests: UInt64
    /// Bytes of their bodies.
    package var requestBytes: UInt64
    /// Bytes of the answers' bodies.
    package var responseBytes: UInt64
    /// Of a server, those answered with 500 or more, by itself too; nil where that is not told.
    package var failedRequests: UInt64?
    /// Requests begun per second, over about the last ten seconds; nil before it is known.
    package var requestsPerSecond: Double?

    package init(
        requests: UInt64 = 0, requestBytes: UInt64 = 0, responseBytes: UInt64 = 0,
        failedRequests: UInt64? = nil, requestsPerSecond: Double? = nil
    ) {
        self.failedRequests = failedRequests
        self.requests = requests
        self.requestBytes = requestBytes
        self.responseBytes = responseBytes
        self.requestsPerSecond = requestsPerSecond
    }
}

/// The latest thing that went wrong.
package struct FaultSnapshot: Codable, Hashable, Sendable {
    /// An `ErrorCode`, or what another version of the agent has in its place.
    package var code: String
    package var message: String
    package var at: Int
    /// How often something went wrong in a row, this the last time; nil where that is not counted.
    package var count: Int?
    /// When the first of them was.
    package var since: Int?

    package init(code: ErrorCode, message: String, at: Int, count: Int? = nil, since: Int? = nil) {
        self.code = code.rawValue
        self.message = message
        self.at = at
        self.count = count
        self.since = since
    }
}

/// A tunnel server.
package struct ServerSnapshot: Codable, Hashable, Sendable {
    package enum State: String, Codable, Hashable, Sendable, CaseIterable {
        case listening
        /// Refuses new requests until it is resumed; tunnel clients come and stay.
        case paused
        /// Left the configuration; finishes what is in flight.
        case draining
        /// Its listener broke; it is opened anew after a while.
        case failed
    }

    package var name: String
    package var state: State
    /// `host:port` where it listens.
    package var address: String
    /// Tokens that have a session.
    package var tunnels: Int
    package var sessions: Int
    /// Callers' connections.
    package var callers: Int
    /// Requests that wait for a session.
    package var waiting: Int
    package var traffic: TrafficSnapshot
    package var lastFault: FaultSnapshot?
    /// What is wrong now and keeps it from working as it should; gone when it is over. Nil from agents that do not tell.
    package var faults: [FaultSnapshot]?
    /// Tokens that have a session, in the order of their names, `ConnectedToken.most` at most. Nil from agents that do
    /// not tell.
    package var connected: [ConnectedToken]?
    /// How many more there are.
    package var moreConnected: Int?
    /// The names by which requests reach tunnels, `NamedTunnel.most` at most. Nil from agents that do not tell.
    package var names: [NamedTunnel]?
    /// How many more there are.
    package var moreNames: Int?

    package init(
        name: String, state: State, address: String, tunnels: Int = 0, sessions: Int = 0, callers: Int = 0,
        waiting: Int = 0, traffic: TrafficSnapshot = TrafficSnapshot(), lastFault: FaultSnapshot? = nil,
        faults: [FaultSnapshot] = [], connected: [ConnectedToken] = [], moreConnected: Int = 0,
        names: [NamedTunnel] = [], moreNames: Int = 0
    ) {
        self.name = name
        self.state = state
        self.address = address
        self.tunnels = tunnels
        self.sessions = sessions
        self.callers = callers
        self.waiting = waiting
        self.traffic = traffic
        self.lastFault = lastFault
        self.faults = faults
        self.connected = connected
        self.moreConnected = moreConnected
        self.names = names
        self.moreNames = moreNames
    }
}

/// A token that has sessions with a tunnel server.
package struct ConnectedToken: Codable, Hashable, Sendable {
    /// Most that a server lists.
    package static let most = 1000

    /// As many as are listed, in the order of their names, and how many more there are.
    package static func listed(
        _ all: [ConnectedToken], most: Int = most
    ) -> (listed: [ConnectedToken], more: Int) {
        let listed = all.inOrder(most: most) { one, other in
            one.name != other.name
                ? one.name < other.name
                : (one.tokenHint, one.tokenTag) < (other.tokenHint, other.tokenTag)
        }
        return (listed, all.count - listed.count)
    }

    /// The name that its client announces; empty from clients of protocol v1.
    package var name: String
    package var tokenHint: String
    /// Tells apart tokens that begin alike. It means nothing beyond the life of the process.
    package var tokenTag: String
    /// Of the client that came last.
    package var address: String
    /// Of the same.
    package var software: String
    package var protocolVersion: Int
    /// In the certificate that it has shown; nil where it has shown none.
    package var certificateName: String?
    /// Client processes.
    package var clients: Int
    package var sessions: Int
    /// Since the token is known.
    package var requests: UInt64
    /// Requests that wait or are carried.
    package var pending: Int
    /// Of its oldest session.
    package var since: Int
    /// Bytes of bodies that its callers have had this month, and that they may have; nil where it has no such quota.
    package var monthBytes: UInt64?
    package var monthLimit: UInt64?

    package init(
        name: String, tokenHint: String, tokenTag: String, address: String, software: String,
        protocolVersion: Int, certificateName: String? = nil, clients: Int, sessions: Int, requests: UInt64,
        pending: Int, since: Int
    ) {
        self.name = name
        self.tokenHint = tokenHint
        self.tokenTag = tokenTag
        self.address = address
        self.software = software
        self.protocolVersion = protocolVersion
        self.certificateName = certificateName
        self.clients = clients
        self.sessions = sessions
        self.requests = requests
        self.pending = pending
        self.since = since
    }
}

/// A tunnel, the client's side.
package struct TunnelSnapshot: Codable, Hashable, Sendable {
    /// Most that are told of at once.
    package static let most = 500

    package enum State: String, Codable, Hashable, Sendable, CaseIterable {
        /// No session is up.
        case connecting
        /// A session is up, perhaps not all.
        case connected
        /// Dials nothing until it is resumed; finishes what is in flight.
        case paused
        /// Left the configuration; finishes what is in flight.
        case draining
        /// Out of tries (`max-retries`).
        case gaveUp = "gave-up"
    }

    package var name: String
    package var state: State
    /// The tunnel server, as a URL without credentials.
    package var server: String
    /// The shortened token.
    package var tokenHint: String
    /// Sessions it should have.
    package var wanted: Int
    package var connections: [ConnectionSnapshot]
    /// The host names that it asks for. Nil from agents that do not tell.
    package var hosts: [HostSnapshot]?
    /// Why it goes by long polling although a WebSocket would be better, since that was found out; nil where it does not.
    package var longPollReason: String?
    /// The health of its origins; nil or empty where nobody looks.
    package var origins: [OriginSnapshot]?
    package var traffic: TrafficSnapshot
    package var lastFault: FaultSnapshot?

    package init(
        name: String, state: State, server: String, tokenHint: String, wanted: Int,
        connections: [ConnectionSnapshot] = [], hosts: [HostSnapshot] = [], longPollReason: String? = nil,
        origins: [OriginSnapshot] = [], traffic: TrafficSnapshot = TrafficSnapshot(),
        lastFault: FaultSnapshot? = nil
    ) {
        self.hosts = hosts
        self.longPollReason = longPollReason
        self.origins = origins
        self.name = name
        self.state = state
        self.server = server
        self.tokenHint = tokenHint
        self.wanted = wanted
        self.connections = connections
        self.traffic = traffic
        self.lastFault = lastFault
    }
}

/// An origin of a tunnel whose health is looked at.
package struct OriginSnapshot: Codable, Hashable, Sendable {
    /// Its address, as the configuration has it.
    package var name: String
    package var isUp: Bool
    /// Why it is down, and since when in seconds since 1970; nil while it is up.
    package var reason: String?
    package var since: Int?

    package init(name: String, isUp: Bool, reason: String? = nil, since: Int? = nil) {
        self.name = name
        self.isUp = isUp
        self.reason = reason
        self.since = since
    }
}

/// A session of a tunnel client.
package struct ConnectionSnapshot: Codable, Hashable, Sendable {
    /// Unique in the process; a reconnected session has another.
    package var id: UInt64
    /// 1 for what the Go program speaks, else 2.
    package var protocolVersion: Int
    package var since: Int
    /// Whether it takes no new requests.
    package var isDraining: Bool
    /// What carries it.
    package var transport: Transport

    package enum Transport: String, Codable, Hashable, Sendable, CaseIterable {
        case websocket
        case longpoll
    }

    package init(
        id: UInt64, protocolVersion: Int, since: Int, isDraining: Bool, transport: Transport = .websocket
    ) {
        self.id = id
        self.transport = transport
        self.protocolVersion = protocolVersion
        self.since = since
        self.isDraining = isDraining
    }
}
