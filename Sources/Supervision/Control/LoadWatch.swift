import AgentStatus
import HostSystem
import Logging
import NIOPosix
import Observability
import Reconciliation
import TunnelClient
import TunnelConfiguration
import TunnelServer
import TunnelTransport

/// Looks at what the agent uses of what it has, and has everybody take less where that is too much. `LoadMachine` decides.
@AgentActor final class LoadWatch: AgentService {
    /// Between two times that what is idle is asked to give back what it keeps.
    private static let patience: Duration = .seconds(5)
    /// Tunnels that are asked before others have their turn.
    private static let tunnelsAtOnce = 256

    private let means: AgentMeans
    private let logger: Logger
    private let servers: RunningServers
    private let tunnels: RunningTunnels
    private var rules = LoadShedding.off
    private var machine = LoadMachine()
    private var meter = LoadMeter()
    private var probes: [LoopDelayProbe] = []
    private var since = UnixTime.now
    /// As the log was told.
    private var told = LoadStage.none
    private var askedAt: ContinuousClock.Instant?

    init(_ means: AgentMeans, logger: Logger, servers: RunningServers, tunnels: RunningTunnels) {
        self.means = means
        self.logger = logger
        self.servers = servers
        self.tunnels = tunnels
    }

    func apply(_ plan: ReloadPlan, _ preparation: Preparation, in group: inout DiscardingTaskGroup) {
        let rules = plan.result.loadShedding
        guard rules != self.rules else { return }
        self.rules = rules
        if rules.loopDelay == nil || probes.isEmpty {
            for probe in probes { probe.stop() }
            probes = rules.loopDelay == nil ? [] : means.group.makeIterator().map { LoopDelayProbe(on: $0) }
        }
        meter = LoadMeter()
        let hasChanged = machine.reset()
        obey()
        if hasChanged { tell() }
    }

    /// What there is to tell; nil where nothing is looked at.
    var snapshot: LoadSnapshot? {
        guard rules.isOn else { return nil }
        return LoadSnapshot(
            stage: machine.stage.rawValue,
            cause: machine.stage == .none ? nil : machine.cause?.resource.rawValue, since: since,
            isEnforced: rules.isEnforced,
            measures: machine.measures.map {
                LoadSnapshot.Measure(name: $0.resource.rawValue, used: $0.used, limit: $0.limit)
            })
    }

    /// Looks again and again until the task is cancelled.
    func run() async {
        while (try? await Task.sleep(for: LoadMachine.interval)) != nil {
            guard rules.isOn else { continue }
            let (rules, before) = (rules, meter)
            let delay = probes.map { $0.take() }.max() ?? .zero
            let looked = await means.looks.run {
                var meter = before
                let measures = meter.measure(rules, loopDelay: delay)
                return (meter, measures)
            }
            // Those of other rules mean nothing any more.
            guard let (meter, measures) = looked, rules == self.rules else { continue }
            self.meter = meter
            let hasChanged = machine.look(measures, now: .now)
            obey()
            if hasChanged { tell() }
            await giveBack()
        }
    }

    /// The stage has changed, and is in force.
    private func tell() {
        since = UnixTime.now
        let fields: LogFields = [
            .loadStage: .stringConvertible(machine.stage.rawValue),
            .loadCause: "\(machine.cause?.resource.rawValue ?? "none")",
            .loadUsed: .stringConvertible(machine.cause?.used ?? 0),
            .loadLimit: .stringConvertible(machine.cause?.limit ?? 0),
        ]
        let message = rules.isEnforced ? "Load shedding" : "Load shedding, not enforced"
        let detail =
            machine.stage == .none
            ? "over" : "stage \(machine.stage.rawValue), \(machine.cause?.resource.rawValue ?? "")"
        logger.tell(
            .loadShed, machine.stage > told ? .warning : .notice, message, metadata: fields, detail: detail)
        if machine.stage > told { askedAt = nil }
        told = machine.stage
    }

    /// Tells those whom the stage concerns.
    private func obey() {
        means.gauge.stage = rules.isEnforced ? machine.stage : .none
        means.budget.isSqueezed = means.gauge.stage > .none && machine.isFor(.memory)
    }

    /// Before anybody is refused: idle connections of callers, and where memory or descriptors run short also what else is
    /// idle. Where event loops are late, that would be more to do, and comes last.
    private func giveBack() async {
        let stage = means.gauge.stage
        guard stage > .none else {
            askedAt = nil
            return
        }
        if let askedAt, .now - askedAt < Self.patience { return }
        askedAt = .now
        let servers = servers.all.map(\.server)
        for server in servers { server.shed() }
        guard stage == .givesBack || machine.isFor(.memory) || machine.isFor(.descriptors) else { return }
        for server in servers { server.giveBackMemory() }
        for (index, tunnel) in tunnels.all.enumerated() {
            tunnel.client.giveBackMemory()
            if index % Self.tunnelsAtOnce == Self.tunnelsAtOnce - 1 {
                try? await Task.sleep(for: .milliseconds(1))
            }
        }
        // They do so on their event loops, before the next look decides whether that was enough.
        try? await Task.sleep(for: LoadMachine.interval / 5)
        guard stage == .givesBack || machine.isFor(.memory) else { return }
        _ = await means.looks.run { SpareMemory.returnAll() }
    }
}
