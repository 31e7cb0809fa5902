import AgentStatus
import HostSystem
import Logging
import NIOCore
import Observability
import Reconciliation
import Routing
import TunnelConfiguration
import TunnelProtocol
import TunnelServer

/// The tunnel servers of an agent: those in force, and those that finish what they have in flight.
@AgentActor final class RunningServers {
    private let means: AgentMeans
    private let logger: Logger
    private let children: Children
    private let mailbox: Supervisor.Mailbox
    private var running: [String: RunningServer] = [:]
    /// What left the configuration.
    private var leaving: [ObjectIdentifier: RunningServer] = [:]
    /// Listeners that broke, and who waits for them to be opened again.
    private var repairs: [String: Latch] = [:]

    init(_ means: AgentMeans, logger: Logger, children: Children, mailbox: Supervisor.Mailbox) {
        self.means = means
        self.logger = logger
        self.children = children
        self.mailbox = mailbox
    }

    var count: Int { running.count }
    var sockets: [String: ListeningSocket] { running.mapValues(\.socket) }
    /// Whether one that left may still hold its port for a moment.
    var areLeaving: Bool { !leaving.isEmpty }
    /// With those that leave.
    var all: [RunningServer] { Array(running.values) + leaving.values }

    // MARK: Changing them

    /// Carries out one change of a plan.
    func apply(
        _ change: PreparedServer, _ terms: Preparation.Terms, _ pauses: Pauses,
        in group: inout DiscardingTaskGroup
    ) async {
        switch change {
        case .start(let configuration, let security, let socket, let predecessor):
            socket.share(configuration.reusePort)
            let server = TunnelServer(
                configuration, tls: security.tls, innerTLS: security.innerTLS,
                tunnelsOf: configuration.tcp.flatMap { running[$0.server]?.server }, usage: means.usage,
                blocked: means.blocked, group: means.group,
                log: means.log, budget: means.budget,
                software: means.software, gauge: means.gauge)
            if let old = predecessor.flatMap({ running[$0] }) { server.succeed(old.server) }
            // Where the port was another process's until now, callers came to be served by that one's tunnels.
            let isSuccessor = terms.bansTakenOver != nil || (terms.isStart && socket.isInherited)
            // A port's tunnels are those of its server.
            if configuration.tcp == nil { server.expect(isSuccessor ? .every : .listed) }
            server.ban((terms.bansTakenOver ?? []).filter { $0.server == configuration.name })
            server.setPaused(pauses.contains(.server, configuration.name))
            begin(RunningServer(server: server, socket: socket), configuration.name, in: &group)
            await listen(configuration.name, in: &group)
        case .move(let configuration, let security, let socket, let isHandedOn):
            let name = configuration.name
            running[name]?.server.update(
                configuration, tls: security.tls, innerTLS: security.innerTLS, grace: terms.grace)
            running[name]?.socket = socket
            socket.share(configuration.reusePort)
            await listen(name, keepingOld: isHandedOn, in: &group)
        case .update(let configuration, let security):
            running[configuration.name]?.server.update(
                configuration, tls: security.tls, innerTLS: security.innerTLS, grace: terms.grace)
        case .stop(let name, let isHandedOn):
            guard let old = running.removeValue(forKey: name) else { return }
            leaving[ObjectIdentifier(old.server)] = old
            if isHandedOn { old.socketIsKept.open() }
            old.leave(grace: terms.grace, in: &group)
        }
    }

