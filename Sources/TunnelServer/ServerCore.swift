import AgentStatus
import Glibc
import HTTPMessage
import HTTPServing
import HostSystem
import Logging
import NIOCore
import Observability
import Routing
import Synchronization
import TransportSecurity
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// What all connections of one tunnel server share.
final class ServerCore: Sendable {
    let name: String
    let limits: ListenerLimits
    let registry: TunnelRegistry
    let hosts: HostNames
    let guesses = Mutex(AuthenticationThrottle())
    let redials = Mutex(Redials())
    let logins = LoginDesk()
    let loops: [any EventLoop]
    /// One for each of them.
    let dates: [NIOLoopBoundBox<DateStamp>]
    /// One for each of them, for heads that go into tunnels.
    let heads: [NIOLoopBoundBox<HeadMemory>]
    /// One for each of them.
    let traceIDs: [NIOLoopBoundBox<TraceIDs>]
    /// Of the process.
    let tracing: Tracing
    let logger: Logger
    /// One for each of the event loops.
    let counts: [LoopCount<RequestObserver, RequestMeasures>]
    let incidents = ServerIncidents()
    let budget: ProcessReceiveBudget
    let budgets: TokenBudgets
    let software: String
    let connections: ConnectionTable
    let meter: CallerMeter
    let bans: Bans
    /// Of the agent.
    let blocked: BlockedTokens
    let pause: PauseSwitch
    let names = ReverseNames()
    let shortage: DescriptorShortage
    /// Of the process.
    let gauge: LoadGauge
    private let current: Mutex<ServerSettings>
    private let fault: LatestFault
    /// By the code of what is told.
    private let repeated = Mutex<[ErrorCode: RepeatedWarning]>([:])
    /// The same, of what is an event and not told rarely.
    private let published = Mutex<[ErrorCode: RepeatedWarning]>([:])
    /// Connections that have yet to say in a PROXY header whose they are.
    let headersAwaited = Atomic<Int>(0)
    private let turns = Atomic<Int>(0)
    private let requestCount = Atomic<UInt64>(0)
    private let stopping = Atomic<Bool>(false)
    private let ended = Atomic<Bool>(false)
    private let hasToldThatItIsOpen = Atomic<Bool>(false)

    init(
        _ configuration: ServerConfiguration, tls: ServerTLS?, innerTLS: ServerTLS? = nil,
        limits: ListenerLimits, tunnelsOf owner: ServerCore? = nil, usage: UsageLedger = UsageLedger(),
        blocked: BlockedTokens = BlockedTokens(), loops: [any EventLoop],
        log: AgentLog,
        budget: ProcessReceiveBudget, software: String, gauge: LoadGauge
    ) {
        self.gauge = gauge
        self.blocked = blocked
        self.pause = PauseSwitch(owner: owner?.pause)
        self.name = configuration.name
        self.limits = limits
        let settings = ServerSettings(configuration, tls: tls, innerTLS: innerTLS)
        self.current = Mutex(settings)
        self.hosts = HostNames(settings)
        self.registry =
            owner?.registry
            ?? TunnelRegistry(
                maximumWaiting: configuration.limits.waitingPerToken,
                maximumClients: configuration.limits.clientsPerToken, maximumTokens: limits.tokens)
        self.loops = loops
        self.dates = loops.map { .makeBoxSendingValue(DateStamp(), eventLoop: $0) }
        self.heads = loops.map { .makeBoxSendingValue(HeadMemory(), eventLoop: $0) }
        self.tracing = log.tracing
        var random = SystemRandomNumberGenerator()
        self.traceIDs = loops.map { .makeBoxSendingValue(TraceIDs(using: &random), eventLoop: $0) }
        var logger = log.makeLogger(label: "server")
        logger[.serverName] = "\(configuration.name)"
        self.logger = logger
        self.meter = owner?.meter ?? CallerMeter(configuration.name, usage: usage, logger: logger)
        self.bans = owner?.bans ?? Bans(logger: logger)
        let fault = LatestFault()
        self.fault = fault
        self.shortage = DescriptorShortage(logger: logger) { fault.note(.outOfDescriptors, $0) }
        self.counts = loops.map { loop in
            LoopCount(RequestObserver(log: log.access), on: loop, told: RequestMeasures()) { $0.measures }
        }
        self.budget = budget
        self.budgets = TokenBudgets(of: budget)
        self.software = software
        self.connections = ConnectionTable(maximum: limits.callers)
    }

    /// What is in force now. Takes a lock: read it once for each request.
    var settings: ServerSettings { current.withLock { $0 } }

