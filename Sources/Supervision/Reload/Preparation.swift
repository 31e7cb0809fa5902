import AdminAPI
import Logging
import NIOPosix
import Observability
import Reconciliation
import TunnelClient
import TunnelConfiguration
import TunnelServer
import TunnelTransport

/// What all servers and tunnels of an agent are made with.
struct AgentMeans: Sendable {
    let group: MultiThreadedEventLoopGroup
    let log: AgentLog
    let budget: ProcessReceiveBudget
    /// Program and version, as peers are told.
    let software: String
    /// Listening sockets that the process was started with, by name.
    let inherited: [String: ListeningSocket]
    /// The file that the agent runs by; nil when it was started by flags.
    let configurationFile: String?
    /// Whether the start takes the place of an agent that runs by the same file.
    let takesOver: Bool

    /// Where the control socket is when the configuration does not say.
    var automaticControlSocket: ControlSocketPath? {
        configurationFile.map { .default(forConfiguration: $0, .ofProcess()) }
    }
}

/// What runs, as far as a preparation has to know it.
struct PreparationGround: Sendable {
    var running: AgentConfiguration
    var sockets: [String: ListeningSocket]
    var tunnels: [String: TunnelClient]
    /// Whether nothing runs yet.
    var isStart: Bool
}

/// Everything of a plan that can fail, done: listeners bound, certificates loaded, files opened. Nothing of it
/// shows yet; dropped, it leaves no trace.
struct Preparation: Sendable {
    /// Listening sockets of servers that start or move.
    private(set) var sockets: [String: ListeningSocket] = [:]
    /// Servers whose socket another one takes over.
    private(set) var handedOn: Set<String> = []
    private(set) var clients: [String: TunnelClient] = [:]
    private(set) var updates: [String: TunnelClient.PreparedUpdate] = [:]
    private(set) var log: LogChange?
    private(set) var pidfile: Pidfile?
    private(set) var controlSocket: BoundControlSocket?
    private(set) var adminSocket: ListeningSocket?
    /// Why the plan cannot be carried out, all reasons.
    private(set) var faults: [String] = []
    /// What is wrong and no reason to refuse the plan.
    private(set) var warnings: [String] = []
    /// Whether another agent has given up its place.
    private(set) var hasTakenOver = false
    /// What another agent has that this one wants; one that is taken over from lets go of it.
    private var taken: [String] = []

    /// Waits for disks and name servers: not for event loops.
    init(_ plan: ReloadPlan, on ground: PreparationGround, with means: AgentMeans) {
        prepareLog(plan, means)
        prepareSockets(plan, ground, means)
        prepareTunnels(plan, ground, means)
        prepareUnique(plan, ground, means)
        if ground.isStart, means.takesOver, faults.isEmpty, takeOver(plan, means) {
            hasTakenOver = true
            taken = []
            prepareUnique(plan, ground, means)
            // There is no way back: an agent without these is better than none.
            warnings += faults + taken
            faults = []
        } else if !(means.takesOver && ground.isStart) || faults.isEmpty {
            faults += taken
        }
        taken = []
    }

    private mutating func attempt<Value>(
        _ work: () throws -> Value
    ) -> Value? {
        do {
            return try work()
        } catch {
            faults.append("\(error)")
            return nil
        }
    }

    // MARK: Servers

    private mutating func prepareSockets(
        _ plan: ReloadPlan, _ ground: PreparationGround, _ means: AgentMeans
    ) {
        let sources = assignListeners(
            plan.servers, running: ground.running.servers, inherited: Set(means.inherited.keys))
        warnOfUnusedSockets(plan, ground, means)
        let leaving = plan.servers.compactMap { change -> ListeningSocket? in
            if case .update = change { nil } else { ground.sockets[change.name] }
        }
        for server in plan.servers.compactMap(\.specification) {
            switch sources[server.name] {
            case .inherited: sockets[server.name] = means.inherited[server.name]
            case .takenOver(let owner):
                sockets[server.name] = ground.sockets[owner]
                handedOn.insert(owner)
            case .bound:
                do throws(ListenError) {
                    sockets[server.name] = try ListeningSocket.bind(
                        for: "servers[\(server.name)]", host: server.host, port: server.port,
                        reusePort: server.reusePort, listens: !(ground.isStart && means.takesOver),
                        besides: leaving)
                } catch {
                    let hint = "--takeover needs reuse-port: true in both, the agent that runs and this one"
                    faults.append(means.takesOver && error.isInUse ? "\(error). \(hint)" : "\(error)")
                }
            case nil: break
            }
        }
    }

