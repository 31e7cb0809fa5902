package import AgentStatus
import Glibc
import HTTPMessage
import Logging
import NIOCore
package import NIOPosix
package import Observability
import OriginHTTP
import Synchronization
package import TunnelConfiguration
import TunnelProtocol
package import TunnelTransport

/// One tunnel: keeps sessions to its server and takes what comes through them to the origins.
///
/// What a changed configuration brings is applied in place (`prepareUpdate`, `apply`) where the table of reloads says
/// so; else another client takes its place (`init(succeeding:)`, `untilUp`), and this one is retired.
package final class TunnelClient: Sendable {
    /// How a run ended.
    package enum RunEnd: Sendable, Equatable {
        /// It was stopped or retired.
        case stopped
        /// The server was not reached in as many tries as are allowed (`max-retries`).
        case gaveUp
    }

    /// What a client that was started came to first.
    package enum FirstOutcome: Sendable, Equatable {
        /// The server hands out requests to a session (protocol v1: a session is open).
        case up
        /// There is no room beside those who are there: the server takes no client more for the token, or no local port
        /// is free.
        case noRoom
        /// The run ended before.
        case ended
    }

    /// A checked configuration, and all that had to be read or made for it.
    package struct PreparedUpdate: Sendable {
        let setup: ClientSetup
    }

    struct State {
        /// Few: an array is a fifth of a dictionary.
        var lives: [SessionLife] = []
        var first: FirstOutcome?
        /// Whether a dial failed for want of room, and nothing came of the others yet.
        var lacksRoom = false
        /// Whether it was stopped or retired.
        var isLeaving = false
        var isPaused = false
        var end: RunEnd?
        /// Whether the last session that was ready spoke protocol v1.
        var isServerOld = false
        var lastFault: FaultSnapshot?
        /// By what it dials where that is open.
        var choice = TransportChoice()
        /// What was told of those that answer in place of the server.
        var foreigners = RepeatedComplaint()
        /// Why it goes by long polling, as the log was told.
        var toldReason: String?
        /// Whether it is looked after whether WebSockets get through again.
        var isTrying = false

        /// - Parameter isUp: whether there is a session.
        func shown(isUp: Bool) -> TunnelSnapshot.State {
            if end == .gaveUp { return .gaveUp }
            if isLeaving || end != nil { return .draining }
            if isPaused { return .paused }
            return isUp ? .connected : .connecting
        }

        /// - Returns: false where somebody looks after that already.
        mutating func takesTrial() -> Bool {
            guard !isTrying else { return false }
            isTrying = true
            return true
        }
    }

    let setup: CurrentSetup
    let loops: [any EventLoop]
    let budget: TokenReceiveBudget
    let software: String
    private let trust: TrustPool
    let pacer: DialPacer
    let logger: Logger
    let identity: TunnelIdentity
    /// The slot by which the server knows the first connection.
    let firstSlot: Int
    let state = Mutex(State())
    let keepers = Mutex(Keepers())
    /// Counts up once, when nothing is to be dialled any more.
    let retirement = EventCount()
    /// Whether the token's password leaves `Authorization` to that of the URL: what worked last.
    let passwordGivesWay = Atomic<Bool>(false)
    /// Counts up when `first` is known.
    private let firstKnown = EventCount()

    /// - Parameters:
    ///   - trust: shared by all clients of a process.
    ///   - pacer: shared by all clients of a process.
    ///   - predecessor: the client whose place this one takes: the server counts both as one, and their traffic
    ///   is counted together.
    /// - Throws: `TunnelClientError` when the certificates cannot be used. Reads files: not for event loops.
    package init(
        _ configuration: TunnelClientConfiguration, group: MultiThreadedEventLoopGroup, log: AgentLog,
        budget: ProcessReceiveBudget, software: String, trust: TrustPool = TrustPool(),
        pacer: DialPacer = DialPacer(), succeeding predecessor: TunnelClient? = nil
    ) throws(TunnelClientError) {
        self.loops = Array(group.makeIterator())
        self.budget = TokenReceiveBudget(of: budget)
        self.software = software
        self.trust = trust
        self.pacer = pacer
        var logger = log.makeLogger(label: "client")
        logger[.tunnelName] = "\(configuration.name)"
        logger[.tokenHint] = "\(configuration.token.hint)"
        self.logger = logger
        setup = CurrentSetup(
            try ClientSetup(
                configuration, trusting: trust, logger: logger,
                onStatusFileError: Self.complainOfStatusFile(logger)))
        identity = predecessor?.identity ?? TunnelIdentity()
        firstSlot = identity.takeSlots()
    }

    /// A status file that cannot be written is told of, and is no reason not to run.
    private static func complainOfStatusFile(_ logger: Logger) -> @Sendable (StatusFileError) -> Void {
        { logger.tell(.error, .error, "Cannot write the status file", metadata: [.errorMessage: "\($0)"]) }
    }

    /// Nothing is left of what it was started for.
    func ended(_ end: RunEnd) {
        state.withLock { state in
            state.end = end
            if state.first != .up { state.first = .ended }
        }
        firstKnown.add()
    }

    // MARK: Changing it

    /// Makes what a changed configuration needs, and changes nothing. Only `server`, `regexp`, `insecure`, `certfile`,
    /// `timeout`, `statusfile`, `websocket-retry`, `reconnect-delay` and `max-retries` can change in place.
    ///
    /// - Throws: `TunnelClientError` when the certificates cannot be used. May read the system's roots: not for event
    ///   loops.
    package func prepareUpdate(
        _ configuration: TunnelClientConfiguration
    ) throws(TunnelClientError) -> PreparedUpdate {
        PreparedUpdate(
            setup: try ClientSetup(
                configuration, trusting: trust, logger: logger, previous: setup.value,
                onStatusFileError: Self.complainOfStatusFile(logger)))
    }

    /// Brings a changed configuration into force, on the sessions that are up too: they stay. Requests that have begun
    /// end as they began; all others go by the new configuration. Never waits.
    package func apply(_ update: PreparedUpdate) {
        let new = update.setup
        let old = setup.replace(by: new)
        if old.directory !== new.directory {
            old.directory.retire()
            new.directory.start(on: loops)
        }
        if old.statusFile !== new.statusFile { new.statusFile?.tryOut() }
        if old.configuration.timeout != new.configuration.timeout {
            for life in lives { life.setKeepaliveTimeout(new.configuration.timeout) }
        }
        if new.dialsOtherwise(than: old) { callKeepers() }
    }

    /// Tries again at once where the next try to connect is waited for.
    package func retryNow() {
        state.withLock { state in
            state.lacksRoom = false
            if state.first == .noRoom { state.first = nil }
        }
        callKeepers()
    }

    func callKeepers() {
        for keeper in runningKeepers { keeper.call() }
    }

    // MARK: Replacing it

    /// Waits for what comes first; a failure that may pass is waited out. For one waiter, also before `run`; a second
    /// call after `.noRoom` and `retryNow` waits for what comes next.
    ///
    /// - Returns: `.ended` also when the waiting task was cancelled.
    package func untilUp() async -> FirstOutcome {
        while !Task.isCancelled {
            let known = firstKnown.value
            if let first = state.withLock({ $0.first }) { return first }
            await firstKnown.wait(beyond: known, on: loops[0])
        }
        return .ended
    }

    /// Dials nothing any more. Sessions that are up stay until they end by themselves, or it is stopped;
    /// it ends when none is left.
    package func retire() {
        state.withLock { $0.isLeaving = true }
        retirement.add()
        for keeper in runningKeepers { keeper.retire() }
    }

    /// Gives back what is kept for the next request: of sessions without one, and idle connections to origins.
    package func giveBackMemory() {
        for life in lives { life.giveBackMemory() }
        setup.directory.closeIdle()
    }

    /// Whether nothing is to be dialled any more.
    var isRetired: Bool { retirement.value > 0 }

    /// Whether it is out of tries: then nothing brings it back.
    package var hasGivenUp: Bool { state.withLock { $0.end == .gaveUp } }

    /// Closes every session at once.
    package func close() {
        for life in lives { life.close() }
    }

    // MARK: What its sessions tell

    var lives: [SessionLife] { state.withLock { $0.lives } }

    /// Whether any connection of the tunnel is up.
    var hasSession: Bool { lives.contains { $0.isUp } }

    func remember(_ life: SessionLife) {
        state.withLock { $0.lives.append(life) }
    }

    func forget(_ life: SessionLife) {
        state.withLock { $0.lives.removeAll { $0 === life } }
    }

    /// The server hands out requests to a session.
    func sessionIsUp(_ life: SessionLife) {
        state.withLock { state in
            state.first = .up
            state.isServerOld = life.version == .v1
        }
        firstKnown.add()
        life.way.map(sessionServes)
    }

    /// No session came of a dial.
    func dialFailed(_ life: SessionLife, forWantOfRoom: Bool) {
        life.neverBegan()
        let isKnown = state.withLock { state in
            state.lives.removeAll { $0 === life }
            if forWantOfRoom { state.lacksRoom = true }
            // While others are under way there may be room for one of them.
            guard state.first == nil, state.lacksRoom, state.lives.isEmpty else { return false }
            state.first = .noRoom
            return true
        }
        if isKnown { firstKnown.add() }
    }

    /// - Parameters:
    ///   - message: without secrets.
    ///   - count: failures in a row, the first of them `since`.
    func noteFault(_ code: ErrorCode, _ message: String, count: Int? = nil, since: Int? = nil) {
        let fault = FaultSnapshot(code: code, message: message, at: time(nil), count: count, since: since)
        state.withLock { $0.lastFault = fault }
    }

    /// Sessions that it should have, as far as the server can use them.
    var wantedConnections: Int {
        let wantsOne = choosesConnections && state.withLock { $0.isServerOld }
        return wantsOne ? 1 : setup.part { $0.configuration.connections(cores: loops.count) }
    }

    /// Whether it has a session.
    package var isUp: Bool { state.withLock { $0.lives.contains { $0.isReady } } }

    /// What it does now.
    package var shownState: TunnelSnapshot.State {
        let isUp = isUp
        return state.withLock { $0.shown(isUp: isUp) }
    }

    /// What there is to tell now; what it has carried is as of when its event loops were last asked.
    package var snapshot: TunnelSnapshot {
        let (configuration, directory) = (setup.value.configuration, setup.directory)
        let state = state.withLock { $0 }
        let connections = connections(of: state)
        return TunnelSnapshot(
            name: configuration.name, state: state.shown(isUp: !connections.isEmpty),
            server: Self.shown(configuration.tunnel),
            tokenHint: configuration.token.hint, wanted: wantedConnections,
            connections: connections, hosts: identity.hosts.snapshots(configuration.hosts),
            longPollReason: state.choice.reason, origins: directory.snapshots, traffic: traffic,
            lastFault: state.lastFault)
    }

    private func connections(of state: State) -> [ConnectionSnapshot] {
        state.lives.compactMap(\.snapshot).sorted { $0.id < $1.id }
    }

    /// Its sessions now.
    package var sessions: [SessionSnapshot] {
        let (name, hint, server) = setup.part {
            ($0.configuration.name, $0.configuration.token.hint, Self.shown($0.configuration.tunnel))
        }
        return connections(of: state.withLock { $0 }).map { connection in
            SessionSnapshot(
                id: connection.id, tunnel: name, tokenHint: hint, address: server,
                transport: connection.transport, protocolVersion: connection.protocolVersion,
                since: connection.since, isDraining: connection.isDraining)
        }
    }

    /// A tunnel server's URL without credentials.
    static func shown(_ url: TunnelURL) -> String {
        "\(url.isSecure ? "wss" : "ws")://\(hostAndPort(url.host, url.port))\(url.basePath)"
    }
}

/// A tunnel that cannot be started.
package struct TunnelClientError: Error, CustomStringConvertible {
    /// What is wrong, and where in the configuration.
    package let description: String
}
