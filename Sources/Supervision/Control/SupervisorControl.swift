import AdminAPI
import AgentStatus
import Glibc
import History
import HostSystem
import Observability
import Reconciliation
import TunnelClient
import TunnelConfiguration
import TunnelServer

/// What the admin API asks, asked of the supervisor.
@AgentActor final class SupervisorControl: AgentControl {
    private static let mostPlans = 4
    /// Each may look at a password, one after another: who asks has ten seconds of patience.
    private static let mostExplanations = 8
    private static let rolledBack =
        "what runs was rolled back to, and is not what the file said: this is the way from there to the file"

    let supervisor: Supervisor
    nonisolated let events: Feed<AgentEvent>
    nonisolated let requests: Feed<EndedRequest>
    nonisolated let logs: LogFeed
    private var plansUnderWay = 0
    private var explanationsUnderWay = 0

    init(supervisor: Supervisor) {
        self.supervisor = supervisor
        self.events = supervisor.means.log.events.feed
        self.requests = supervisor.means.log.requests
        self.logs = supervisor.means.log.logs
    }

    @AgentActor func reload() async -> ReloadSnapshot { await supervisor.reloadNow().snapshot }

    @AgentActor func handOver() async -> Bool { await supervisor.handOver() }

    @AgentActor func bans() -> [BanSnapshot] {
        supervisor.servers.bans.sorted {
            ($0.server, $0.secondsLeft, $0.address) < ($1.server, $1.secondsLeft, $1.address)
        }
    }

    @AgentActor func history(_ query: HistoryQuery) async throws(ActionError) -> HistoryPage {
        try await supervisor.history.page(query)
    }

    @AgentActor func unban(_ address: String?) -> Int { supervisor.servers.unban(address) }

    @AgentActor func explain(
        _ query: ExplanationQuery
    ) async throws(ActionError) -> ExplanationSnapshot {
        guard explanationsUnderWay < Self.mostExplanations else {
            throw ActionError(503, "several requests are being explained already — ask again")
        }
        explanationsUnderWay += 1
        defer { explanationsUnderWay -= 1 }
        let servers = supervisor.servers.listening(of: supervisor.machine.running.servers)
        let tunnels = supervisor.machine.running.tunnels
        let result = await supervisor.means.explanations.run {
            () -> Result<ExplanationSnapshot, ActionError> in
            do throws(ActionError) {
                return .success(try Explanations.explanation(of: query, by: servers, tunnels))
            } catch {
                return .failure(error)
            }
        }
        guard let result else { throw ActionError(503, "the agent is stopping") }
        return try result.get()
    }

    @AgentActor func plan() async -> PlanReport {
        guard let file = supervisor.configuration.file else { return PlanReport(plan: PlanSnapshot()) }
        // Who asks and leaves must not leave a row of readings behind.
        guard plansUnderWay < Self.mostPlans else {
            return PlanReport(plan: nil, errors: ["several plans are being made already — ask again"])
        }
        plansUnderWay += 1
        defer { plansUnderWay -= 1 }
        let means = supervisor.means
        guard let report = await means.plans.run(file.load) else {
            return PlanReport(plan: nil, errors: ["the agent is stopping"])
        }
        let plan = report.configuration.map {
            ReloadPlan(running: supervisor.machine.running, desired: $0)
        }
        var findings = Findings()
        if let plan {
            let ground = supervisor.ground
            findings = await means.plans.run { Preparer.trial(plan, on: ground, with: means) } ?? findings
        }
        let errors = report.lines(.error) + findings.faults
        let machine = supervisor.machine
        return PlanReport(
            plan: errors.isEmpty ? plan?.snapshot : nil,
            etag: errors.isEmpty ? report.configuration.map { machine.tag(of: $0).text } : nil,
            paused: machine.pauses.all, errors: errors,
            warnings: report.lines(.warning) + findings.warnings
                + (machine.isRolledBack ? [Self.rolledBack] : []))
    }

    @AgentActor func metrics(_ question: MetricsQuestion) async -> MetricsAnswer? {
        await supervisor.metrics.answer(question, of: supervisor)
    }

    @AgentActor func snapshot(ofTunnel tunnel: String?, most: Int) async -> AgentSnapshot {
        async let asked: Void = supervisor.servers.refreshMeasures()
        await TunnelClient.refreshMeasures(of: supervisor.tunnels.entries().prefix(most).map(\.client))
        await asked
        // All that is told is of now: there may have been a reload meanwhile.
        let entries = supervisor.tunnels.entries()
        let (means, machine) = (supervisor.means, supervisor.machine)
        var snapshot = AgentSnapshot(
            software: means.software, processID: Int(getpid()), configurationFile: means.configurationFile,
            phase: machine.phase, startedAt: supervisor.startedAt, takenAt: UnixTime.now,
            generation: machine.generation, lastReload: supervisor.reloads.last,
            load: supervisor.load.snapshot,
            servers: servers(tunnel.map { .tunnel($0) } ?? .all),
            tunnels: entries.prefix(most).map(snapshot))
        if entries.count > most { snapshot.moreTunnels = entries.count - most }
        snapshot.isRolledBack = machine.isRolledBack
        snapshot.paused = machine.pauses.all
        snapshot.blockedTokens = means.blocked.count
        snapshot.logLevel = supervisor.logLevel.snapshot
        snapshot.tracing = supervisor.tracing.snapshot
        snapshot.webhooks = supervisor.webhooks.snapshots
        snapshot.history = supervisor.history.snapshot
        return snapshot
    }
}

extension SupervisorMachine {
    var phase: AgentSnapshot.Phase {
        if isStopping { return .stopping }
        if isStarting { return .starting }
        return isReloading ? .reloading : .running
    }
}
