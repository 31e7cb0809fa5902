import AgentStatus
import History
import HostSystem
import Observability
import Reconciliation
import Routing
import TunnelClient
import TunnelConfiguration
import Webhooks

/// What runs, as far as a preparation has to know it.
struct PreparationGround: Sendable {
    var running: AgentConfiguration
    var sockets: [String: ListeningSocket]
    var tunnels: [String: TunnelClient]
    /// Those that were replaced and stay until their successor is up.
    var predecessors: [String: [TunnelClient]]
    /// Whether a server that left may still hold its port for a moment.
    var hasLeavingServers: Bool
    var exclusives: ExclusiveResources
    /// Files of the configuration.
    var sources: [String]
    /// Whether nothing runs yet.
    var isStart: Bool
}

/// Everything of a plan that can fail, done: listeners bound, certificates loaded, files opened. Nothing of it
/// shows yet; dropped, it leaves no trace.
struct Preparation: Sendable {
    /// What holds for all changes of a plan.
    struct Terms: Sendable {
        /// For what is in flight where something leaves.
        let grace: Duration
        /// Whether nothing ran before.
        let isStart: Bool
        /// What an agent has told that has given up its place; nil where none has.
        let takenOver: TakenOver?
        /// Whom it had shut out.
        var bansTakenOver: [BanSnapshot]? { takenOver?.bans }
    }

    /// What an agent knows that whoever takes its place goes on with.
    struct TakenOver: Sendable {
        var bans: [BanSnapshot]
        var succession: SuccessionSnapshot
    }

    let terms: Terms
    /// In the plan's order: what comes and what changes, then what goes.
    let servers: [PreparedServer]
    let tunnels: [PreparedTunnel]
    let exclusives: ExclusiveResources
    let log: LogChange
    /// Where the bytes of the month are kept, and what is there already; nil where they are not.
    let usage: (file: UsageFile, content: MonthlyUsage)?
    /// Where spans go; nil where they go nowhere, or where they go already.
    let tracing: PreparedTracing?
    /// All of them; nil where they are as before.
    let webhooks: [PreparedWebhook]?
}

/// What stands against a plan, as far as it was found out.
struct Findings: Sendable {
    /// Why the plan cannot be carried out, all reasons.
    var faults: [String] = []
    /// What is wrong and no reason to refuse the plan.
    var warnings: [String] = []
    /// What another agent has that this one wants; one that is taken over from lets go of it.
    var taken: [String] = []

    mutating func add(_ error: any Error, isTaken: Bool = false) {
        if isTaken { taken.append("\(error)") } else { faults.append("\(error)") }
    }

    mutating func attempt<Value>(_ work: () throws -> Value) -> Value? {
        do {
            return try work()
        } catch {
            add(error)
            return nil
        }
    }

    mutating func attempt<Value>(of place: String, _ work: () throws -> Value) -> Value? {
        do {
            return try work()
        } catch {
            faults.append("\(place): \(error)")
            return nil
        }
    }

    /// Nobody lets go of what is taken.
    mutating func refuseWhatIsTaken() {
        faults += taken
        taken = []
    }
}

/// Prepares a plan. Waits for disks and name servers: not for event loops.
struct Preparer: Sendable {
    let plan: ReloadPlan
    let ground: PreparationGround
    let means: AgentMeans
    var findings = Findings()
    var reserved = ReservedSockets()

    init(_ plan: ReloadPlan, on ground: PreparationGround, with means: AgentMeans) {
        self.plan = plan
        self.ground = ground
        self.means = means
    }

    /// - Returns: nil when the plan cannot be carried out.
    mutating func prepare() -> Preparation? {
        let log = findings.attempt { try means.log.prepare(plan.result.log, besides: ground.sources) }
        let servers = prepareServers()
        let tunnels = prepareTunnels()
        let usage = prepareUsage()
        let tracing = prepareTracing()
        let webhooks = prepareWebhooks()
        checkHistory()
        var exclusives = ExclusiveResources()
        prepare(&exclusives)
        let takesOver = ground.isStart && means.takesOver
        let takenOver = takesOver && findings.faults.isEmpty ? takeOver(besides: exclusives) : nil
        if takenOver != nil {
            findings.taken = []
            prepare(&exclusives)
            listen()
            // There is no way back: an agent without these is better than none.
            findings.warnings += findings.faults + findings.taken
            findings.faults = []
        } else if !takesOver || findings.faults.isEmpty {
            findings.refuseWhatIsTaken()
            listen()
        }
        guard findings.faults.isEmpty, let log else { return nil }
        return Preparation(
            terms: Preparation.Terms(
                grace: plan.result.shutdownGrace, isStart: ground.isStart, takenOver: takenOver),
            servers: servers, tunnels: tunnels, exclusives: exclusives, log: log, usage: usage,
            tracing: tracing, webhooks: webhooks)
    }

    private mutating func prepareUsage() -> (file: UsageFile, content: MonthlyUsage)? {
        guard let path = plan.result.usageFile else { return nil }
        let file = UsageFile(path: path)
        guard let content = findings.attempt({ try file.load() }) else { return nil }
        let month = UsageMonth(unixTime: UnixTime.now).description
        if content.month > month {
            findings.warnings.append(
                "usage-file: \(path) counts the bytes of \(content.month), and it is \(month): nobody begins anew before that is over — set the clock, or remove the file"
            )
        }
        return (file, content)
    }

    /// Whether it can be written is no reason to refuse a plan: until it can be, the latest is kept in memory. An empty file
    /// that is included would become a history.
    private mutating func checkHistory() {
        guard let path = plan.result.history?.file else { return }
        guard !OutputPath.leads(path, toOneOf: ground.sources) else {
            findings.faults.append(
                "history.file: \(path) is a file of the configuration — give the history a file of its own")
            return
        }
        // Of the start, and of what is as before, the log tells.
        guard !ground.isStart, plan.result.history != ground.running.history,
            let obstacle = HistoryPlace.obstacle(at: path)
        else { return }
        findings.warnings.append("history.file: \(obstacle); until then the latest is kept in memory")
    }

    /// What stands against a plan, without carrying any of it out: what is bound here and does not listen is in nobody's way.
    /// What would change something is not tried: the log, pidfile and control socket.
    static func trial(
        _ plan: ReloadPlan, on ground: PreparationGround, with means: AgentMeans
    ) -> Findings {
        var trial = Preparer(plan, on: ground, with: means)
        _ = trial.prepareServers()
        _ = trial.prepareTunnels()
        _ = trial.prepareUsage()
        _ = trial.prepareTracing()
        _ = trial.prepareWebhooks()
        trial.checkHistory()
        _ = trial.prepareAdminSocket()
        trial.prepareAdminTLS()
        trial.findings.refuseWhatIsTaken()
        return trial.findings
    }
}