    /// From now on these are in force; what is under way keeps those that it began with.
    func apply(_ settings: ServerSettings) {
        let old = current.withLock { current in
            defer { current = settings }
            return current
        }
        // A port's tunnels are another's, who sets their limits.
        guard settings.tcp == nil else { return }
        registry.setLimits(waiting: settings.limits.waitingPerToken, clients: settings.limits.clientsPerToken)
        namesMay(follow: settings, after: old)
    }

    /// The latest thing that went wrong.
    var lastFault: FaultSnapshot? { fault.value }

    /// What is wrong for as long as it lasts.
    var faults: [FaultSnapshot] {
        let now = time(nil)
        let settings = settings
        let inner = settings.innerTLS === settings.tls ? nil : settings.innerTLS
        let certificates = [settings.tls, inner].compactMap { $0?.warnings(at: now) }.joined()
        return (shortage.fault.map { [$0] } ?? [])
            + certificates.map { FaultSnapshot(code: .certificateExpires, message: $0, at: now) }
    }

    func note(fault code: ErrorCode, _ message: String) { fault.note(code, message) }

    /// Warns, once, where any token is everybody's who knows it.
    func tellIfOpen() {
        let settings = settings
        guard settings.admission.isOpen, !settings.routes.onlyRedirects, settings.tcp == nil,
            !hasToldThatItIsOpen.exchange(true, ordering: .acquiringAndReleasing)
        else { return }
        logger.warning(
            "No token needs a password: whoever knows one can serve its callers, and gets all that they send")
    }

    /// Tells the log of something that strangers can bring about as often as they like, at most once a minute for each
    /// code.
    ///
    /// - Parameter kind: of the event that it is, if it is one.
    func tell(
        _ message: String, _ refusal: Refusal, from address: String, tokenHint: String? = nil,
        as kind: AgentEvent.Kind? = nil
    ) {
        let times = repeated.withLock { $0[refusal.code, default: RepeatedWarning()].happened() }
        guard let times else { return }
        note(fault: refusal.code, "\(refusal.text) (from \(address))")
        var logger = logger
        if let tokenHint { logger[.tokenHint] = "\(tokenHint)" }
        let fields: LogFields = [
            .peerAddress: "\(address)", .errorCode: .code(refusal.code),
            .errorMessage: "\(refusal.text)", .times: "\(times)",
        ]
        if let kind {
            logger.tell(kind, .warning, message, metadata: fields)
        } else {
            logger.warning("\(message)", metadata: fields)
        }
    }

    /// Tells those who read events of a tunnel client that was not let in, at most once a minute for each code.
    func publish(_ refusal: Refusal, _ fields: Logger.Metadata) {
        guard published.withLock({ $0[refusal.code, default: RepeatedWarning()].happened() }) != nil else {
            return
        }
        logger.publish(.handshakeRefused, "Tunnel refused", fields)
    }

    /// Whether a caller has named too many tokens that are nobody's: then the log has been told.
    ///
    /// - Parameter guess: the token.
    func isOneGuessTooMany(_ guess: String, from address: String) -> Bool {
        failed(guess, from: address)
        let group = AddressGroup(address)
        guard guesses.withLock({ $0.tokenFailed(from: group, now: .now) }) else { return false }
        tell("Guesses refused", .tooManyGuesses, from: address)
        return true
    }

    /// Whether callers from there were wrong about passwords too often to have another one looked at.
    func holdsOffLogins(from address: String) -> Bool {
        let group = AddressGroup(address)
        guard guesses.withLock({ $0.refusesLogin(from: group, now: .now) }) else { return false }
        tell("Logins of callers refused", .tooManyFailedLogins, from: address)
        return true
    }

    /// A caller was wrong about a password or secret.
    ///
    /// - Parameter guess: which one.
    func callerFailed(from address: String, guess: String?) {
        failed(guess ?? "", from: address)
        let group = AddressGroup(address)
        guesses.withLock { $0.loginFailed(from: group, guess: guess, now: .now) }
    }

    /// Counts requests since the start.
    func nextRequestID() -> UInt64 { requestCount.add(1, ordering: .relaxed).newValue }

    /// Who is told of requests on an event loop. For that loop alone.
    ///
    /// - Parameter loop: its place in `loops`.
    func observer(on loop: Int) -> RequestObserver { counts[loop].counts }