    /// Callers wait for ever in the queue of a socket that no server takes.
    private mutating func warnOfUnusedSockets(
        _ plan: ReloadPlan, _ ground: PreparationGround, _ means: AgentMeans
    ) {
        let wanted = Set(plan.result.servers.map(\.name))
        let before = Set(ground.running.servers.map(\.name))
        for name in means.inherited.keys.sorted()
        where !wanted.contains(name) && (ground.isStart || before.contains(name)) {
            warnings.append(
                "socket activation: no server is named \"\(name)\", so nobody answers on that socket — set FileDescriptorName= in its socket unit to the name of a server"
            )
        }
    }

    // MARK: Tunnels

    private mutating func prepareTunnels(
        _ plan: ReloadPlan, _ ground: PreparationGround, _ means: AgentMeans
    ) {
        for change in plan.tunnels {
            switch change {
            case .start(let tunnel), .replace(let tunnel, _):
                let predecessor = ground.tunnels[tunnel.name]
                clients[tunnel.name] = attempt {
                    try TunnelClient(
                        tunnel, group: means.group, log: means.log, budget: means.budget,
                        software: means.software, succeeding: predecessor)
                }
            case .update(let tunnel, _):
                guard let client = ground.tunnels[tunnel.name] else { continue }
                updates[tunnel.name] = attempt { try client.prepareUpdate(tunnel) }
            case .stop: break
            }
        }
    }

    // MARK: The agent itself

    private mutating func prepareLog(_ plan: ReloadPlan, _ means: AgentMeans) {
        log = attempt { try means.log.prepare(plan.result.log) }
    }
}

// MARK: - What only one agent can have

extension Preparation {
    private mutating func prepareUnique(
        _ plan: ReloadPlan, _ ground: PreparationGround, _ means: AgentMeans
    ) {
        preparePidfile(plan, ground)
        prepareControlSocket(plan, ground, means)
        prepareAdminSocket(plan, ground)
    }

    private mutating func preparePidfile(_ plan: ReloadPlan, _ ground: PreparationGround) {
        guard pidfile == nil, let path = plan.result.pidfile,
            ground.isStart || path != ground.running.pidfile
        else { return }
        do throws(PidfileError) {
            pidfile = try Pidfile(path: path)
        } catch {
            note(error, isTaken: error.isTaken)
        }
    }

    private mutating func prepareControlSocket(
        _ plan: ReloadPlan, _ ground: PreparationGround, _ means: AgentMeans
    ) {
        guard controlSocket == nil,
            ground.isStart || plan.result.controlSocket != ground.running.controlSocket
        else { return }
        do throws(ControlSocketError) {
            if let path = plan.result.controlSocket {
                controlSocket = try BoundControlSocket(path: path)
            } else if let automatic = means.automaticControlSocket {
                try automatic.prepareFolder()
                controlSocket = try BoundControlSocket(path: automatic.path)
            }
        } catch {
            guard plan.result.controlSocket == nil else {
                note(error, isTaken: error.isTaken)
                return
            }
            // Where nobody asked for one it is a convenience, unless somebody else runs by this file.
            if error.isTaken {
                taken.append(error.asSecondAgent)
            } else {
                warnings.append("\(error)")
            }
        }
    }

    private mutating func prepareAdminSocket(_ plan: ReloadPlan, _ ground: PreparationGround) {
        guard adminSocket == nil, let admin = plan.result.admin else { return }
        let before = ground.isStart ? nil : ground.running.admin
        guard before?.host != admin.host || before?.port != admin.port else { return }
        do throws(ListenError) {
            adminSocket = try ListeningSocket.bind(for: "admin.listen", host: admin.host, port: admin.port)
        } catch {
            note(error, isTaken: error.isInUse)
        }
    }

    private mutating func note(_ error: any Error, isTaken: Bool) {
        if isTaken { taken.append("\(error)") } else { faults.append("\(error)") }
    }

    /// Has the agent that runs by the same file let go of what only one can have. It finishes what it has in flight.
    ///
    /// - Returns: whether it did.
    private mutating func takeOver(_ plan: ReloadPlan, _ means: AgentMeans) -> Bool {
        // The file may have named another socket when that agent started.
        let paths = [plan.result.controlSocket, means.automaticControlSocket?.path].compactMap(\.self)
        // Where ours stands by now there was nobody.
        for path in paths where path != controlSocket?.path {
            let agent = AdminClient(socketPath: path)
            do throws(AdminClientError) {
                // One that is stuck keeps its callers: nothing of ours listens yet.
                _ = try agent.status()
                for socket in sockets.values { _ = attempt { try socket.listen() } }
                guard faults.isEmpty else { return false }
                try agent.handOver()
                return true
            } catch  where error.isNobodyThere {
                continue
            } catch {
                faults.append("cannot take over from the agent that runs: \(error)")
                return false
            }
        }
        warnings.append("there is no agent to take over from")
        return false
    }
}
