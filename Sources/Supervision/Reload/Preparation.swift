import AdminAPI
import Glibc
import HostSystem
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
    let pacer: DialPacer
    /// Program and version, as peers are told.
    let software: String
    /// Listening sockets that the process was started with, by name.
    let inherited: [String: ListeningSocket]
    /// The file that the agent runs by; nil when it was started by flags.
    let configurationFile: String?
    /// Whether the start takes the place of an agent that runs by the same file.
    let takesOver: Bool
    /// Where configurations are read and prepared.
    let reloads: Blocking
    /// Where plans are made that somebody wants to see.
    let plans = Blocking()

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
    /// Files of the configuration.
    var sources: [String]
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

    /// Whether another agent has given up its place.
    private(set) var hasTakenOver = false
    /// What another agent has that this one wants; one that is taken over from lets go of it.
    private var taken: [String] = []
    /// Sockets that are bound and do not listen yet.
    private var reserved: [ListeningSocket] = []

    /// Waits for disks and name servers: not for event loops.
    init(_ plan: ReloadPlan, on ground: PreparationGround, with means: AgentMeans) {
        log = attempt { try means.log.prepare(plan.result.log, besides: ground.sources) }
        prepareSockets(plan, ground, means)
        prepareTunnels(plan, ground, means)
        prepareUnique(plan, ground, means)
        guard ground.isStart, means.takesOver else {
            faults += taken
            listen(ground)
            return
        }
        guard faults.isEmpty else { return }
        hasTakenOver = takeOver(plan, ground, means)
        if hasTakenOver {
            taken = []
            prepareUnique(plan, ground, means)
            listen(ground)
            // There is no way back: an agent without these is better than none.
            warnings += faults + taken
            faults = []
        } else if faults.isEmpty {
            faults += taken
            listen(ground)
        }
    }

    /// Why listeners of a plan could not be opened, without opening any: what is bound here and does not listen is in
    /// nobody's way.
    static func listenerFaults(
        _ plan: ReloadPlan, on ground: PreparationGround, with means: AgentMeans
    ) -> [String] {
        var trial = Preparation()
        trial.prepareSockets(plan, ground, means)
        trial.prepareAdminSocket(plan, ground)
        return trial.faults + trial.taken
    }

    private init() {}

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
                do throws(ListenError) {
                    sockets[server.name] = try reserve(
                        "servers[\(server.name)]", (server.host, server.port), reusePort: server.reusePort,
                        besides: leaving, ground)
                } catch {
                    let hint = "--takeover needs reuse-port: true in both, the agent that runs and this one"
                    faults.append(means.takesOver && error.isInUse ? "\(error). \(hint)" : "\(error)")
                }
            case nil: break
            }
        }
        warnOfUnusedSockets(plan, ground, means)
    }

    private mutating func reserve(
        _ purpose: String, _ place: (host: String, port: Int), reusePort: Bool = false,
        besides: [ListeningSocket], _ ground: PreparationGround
    ) throws(ListenError) -> ListeningSocket {
        // One that left a moment ago may not have closed its socket yet.
        let deadline = ContinuousClock.now + (ground.hasLeavingServers ? .seconds(2) : .zero)
        while true {
            do throws(ListenError) {
                let socket = try ListeningSocket.reserve(
                    for: purpose, host: place.host, port: place.port, reusePort: reusePort, besides: besides)
                reserved.append(socket)
                return socket
            } catch {
                guard error.isInUse, ContinuousClock.now < deadline else { throw error }
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
                        software: means.software, trust: means.trust, pacer: means.pacer,
                        succeeding: current)
                }
            }
        }
    }
}

// MARK: - What only one agent can have

extension Preparation {
    /// What is prepared already is left; a second call tries the rest again.
    private mutating func prepareUnique(
        _ plan: ReloadPlan, _ ground: PreparationGround, _ means: AgentMeans
    ) {
        preparePidfile(plan, ground)
        if ground.isStart { prepareAutomaticSocket(plan, means) }
        prepareControlSocket(plan, ground)
        prepareAdminSocket(plan, ground)
    }

    private mutating func preparePidfile(_ plan: ReloadPlan, _ ground: PreparationGround) {
        guard pidfile == nil, let path = plan.result.pidfile else { return }
        // Perhaps under another name.
        if let held = ground.pidfile, held.isAt(path) {
            pidfile = held
            return
        }
        do throws(PidfileError) {
            // A file with a token of digits, or an empty one that is included, would look like a pidfile.
            guard !OutputPath.leads(path, toOneOf: ground.sources) else {
                throw PidfileError(path: path, reason: .configuration)
            }
            pidfile = try Pidfile(path: path)
        } catch {
            note(error, isTaken: error.isTaken)
        }
    }

    private mutating func prepareAutomaticSocket(_ plan: ReloadPlan, _ means: AgentMeans) {
        guard automaticControlSocket == nil, let place = means.automaticControlSocket else { return }
        do throws(ControlSocketError) {
            try place.prepareFolder()
            automaticControlSocket = try BoundControlSocket(path: place.path)
        } catch {
            // It is a convenience, unless somebody else runs by this file.
            if error.isTaken {
                taken.append(error.asSecondAgent)
            } else if plan.result.controlSocket == nil {
                warnings.append("\(error)")
            }
        }
    }

    private mutating func prepareControlSocket(_ plan: ReloadPlan, _ ground: PreparationGround) {
        guard controlSocket == nil, let path = plan.result.controlSocket,
            automaticControlSocket?.isAt(path) != true
        else { return }
        if let held = ground.controlSocket, held.isAt(path) {
            controlSocket = held
            return
        }
        do throws(ControlSocketError) {
            controlSocket = try BoundControlSocket(path: path)
        } catch {
            note(error, isTaken: error.isTaken)
        }
    }

    private mutating func prepareAdminSocket(_ plan: ReloadPlan, _ ground: PreparationGround) {
        guard adminSocket == nil, let admin = plan.result.admin else { return }
        let before = ground.isStart ? nil : ground.running.admin
        guard before?.host != admin.host || before?.port != admin.port else {
            adminSocket = ground.adminSocket
            return
        }
        do throws(ListenError) {
            adminSocket = try reserve(
                "admin.listen", (admin.host, admin.port), besides: [ground.adminSocket].compactMap(\.self),
                ground)
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
    private mutating func takeOver(
        _ plan: ReloadPlan, _ ground: PreparationGround, _ means: AgentMeans
    ) -> Bool {
        // The file may have named another socket when that agent started.
        let paths = [means.automaticControlSocket?.path, plan.result.controlSocket].compactMap(\.self)
        // Where ours stands by now there was nobody.
        let own = [automaticControlSocket?.path, controlSocket?.path]
        for path in paths where !own.contains(path) {
            let agent = AdminClient(socketPath: path)
            do throws(AdminClientError) {
                // One that is stuck keeps its callers: nothing of ours listens yet.
                _ = try agent.status()
                listen(ground)
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