    /// What is to be known of a request that begins.
    ///
    /// - Parameters:
    ///   - observer: of the current event loop.
    ///   - path: the target inside the tunnel.
    ///   - externalID: what all who have the request call it.
    ///   - caller: the address.
    ///   - certificateName: in what the caller has shown.
    ///   - trace: that it belongs to.
    func makeRecord(
        _ method: String, path: String, tokenHint: String?, externalID: String? = nil, caller: String,
        observer: RequestObserver, certificateName: String?, trace: RequestTrace? = nil, now: NIODeadline
    ) -> RequestRecord {
        RequestRecord(
            observer: observer, serverName: name, tokenHint: tokenHint, requestID: nextRequestID(),
            externalID: externalID, method: method, path: path, callerAddress: caller,
            certificateName: certificateName, trace: trace, now: now)
    }

    /// Whether the server takes no new requests.
    var isStopping: Bool { stopping.load(ordering: .acquiring) }

    func stopTakingRequests() { stopping.store(true, ordering: .releasing) }

    /// Whether every connection is to be closed.
    var isOver: Bool { ended.load(ordering: .acquiring) }

    func end() {
        stopTakingRequests()
        ended.store(true, ordering: .releasing)
    }

    /// What `/_stats` tells.
    ///
    /// - Parameter isDetailed: whether who asks may know more than how many tunnels there are.
    func stats(isDetailed: Bool) -> String {
        guard isDetailed else { return StatsReport.brief(tunnels: registry.tokenCount) }
        let now = MonotonicInstant.now
        let summaries = registry.summaries.sorted { $0.about.token.secret < $1.about.token.secret }
        let tunnels = summaries.map { summary in
            let latest = summary.sessions.max { $0.reference.lastHeard < $1.reference.lastHeard }
            let present = latest.map {
                StatsReport.Session(
                    address: $0.endpoint, name: names.name(of: $0.address), software: $0.software,
                    idle: now.since($0.reference.lastHeard))
            }
            let past = summary.about.lastPeer.map { peer, heard in
                StatsReport.Session(
                    address: peer.endpoint, name: names.name(of: peer.address), software: peer.software,
                    idle: now.since(heard))
            }
            return StatsReport.Tunnel(
                tokenHint: summary.about.token.hint, pending: summary.about.pending,
                clients: summary.about.clients, lastCaller: summary.about.lastCaller, session: present ?? past
            )
        }
        let settings = settings
        return StatsReport(
            maximumWaiting: settings.limits.waitingPerToken, maximumClients: settings.limits.clientsPerToken,
            tunnels: tunnels
        ).text
    }

    /// The bounds of a session that begins now.
    func sessionLimits(_ settings: ServerSettings) -> SessionLimits {
        SessionLimits(keepaliveTimeout: settings.times.keepalive)
    }

    /// How many sessions there may be.
    func sessionCountLimits(_ settings: ServerSettings) -> SessionCounts.Limits {
        SessionCounts.Limits(
            all: limits.sessions, perToken: settings.limits.sessionsPerToken,
            perAddress: settings.limits.sessionsPerAddress)
    }

    /// Tunnels that are up and requests that wait: of a port, those of its token.
    var load: (tunnels: Int, waiting: Int) {
        guard let token = settings.tcp?.token else { return registry.load }
        return (registry.isUp(token) ? 1 : 0, registry.waitingCount(token))
    }

    /// The settings that every session begins with.
    func sessionSettings(_ limits: SessionLimits) -> SessionSettings {
        SessionSettings(
            maximumStreams: limits.maximumStreams, initialWindow: limits.minimumWindow,
            software: software, features: [.hostNames, .originTimes])
    }

    /// The place of an event loop in `loops`.
    func index(of eventLoop: any EventLoop) -> Int {
        loops.firstIndex { $0 === eventLoop } ?? 0
    }

    /// The event loops in turn.
    func nextLoop() -> any EventLoop {
        let turn = turns.add(1, ordering: .relaxed).newValue
        return loops[Int(UInt(bitPattern: turn) % UInt(loops.count))]
    }

    /// Returns when every event loop has done what it was given before.
    func passLoops() async {
        for loop in loops { try? await loop.submit {}.get() }
    }
}

/// The latest thing that went wrong with a server, for `status`.
private final class LatestFault: Sendable {
    private let state = Mutex<FaultSnapshot?>(nil)

    var value: FaultSnapshot? { state.withLock { $0 } }

    @discardableResult func note(_ code: ErrorCode, _ message: String) -> FaultSnapshot {
        let snapshot = FaultSnapshot(code: code, message: message, at: time(nil))
        state.withLock { $0 = snapshot }
        return snapshot
    }
}
