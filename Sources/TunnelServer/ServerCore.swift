import HTTPMessage
import Logging
import NIOCore
import Observability
import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// What all connections of one tunnel server share.
final class ServerCore: Sendable {
    let name: String
    let basePath: String
    let queueTimeout: TimeAmount
    let httpTimeout: TimeAmount
    let limits: ListenerLimits
    let registry: TunnelRegistry
    let admission: TunnelAdmission
    let throttle: Mutex<AuthenticationThrottle>
    let loops: [any EventLoop]
    let logger: Logger
    let access: AccessLog
    let budget: any ReceiveBudget
    let sessionLimits: SessionLimits
    let software: String
    let census: ConnectionCensus
    let names = ReverseNames()
    let trustedProxies: [AddressRange]
    private let maximumWaiting: Int
    private let maximumClients: Int?
    private let requestCount = Atomic<UInt64>(0)
    private let sessionCount = Atomic<UInt64>(0)
    private let stopping = Atomic<Bool>(false)

    init(
        _ configuration: ServerConfiguration, limits: ListenerLimits, loops: [any EventLoop], log: AgentLog,
        budget: any ReceiveBudget, software: String
    ) {
        self.name = configuration.name
        self.basePath = configuration.basePath
        self.queueTimeout = TimeAmount(configuration.queueTimeout)
        self.trustedProxies = configuration.trustedProxies
        self.maximumWaiting = configuration.maxRequestsPerTunnel
        self.maximumClients = configuration.maxClientsPerToken
        self.httpTimeout = TimeAmount(configuration.httpTimeout)
        self.limits = limits
        self.registry = TunnelRegistry(
            maximumWaiting: configuration.maxRequestsPerTunnel,
            maximumClients: configuration.maxClientsPerToken)
        self.admission = TunnelAdmission(passwords: configuration.passwords)
        self.throttle = Mutex(AuthenticationThrottle())
        self.loops = loops
        var logger = log.makeLogger(label: "server")
        logger[.serverName] = "\(configuration.name)"
        self.logger = logger
        self.access = log.access
        self.budget = budget
        self.sessionLimits = SessionLimits(keepaliveTimeout: configuration.wsTimeout)
        self.software = software
        self.census = ConnectionCensus(
            maximum: limits.callers, maximumPerAddress: limits.callersPerAddress,
            maximumSessions: limits.sessions)
    }

    /// Counts requests since the start.
    func nextRequestID() -> UInt64 { requestCount.add(1, ordering: .relaxed).newValue }

    /// Counts sessions since the start.
    func nextSessionID() -> UInt64 { sessionCount.add(1, ordering: .relaxed).newValue }

    /// Whether the server takes no new requests.
    var isStopping: Bool { stopping.load(ordering: .acquiring) }

    func stopTakingRequests() { stopping.store(true, ordering: .releasing) }

    /// What `/_stats` tells.
    ///
    /// - Parameter isDetailed: whether who asks may know more than how many tunnels there are.
    func stats(isDetailed: Bool) -> String {
        guard isDetailed else { return StatsReport.brief(tunnels: registry.tokenCount) }
        let now = MonotonicInstant.now
        let summaries = registry.summaries.sorted { $0.token.secret < $1.token.secret }
        let tunnels = summaries.map { summary in
            let latest = summary.sessions.max { $0.reference.lastHeard < $1.reference.lastHeard }
            return StatsReport.Tunnel(
                tokenHint: summary.token.hint, pending: summary.pending, clients: summary.clients,
                lastCaller: summary.lastCaller,
                session: latest.map {
                    StatsReport.Session(
                        address: $0.endpoint, name: names.name(of: $0.address), software: $0.software,
                        idle: now.since($0.reference.lastHeard))
                })
        }
        return StatsReport(
            maximumWaiting: maximumWaiting, maximumClients: maximumClients, tunnels: tunnels
        ).text
    }

    /// The settings that every session begins with.
    var sessionSettings: SessionSettings {
        SessionSettings(
            maximumStreams: sessionLimits.maximumStreams, initialWindow: sessionLimits.minimumWindow,
            software: software)
    }

    /// The place of an event loop in `loops`.
    func index(of eventLoop: any EventLoop) -> Int {
        loops.firstIndex { $0 === eventLoop } ?? 0
    }
}
