import AdminAPI
import Glibc
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
    let trust: TrustPool
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
    /// Those that were replaced and stay until their successor is up.
    var predecessors: [String: [TunnelClient]]
    /// Whether a server that left may still hold its port for a moment.
    var hasLeavingServers: Bool
    var pidfile: Pidfile?
    var controlSocket: BoundControlSocket?
    var adminSocket: ListeningSocket?
    /// Whether nothing runs yet.
    var isStart: Bool
}

/// Everything of a plan that can fail, done: listeners bound, certificates loaded, files opened. Nothing of it
/// shows yet; dropped, it leaves no trace.
struct Preparation: Sendable {
    /// A tunnel's settings made ready for swapping.
    struct Update: Sendable {
        var client: TunnelClient
        var update: TunnelClient.PreparedUpdate
    }

    /// Listening sockets of servers that start or move.
    private(set) var sockets: [String: ListeningSocket] = [:]
    /// Servers that take over a socket, each with the server that had it.
    private(set) var predecessors: [String: String] = [:]
    /// Servers whose socket another one takes over.
    var handedOn: Set<String> { Set(predecessors.values) }
    private(set) var clients: [String: TunnelClient] = [:]
    private(set) var updates: [Update] = []
    private(set) var log: LogChange?
    private(set) var pidfile: Pidfile?
    private(set) var controlSocket: BoundControlSocket?
    /// Where commands look first, whatever the configuration says.
    private(set) var automaticControlSocket: BoundControlSocket?
    private(set) var adminSocket: ListeningSocket?
    /// Why the plan cannot be carried out, all reasons.
    private(set) var faults: [String] = []
    /// What is wrong and no reason to refuse the plan.
    private(set) var warnings: [String] = []

    /// Sockets that are bound and do not listen yet.
    private var reserved: [ListeningSocket] = []

    /// Waits for disks and name servers: not for event loops.
    init(_ plan: ReloadPlan, on ground: PreparationGround, with means: AgentMeans) {
        log = attempt { try means.log.prepare(plan.result.log) }
        prepareSockets(plan, ground, means)
        prepareTunnels(plan, ground, means)
        guard ground.isStart, means.takesOver else {
            prepareWhatIsSingle(plan, ground, means)
            listen(ground)
            return
        }
        takeOver(plan, ground, means)
    }

