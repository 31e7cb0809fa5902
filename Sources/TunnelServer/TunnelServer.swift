package import AgentStatus
import HTTPMessage
import HTTPServing
package import HostSystem
import Logging
package import NIOCore
package import NIOPosix
package import Observability
package import Routing
import Synchronization
package import TransportSecurity
package import TunnelConfiguration
import TunnelProtocol
package import TunnelTransport

/// One tunnel server: takes callers and tunnel clients, wherever it listens at the time.
package final class TunnelServer: Sendable {
    /// How often tokens that were not seen for long are forgotten, some of them each time.
    private static let forgetInterval: TimeAmount = .seconds(5)

    let core: ServerCore
    private let group: MultiThreadedEventLoopGroup
    private let current = CurrentListener()
    private let forgetting: RepeatedTask
    private let hasForgotten = Atomic<Bool>(false)

    /// Makes a server that does not listen yet. Does no I/O.
    ///
    /// - Parameters:
    ///   - configuration: where it listens is not looked at: `listen(on:)` says so.
    ///   - tls: made of the configuration; nil where that has none.
    ///   - innerTLS: the same of what is spoken inside tunnels, where that is another.
    ///   - owner: whose tunnels it leads to, where it has none of its own: a port of plain TCP.
    ///   - usage: counts the bytes of tokens that have a quota.
    ///   - blocked: of the agent.
    ///   - budget: of receive windows, for the whole process.
    ///   - software: program and version, as peers are told.
    ///   - gauge: of the process.
    package init(
        _ configuration: ServerConfiguration, tls: ServerTLS? = nil, innerTLS: ServerTLS? = nil,
        tunnelsOf owner: TunnelServer? = nil, usage: UsageLedger = UsageLedger(),
        blocked: BlockedTokens = BlockedTokens(), group: MultiThreadedEventLoopGroup,
        log: AgentLog,
        budget: ProcessReceiveBudget, software: String, limits: ListenerLimits = ListenerLimits(),
        gauge: LoadGauge = LoadGauge()
    ) {
        let core = ServerCore(
            configuration, tls: tls, innerTLS: innerTLS, limits: limits, tunnelsOf: owner?.core,
            usage: usage, blocked: blocked,
            loops: Array(group.makeIterator()), log: log,
            budget: budget,
            software: software, gauge: gauge)
        self.core = core
        self.group = group
        self.forgetting = group.next().scheduleRepeatedTask(
            initialDelay: Self.forgetInterval, delay: Self.forgetInterval
        ) { _ in
            core.registry.forgetOld()
            core.namesRested()
        }
    }

    deinit {
        stopTimers()
        current.end()?.close()
    }

    private func stopTimers() {
        if !hasForgotten.exchange(true, ordering: .acquiringAndReleasing) { forgetting.cancel() }
    }

    // MARK: Listening

    /// Where it listens, the port that the kernel picked included; nil while it does not.
    package var address: SocketAddress? { current.value?.socket.address }

    /// A listener in whose place another is.
    package struct LeftListener: Sendable {
        fileprivate let listener: Listener
        fileprivate let core: ServerCore

        /// Takes what is in the queue and closes; callers that came by it leave after their next answer, sessions
        /// stay. Takes a moment.
        ///
        /// - Parameter keepingSocket: whether the socket goes to another server, which may not have begun to listen
        ///   there yet. Without it, and while no other server listens on it, the socket is of no further use.
        package func leave(keepingSocket: Bool = false) async {
            await listener.leave(isKept: keepingSocket, patience: core.limits.handshakeTime)
            let told = core.connections.callers(by: listener.id).map { caller in
                caller.eventLoop.submit { caller.connection.value.leave() }
            }
            for future in told { try? await future.get() }
        }
    }

    /// Takes connections from this socket; if it took them from another before, from both, until that one is left.
    ///
    /// - Parameter socket: may be another server's, who leaves it later.
    /// - Returns: the listener from before, to be left.
    /// - Throws: `ListenError` when the system refuses; then everything is as before.
    @discardableResult
    package func listen(on socket: ListeningSocket) async throws -> LeftListener? {
        guard current.value?.socket !== socket else { return nil }
        let listener: Listener
        do {
            listener = try await Listener.open(socket, id: current.nextID(), core: core, group: group)
        } catch {
            throw ListenError("servers[\(core.name)]", host: socket.host, port: socket.port, error)
        }
        let left = current.replace(by: listener)
        let place = hostAndPort(socket.host, socket.port)
        listener.whenItFails { [core, current] reason in
            let text = "the listener at \(place) failed: \(reason)"
            // Before anybody is told.
            if current.value?.id == listener.id { core.note(fault: .listenerFailed, text) }
            current.failed(listener.id, text)
        }
        guard left !== listener else {
            listener.close()
            return nil
        }
        core.hosts.listens(at: socket.address.port ?? socket.port)
        core.logger.tell(.serverListening, .info, "Listening", metadata: [.listenerAddress: "\(place)"])
        core.tellIfOpen()
        return left.map { LeftListener(listener: $0, core: core) }
    }

    /// Waits until the listener closes although nobody asked: `listen(on:)` mends that.
    ///
    /// - Returns: what happened, in words; at once when it has happened. Nil when the server drains or is closed, or
    ///   the task is cancelled.
    package func untilListenerFails() async -> String? { await current.untilFailure() }

    /// Tells that tunnel clients have yet to come, of these tokens. For a while requests for tunnels that were not seen
    /// yet wait for them, as for one that is down.
    package func expect(_ tokens: ExpectedTokens) {
        core.registry.expect(tokens, for: core.limits.successionTime)
    }

    // MARK: Updating

    /// Puts other settings in force, in place: everything but name, host, port and `reusePort`. A request in flight
    /// keeps those that it began with, and a connection its TLS.
    ///
    /// - Parameters:
    ///   - tls: made of the configuration; nil where that has none.
    ///   - grace: how long sessions whose tunnel client would not be let in any more may finish what is in flight;
    ///     they get no new requests at once.
    package func update(
        _ configuration: ServerConfiguration, tls: ServerTLS? = nil, innerTLS: ServerTLS? = nil,
        grace: Duration
    ) {
        let settings = ServerSettings(configuration, tls: tls, innerTLS: innerTLS)
        let old = core.settings
        let isKeepaliveNew = settings.times.keepalive != old.times.keepalive
        core.apply(settings)
        core.tellIfOpen()
        for (id, session) in core.connections.sessions {
            if !settings.admission.admits(session.credentials) {
                dismiss(
                    id, session, reason: "its token, password or certificate is not allowed any more",
                    grace: grace)
            } else if isKeepaliveNew {
                session.reference.perform { $0.setKeepaliveTimeout(settings.times.keepalive) }
            }
        }
    }

    func dismiss(_ id: UInt64, _ session: ConnectionTable.Session, reason: String, grace: Duration) {
        core.registry.drain(id)
        core.sessionGivesUpNames(id, isOrderly: true)
        let reference = session.reference
        reference.perform { $0.drain(reason: reason) }
        reference.eventLoop.scheduleTask(in: TimeAmount(grace)) { reference.perform { $0.close() } }
    }

    /// Knows the tunnels of another server, whose place it takes: requests wait for them here until they come.
    package func succeed(_ other: TunnelServer) {
        guard core.registry !== other.core.registry else { return }
        core.registry.know(tokensOf: other.core.registry, isListed: core.settings.lists)
        ban(other.bans)
    }

    // MARK: Watching

    /// What leads to a server's tunnels, as far as a snapshot is to list it.
    package enum Listing: Sendable {
        case all
        /// Of the connected tokens only those whose clients announce this name.
        case tunnel(String)
        case nothing
    }

    package var snapshot: ServerSnapshot { snapshot(.all) }

    /// What it is and does now, and what it had carried when its event loops were last asked. To list something takes a look
    /// at every token that is known. Requests per second are the caller's to work out.
    package func snapshot(_ listing: Listing) -> ServerSnapshot {
        let listener = current.value
        let load = core.load
        let size = core.connections.size
        var snapshot = ServerSnapshot(
            name: core.name,
            state: state,
            address: listener.map { hostAndPort($0.socket.host, $0.socket.port) } ?? "",
            tunnels: load.tunnels, sessions: size.sessions, callers: size.callers, waiting: load.waiting,
            traffic: traffic, lastFault: core.lastFault, faults: core.faults)
        switch listing {
        case .nothing:
            (snapshot.connected, snapshot.moreConnected) = (nil, nil)
            (snapshot.names, snapshot.moreNames) = (nil, nil)
            return snapshot
        case .all: (snapshot.connected, snapshot.moreConnected) = connectedTokens(named: nil)
        case .tunnel(let name): (snapshot.connected, snapshot.moreConnected) = connectedTokens(named: name)
        }
        let names = core.namedTunnels
        snapshot.names = Array(names.prefix(NamedTunnel.most))
        snapshot.moreNames = max(0, names.count - NamedTunnel.most)
        return snapshot
    }

    /// Those of a port are its server's.
    private func connectedTokens(named name: String?) -> (listed: [ConnectedToken], more: Int) {
        core.settings.tcp == nil ? core.connectedTokens(named: name) : (listed: [], more: 0)
    }

    private var state: ServerSnapshot.State {
        if core.isStopping { return .draining }
        if current.failure != nil { return .failed }
        return core.pause.isPaused ? .paused : .listening
    }

    /// Whether callers reach it.
    package var isListening: Bool { current.value != nil && current.failure == nil }

    /// Every session, in no order.
    package var sessions: [SessionSnapshot] { core.sessionSnapshots }

    /// The addresses that are shut out.
    package var bans: [BanSnapshot] {
        // Those of a port are its server's.
        (core.settings.tcp == nil ? core.bans.all : []).map { ban in
            BanSnapshot(
                server: core.name, address: "\(ban.address)",
                secondsLeft: Int(ban.left.components.seconds) + 1, count: ban.count)
        }
    }

    /// Shuts out those who were before another agent's server gave way to this one.
    package func ban(_ bans: [BanSnapshot]) { core.bans.restore(bans) }

    /// Lets an address in again, or everybody where it is nil, and forgets what was guessed from there.
    ///
    /// - Returns: how many bans end by it.
    package func unban(_ address: String?) -> Int {
        let count = core.bans.lift(address.map { AddressGroup(String($0.prefix { $0 != "/" })) })
        if count > 0 {
            core.logger.tell(
                .unbanned, .info, "Ban lifted", metadata: [.peerAddress: "\(address ?? "all")"])
        }
        return count
    }

    // MARK: Stopping

    /// Takes no new connections and requests, tells tunnel clients to leave, and returns when everything in flight
    /// is finished. Cancel the task to stop waiting, then call `close`.
    ///
    /// - Parameters:
    ///   - keepingSocket: whether the socket goes to another server, which has not begun to listen there yet.
    ///   - whenQuiet: called when the last requests have come: until then tunnel clients must stay.
    package func drain(
        keepingSocket: Bool = false, whenQuiet: @Sendable () -> Void = {}
    ) async {
        stopTimers()
        let listener = current.end()
        // Sessions that go by requests need connections until they are over: others are answered that the server stops. Where
        // another takes them at the same port, they are its own.
        let isShared = listener.map { $0.socket.sharesPort || $0.socket.isInherited } ?? true
        let staysOpen = !keepingSocket && !isShared && core.connections.hasLongPolls
        if !staysOpen { await leave(listener, keepingSocket: keepingSocket) }
        core.stopTakingRequests()
        // Sessions stay until the last requests have come.
        var arrivals: [EventLoopFuture<Void>] = []
        for caller in core.connections.callers {
            arrivals.append(caller.eventLoop.flatSubmit { caller.connection.value.stop() })
        }
        for arrival in arrivals { try? await arrival.get() }
        whenQuiet()
        for session in core.connections.sessions.values {
            session.reference.perform { $0.drain(reason: "the tunnel server is stopping") }
        }
        if staysOpen {
            await core.connections.hasNoLongPolls()
            await leave(listener, keepingSocket: keepingSocket)
        }
        await core.connections.becomesEmpty()
    }

    private func leave(_ listener: Listener?, keepingSocket: Bool) async {
        guard let listener else { return }
        // Another process goes on at the same port: who is on the way here must not be turned away.
        let patience = listener.socket.sharesPort ? core.limits.handshakeTime : .zero
        await listener.leave(isKept: keepingSocket, patience: patience)
    }

    /// Closes the listener and every connection at once.
    package func close() {
        stopTimers()
        core.end()
        current.end()?.close()
        for caller in core.connections.callers { caller.eventLoop.execute { caller.connection.value.cut() } }
        for session in core.connections.sessions.values { session.reference.perform { $0.close() } }
    }
}
