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
    /// Servers that take over a socket, each with the server that had it.
    private(set) var predecessors: [String: String] = [:]
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

    /// Waits for disks and name servers: not for event loops.
    init(_ plan: ReloadPlan, on ground: PreparationGround, with means: AgentMeans) {
        prepareLog(plan, means)
        prepareSockets(plan, ground, means)
        prepareTunnels(plan, ground, means)
        if ground.isStart, means.takesOver, faults.isEmpty { takeOver(plan, means) }
        preparePidfile(plan, ground)
        prepareControlSocket(plan, ground, means)
        prepareAdminSocket(plan, ground)
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
        let leaving = plan.servers.compactMap { change -> ListeningSocket? in
            if case .update = change { nil } else { ground.sockets[change.name] }
        }
        for server in plan.servers.compactMap(\.specification) {
            switch sources[server.name] {
            case .inherited: sockets[server.name] = means.inherited[server.name]
            case .takenOver(let owner):
                sockets[server.name] = ground.sockets[owner]
                predecessors[server.name] = owner
            case .bound:
                sockets[server.name] = attempt {
                    try ListeningSocket.bind(
                        for: "servers[\(server.name)]", host: server.host, port: server.port,
                        reusePort: server.reusePort, besides: leaving)
                }
            case nil: break
            }
        }
    }

    // MARK: Tunnels

    private mutating func prepareTunnels(
        _ plan: ReloadPlan, _ ground: PreparationGround, _ means: AgentMeans
    ) {
        for change in plan.tunnels {
            switch change {
            case .start(let tunnel), .replace(let tunnel, _):
                clients[tunnel.name] = attempt {
                    try Self.makeClient(tunnel, succeeding: ground.tunnels[tunnel.name], means)
                }
            case .update(let tunnel, _):
                guard let client = ground.tunnels[tunnel.name] else { continue }
                if client.hasGivenUp {
                    // Nothing is left of it that could be changed in place.
                    clients[tunnel.name] = attempt { try Self.makeClient(tunnel, succeeding: client, means) }
                } else {
                    updates[tunnel.name] = attempt { try client.prepareUpdate(tunnel) }
                }
            case .stop: break
            }
        }
    }

    private static func makeClient(
        _ tunnel: TunnelClientConfiguration, succeeding predecessor: TunnelClient?, _ means: AgentMeans
    ) throws -> TunnelClient {
        try TunnelClient(
            tunnel, group: means.group, log: means.log, budget: means.budget, software: means.software,
            succeeding: predecessor)
    }

    // MARK: The agent itself

    private mutating func prepareLog(_ plan: ReloadPlan, _ means: AgentMeans) {
        log = attempt { try means.log.prepare(plan.result.log) }
    }

    private mutating func preparePidfile(_ plan: ReloadPlan, _ ground: PreparationGround) {
        guard let path = plan.result.pidfile, ground.isStart || path != ground.running.pidfile else { return }
        pidfile = attempt { try Pidfile(path: path) }
    }

    private mutating func prepareControlSocket(
        _ plan: ReloadPlan, _ ground: PreparationGround, _ means: AgentMeans
    ) {
        guard ground.isStart || plan.result.controlSocket != ground.running.controlSocket else { return }
        do throws(ControlSocketError) {
            if let path = plan.result.controlSocket {
                controlSocket = try BoundControlSocket(path: path)
            } else if let automatic = means.automaticControlSocket {
                try automatic.prepareFolder()
                controlSocket = try BoundControlSocket(path: automatic.path)
            }
        } catch {
            // Where nobody asked for one it is a convenience, unless somebody else runs by this file.
            if plan.result.controlSocket == nil, !error.isTaken {
                warnings.append("\(error)")
            } else {
                faults.append("\(error)")
            }
        }
    }

    /// Has the agent that runs by the same file let go of what only one can have. It finishes what it has in flight.
    private mutating func takeOver(_ plan: ReloadPlan, _ means: AgentMeans) {
        guard let path = plan.result.controlSocket ?? means.automaticControlSocket?.path else { return }
        do throws(AdminClientError) {
            try AdminClient(socketPath: path).handOver()
        } catch  where error.isNobodyThere {
            warnings.append("there is no agent to take over from")
        } catch {
            faults.append("cannot take over from the agent that runs: \(error)")
        }
    }

    private mutating func prepareAdminSocket(_ plan: ReloadPlan, _ ground: PreparationGround) {
        guard let admin = plan.result.admin else { return }
        let before = ground.isStart ? nil : ground.running.admin
        guard before?.host != admin.host || before?.port != admin.port else { return }
        adminSocket = attempt {
            try ListeningSocket.bind(for: "admin.listen", host: admin.host, port: admin.port)
        }
    }
}