    private mutating func attempt<Value>(_ work: () throws -> Value) -> Value? {
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
                let place = (server.host, server.port)
                sockets[server.name] = reserve(
                    "servers[\(server.name)]", place, reusePort: server.reusePort, besides: leaving, ground)
            case nil: break
            }
        }
        guard ground.isStart else { return }
        for name in means.inherited.keys where sockets[name] == nil {
            warnings.append(
                "socket activation: no server is called \"\(name)\", so nobody answers at its socket — "
                    + "write the server's name into FileDescriptorName= of the socket unit")
        }
    }

    private mutating func reserve(
        _ purpose: String, _ place: (host: String, port: Int), reusePort: Bool = false,
        besides: [ListeningSocket], _ ground: PreparationGround
    ) -> ListeningSocket? {
        // One that left a moment ago may not have closed its socket yet.
        let deadline = ContinuousClock.now + (ground.hasLeavingServers ? .seconds(2) : .zero)
        while true {
            do throws(ListenError) {
                let socket = try ListeningSocket.reserve(
                    for: purpose, host: place.host, port: place.port, reusePort: reusePort, besides: besides)
                reserved.append(socket)
                return socket
            } catch {
                guard error.isAddressInUse, ContinuousClock.now < deadline else {
                    faults.append("\(error)")
                    return nil
                }
                usleep(20_000)
            }
        }
    }

    /// Last of all, when nothing can fail any more: who connects from now on is not turned away.
    private mutating func listen(_ ground: PreparationGround) {
        let others = Array(ground.sockets.values) + [ground.adminSocket].compactMap(\.self)
        for socket in reserved where faults.isEmpty {
            _ = attempt { try socket.listen(besides: others) }
        }
    }

    // MARK: Tunnels

    private mutating func prepareTunnels(
        _ plan: ReloadPlan, _ ground: PreparationGround, _ means: AgentMeans
    ) {
        for change in plan.tunnels {
            guard let tunnel = change.specification else { continue }
            let current = ground.tunnels[tunnel.name]
            // Of one that gave up nothing is left that could be changed in place.
            if case .update = change, let current, !current.hasGivenUp {
                // Until it is up itself, its predecessors answer.
                for client in [current] + (ground.predecessors[tunnel.name] ?? []) {
                    guard let update = attempt({ try client.prepareUpdate(tunnel) }) else { break }
                    updates.append(Update(client: client, update: update))
                }
            } else {
                clients[tunnel.name] = attempt {
                    try TunnelClient(
                        tunnel, group: means.group, log: means.log, budget: means.budget,
                        software: means.software, trust: means.trust, succeeding: current)
                }
            }
        }
    }

    // MARK: What only one process can have

    private mutating func prepareWhatIsSingle(
        _ plan: ReloadPlan, _ ground: PreparationGround, _ means: AgentMeans
    ) {
        preparePidfile(plan, ground)
        prepareControlSocket(plan, ground, means)
        prepareAdminSocket(plan, ground)
    }

    private mutating func preparePidfile(_ plan: ReloadPlan, _ ground: PreparationGround) {
        guard let path = plan.result.pidfile else { return }
        // Perhaps under another name.
        if let held = ground.pidfile, held.isAt(path) {
            pidfile = held
        } else {
            pidfile = attempt { try Pidfile(path: path) }
        }
    }

    private mutating func prepareControlSocket(
        _ plan: ReloadPlan, _ ground: PreparationGround, _ means: AgentMeans
    ) {
        if ground.isStart, let place = means.automaticControlSocket {
            do throws(ControlSocketError) {
                try place.prepareFolder()
                automaticControlSocket = try BoundControlSocket(path: place.path)
            } catch {
                // It is a convenience, unless somebody else runs by this file.
                if error.isTaken {
                    faults.append("\(error)")
                } else if plan.result.controlSocket == nil {
                    warnings.append("\(error)")
                }
            }
        }
        guard let path = plan.result.controlSocket else { return }
        if let held = ground.controlSocket, held.isAt(path) {
            controlSocket = held
        } else if automaticControlSocket?.isAt(path) != true {
            controlSocket = attempt { try BoundControlSocket(path: path) }
        }
    }

    private mutating func prepareAdminSocket(_ plan: ReloadPlan, _ ground: PreparationGround) {
        guard let admin = plan.result.admin else { return }
        let before = ground.isStart ? nil : ground.running.admin
        guard before?.host != admin.host || before?.port != admin.port else {
            adminSocket = ground.adminSocket
            return
        }
        adminSocket = reserve(
            "admin.listen", (admin.host, admin.port), besides: [ground.adminSocket].compactMap(\.self), ground
        )
    }

    /// Listens beside the agent that runs by the same file, then has that one let go of what only one can have. It
    /// finishes what it has in flight. From there on there is no way back: what fails is told, and this agent serves.
    private mutating func takeOver(_ plan: ReloadPlan, _ ground: PreparationGround, _ means: AgentMeans) {
        guard let old = means.automaticControlSocket.map({ AdminClient(socketPath: $0.path) }) else { return }
        var isAlone = false
        do throws(AdminClientError) {
            _ = try old.status()
        } catch  where error.isNobodyThere {
            isAlone = true
            warnings.append("there is no agent to take over from")
        } catch {
            faults.append("cannot take over from the agent that runs: \(error)")
        }
        if isAlone { prepareWhatIsSingle(plan, ground, means) }
        listen(ground)
        guard !isAlone, faults.isEmpty else { return }
        do throws(AdminClientError) {
            try old.handOver()
        } catch {
            faults.append("cannot take over from the agent that runs: \(error)")
            return
        }
        prepareWhatIsSingle(plan, ground, means)
        listen(ground)
        warnings += faults
        faults = []
    }
}
