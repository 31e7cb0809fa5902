import AdminAPI
import AgentStatus
import HostSystem
import Logging
import Observability
import Reconciliation
import TunnelConfiguration

/// Carries out what the supervisor's machine decides: starts, changes and ends what the configuration says.
///
/// Events come one after another; what takes long (reading, binding, draining) runs beside and ends in an event.
actor Supervisor {
    typealias Machine = SupervisorMachine
    let means: AgentMeans
    let logger: Logger
    /// Nil when there is no configuration to read anew.
    let file: Agent.ConfigurationFile?
    let notifier: SystemdNotifier
    private var random = SystemRandomNumberGenerator()
    private let events: AsyncStream<Machine.Event>
    nonisolated let mailbox: AsyncStream<Machine.Event>.Continuation
    private(set) var machine: Machine
    let startedAt = UnixTime.now

    // What runs.
    var servers: [String: RunningServer] = [:]
    var tunnels: [String: RunningTunnel] = [:]
    /// What left the configuration, or was replaced, and finishes.
    var leaving = LeavingChildren()
    /// Listeners that broke, and who waits for them to be opened again.
    var repairs: [String: StopSignal] = [:]
    /// Servers and tunnels whose tasks run, the leaving ones included.
    var childCount = 0
    var rates = TrafficRates()

    // What only one process can have.
    var pidfile: Pidfile?
    var control = ControlListeners()
    var watcher: FileWatcher?
    /// What was read last.
    var sources: ConfigurationSources
    /// When reading it began.
    var sourcesReadAt: WatchMoment

    // The reload under way, who waits for one, and the last.
    var preparation: Preparation?
    var reloadRecord = ReloadRecord()
    var lastReload: ReloadSnapshot?
    var waiting: [UInt64: CheckedContinuation<ReloadSnapshot, Never>] = [:]
    var lastTicket: UInt64 = 0
    var plansUnderWay = 0
    var hasHandedOver = false
    var isOver = false

    init(
        _ configuration: AgentConfiguration, means: AgentMeans, notifier: SystemdNotifier,
        file: Agent.ConfigurationFile?
    ) {
        self.means = means
        self.notifier = notifier
        self.file = file
        sources = file?.sources ?? ConfigurationSources()
        sourcesReadAt = file?.readAt ?? WatchMoment.now()
        logger = means.log.makeLogger(label: "agent")
        machine = SupervisorMachine(initial: configuration)
        (events, mailbox) = AsyncStream.makeStream()
    }

    /// Starts everything and runs until it is asked to stop.
    func run() async -> Machine.Outcome {
        await withDiscardingTaskGroup { group in
            var outcome: Machine.Outcome?
            if let first = machine.firstAction { outcome = await perform([first], in: &group) }
            group.addTask { await self.sampleTraffic() }
            group.addTask { await self.keepWatchdogQuiet() }
            group.addTask { await self.returnUnusedMemory() }
            if outcome == nil {
                for await event in events where isStillTrue(event) {
                    outcome = await perform(machine.handle(event, using: &random), in: &group)
                    if outcome != nil { break }
                }
            }
            end()
            group.cancelAll()
            return outcome ?? .stopped
        }
    }

    /// Events wait while others are obeyed: a tunnel that gave up may have been replaced meanwhile.
    private func isStillTrue(_ event: Machine.Event) -> Bool {
        guard case .tunnelGaveUp(let name) = event else { return true }
        return tunnels[name]?.ended.isGiven ?? false
    }

    /// - Returns: how the run ended, when it did.
    private func perform(
        _ actions: [Machine.Action], in group: inout DiscardingTaskGroup
    ) async -> Machine.Outcome? {
        var actions = actions[...]
        while let action = actions.popFirst() {
            switch action {
            case .read(let trigger): read(trigger, in: &group)
            case .prepare(let plan): prepare(plan, in: &group)
            case .discardPreparation: preparation = nil
            case .commit(let plan):
                let isStart = machine.isStarting
                await commit(plan, in: &group)
                actions += machine.handle(.committed, using: &random)
                if isStart { started() }
            case .report(let end): report(end)
            case .scheduleRestart(let server, let attempt, let wait):
                scheduleRestart(server, attempt, after: wait, in: &group)
            case .restart(let server): await listen(server, in: &group)
            case .drain(let grace): drainAll(grace, in: &group)
            case .cut: cutAll()
            case .exit(let outcome): return outcome
            }
        }
        return nil
    }
}