    private func begin(_ server: RunningServer, _ name: String, in group: inout DiscardingTaskGroup) {
        running[name] = server
        children.began()
        group.addTask {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    while let reason = await server.server.untilListenerFails() {
                        await self.listenerBroke(name, reason).wait()
                    }
                }
                await server.run()
                group.cancelAll()
            }
            await self.ended(server)
        }
    }

    private func ended(_ server: RunningServer) {
        leaving[ObjectIdentifier(server.server)] = nil
        children.ended()
    }

    // MARK: Listening

    /// Opens a server to its socket. When that fails, or the listener breaks later, it is tried again after a while.
    ///
    /// - Parameter keepingOld: whether another server takes over the socket that this one listens on until now.
    func listen(_ name: String, keepingOld: Bool = false, in group: inout DiscardingTaskGroup) async {
        guard let server = running[name] else { return }
        do {
            if let left = try await server.server.listen(on: server.socket) {
                group.addTask { await left.leave(keepingSocket: keepingOld) }
            }
        } catch {
            _ = listenerBroke(name, "\(error)")
            return
        }
        guard let repair = repairs.removeValue(forKey: name) else { return }
        repair.open()
        mailbox.yield(.listenerRestored(server: name))
    }

    /// - Returns: opened when there is a listener again.
    private func listenerBroke(_ name: String, _ reason: String) -> Latch {
        logger.tell(
            .serverFailed, .error, "A listener broke; it is opened again in a moment",
            metadata: [.serverName: "\(name)", .errorMessage: "\(reason)"])
        mailbox.yield(.listenerFailed(server: name))
        let repair = repairs[name] ?? Latch()
        repairs[name] = repair
        return repair
    }

    // MARK: What whoever runs the agent wants

    func setPaused(_ name: String, _ isPaused: Bool) { running[name]?.server.setPaused(isPaused) }

    /// Ends a session.
    ///
    /// - Returns: the server that has it; nil where none does.
    func end(session id: UInt64, isCut: Bool) -> String? {
        all.first { $0.server.end(session: id, isCut: isCut) }?.server.name
    }

    /// Those that are shown so.
    func tokens(hint: String, tag: String) -> Set<RendezvousToken> {
        Set(running.values.flatMap { $0.server.tokens(hint: hint, tag: tag) })
    }

    /// Has tunnel clients leave whose token is blocked.
    func dismissBlocked(grace: Duration) { for server in all { server.server.dismissBlocked(grace: grace) } }

    // MARK: Watching

    /// Those in force and those that leave, in the order of their names, one behind its successor.
    ///
    /// - Parameter isWanted: asked for each name.
    func snapshots(
        _ listing: TunnelServer.Listing, where isWanted: (String) -> Bool
    ) -> [ServerSnapshot] {
        let current = running.filter { isWanted($0.key) }.map { name, server in
            var snapshot = server.server.snapshot(listing)
            if repairs[name] != nil { snapshot.state = .failed }
            return snapshot
        }
        // The order of those that are the same stays.
        let leaving = leaving.values.filter { isWanted($0.server.name) }.map { $0.server.snapshot(listing) }
        return (current + leaving).sorted { $0.name < $1.name }
    }

    /// How many have no listener now.
    var silentCount: Int { running.count { repairs[$0.key] != nil || !$0.value.server.isListening } }

    /// Every session of theirs.
    var sessions: [SessionSnapshot] { all.flatMap(\.server.sessions) }

    /// Those of a configuration that run, in its order, with where they listen.
    func listening(
        of configurations: [ServerConfiguration]
    ) -> [(server: TunnelServer, configuration: ServerConfiguration, port: Int)] {
        configurations.compactMap { configuration in
            running[configuration.name].map { running in
                (running.server, configuration, running.socket.address.port ?? configuration.port)
            }
        }
    }

    /// What those that are in force have counted.
    func measures() async -> [ServerMeasures] {
        await refreshMeasures()
        return running.values.map(\.server.lastMeasures)
    }

    /// Those whose listener broke.
    var broken: Set<String> { Set(repairs.keys) }

    /// Has them say what they have carried so far: snapshots tell what was said last.
    func refreshMeasures() async { await TunnelServer.refreshMeasures(of: all.map(\.server)) }

    /// The addresses that are shut out.
    var bans: [BanSnapshot] { running.values.flatMap(\.server.bans) }

    /// Lets an address in again, or everybody where it is nil.
    ///
    /// - Returns: how many bans end by it.
    func unban(_ address: String?) -> Int { running.values.reduce(0) { $0 + $1.server.unban(address) } }

    /// Requests, by server, when they were last asked.
    var requests: [String: UInt64] { running.mapValues { $0.server.traffic.requests } }

    /// All that was carried so far, by server.
    var traffic: [String: TrafficSnapshot] { running.mapValues { $0.server.traffic } }
}
