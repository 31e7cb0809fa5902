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

    /// What heads out of the tunnel may hold: as much as the session lets through.
    var headLimits: HTTPLimits {
        HTTPLimits(headBytes: sessionLimits.maximumHeadBytes, fieldCount: 2 * limits.http.fieldCount)
    }

    /// Counts requests since the start.
    func nextRequestID() -> UInt64 { requestCount.add(1, ordering: .relaxed).newValue }

    /// Counts sessions since the start.
    func nextSessionID() -> UInt64 { sessionCount.add(1, ordering: .relaxed).newValue }

    /// Whether the server takes no new requests.
    var isStopping: Bool { stopping.load(ordering: .acquiring) }

    func stopTakingRequests() { stopping.store(true, ordering: .releasing) }

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
