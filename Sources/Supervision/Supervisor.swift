import AgentStatus
import Glibc
import History
import HostSystem
import Logging
import Observability
import Reconciliation
import TunnelConfiguration
import TunnelServer

/// Where the supervisor and its parts decide, one after another.
@globalActor actor AgentActor {
    static let shared = AgentActor()
}

/// Carries out what the supervisor's machine decides: has its parts start, change and end what the configuration says.
///
/// Events come one after another; what takes long (reading, binding, draining) runs beside and ends in an event.
@AgentActor final class Supervisor {
    typealias Machine = SupervisorMachine
    typealias Mailbox = AsyncStream<Machine.Event>.Continuation

    /// How far the end has come.
    private enum Phase {
        case serving
        /// Another process has what only one can have.
        case handedOver
        case over
    }

    /// What webhooks have yet to tell may take so long at the end; below what the last resort leaves where there is no time.
    private static let farewell: Duration = .milliseconds(800)
    private static let lastWord: Duration = .milliseconds(300)

    let means: AgentMeans
    let logger: Logger
    private let notifier: SystemdNotifier
    private var random = SystemRandomNumberGenerator()
    private let events: AsyncStream<Machine.Event>
    nonisolated let mailbox: Mailbox
    var machine: Machine
    let startedAt = UnixTime.now
    private var phase = Phase.serving

    private let children = Children()
    let servers: RunningServers
    let tunnels: RunningTunnels
    let presence: AgentPresence
    let configuration: ConfigurationWatch
    let reloads: Reloads
    /// What goes on beside servers and tunnels, in the order in which it comes to an end.
    private let services: [any AgentService]
    let load: LoadWatch
    let logLevel: LogLevelControl
    let tracing: SpanExporter
    let webhooks: WebhookKeeper
    /// Whether what was in flight is cut.
    private var isCut = false
    let history: HistoryKeeper
    private lazy var control = SupervisorControl(supervisor: self)
    private(set) var rates = TrafficRates()
    let metrics: MetricsDesk

    init(
        _ configuration: AgentConfiguration, means: AgentMeans, notifier: SystemdNotifier,
        file: Agent.ConfigurationFile?
    ) {
        self.means = means
        self.notifier = notifier
        logger = means.log.makeLogger(label: "agent")
        machine = SupervisorMachine(initial: configuration, tagKey: .random(in: .min ... .max))
        (events, mailbox) = AsyncStream.makeStream()
        servers = RunningServers(means, logger: logger, children: children, mailbox: mailbox)
        tunnels = RunningTunnels(children: children, mailbox: mailbox)
        presence = AgentPresence(means, logger: logger)
        self.configuration = ConfigurationWatch(file, logger: logger)
        reloads = Reloads(logger: logger)
        history = HistoryKeeper(means.log)
        load = LoadWatch(means, logger: logger, servers: servers, tunnels: tunnels)
        logLevel = LogLevelControl(means, logger: logger)
        metrics = MetricsDesk(means)
        tracing = SpanExporter(means, logger: logger)
        webhooks = WebhookKeeper(means)
        services = [
            UsageKeeper(means.usage, logger: logger), load, CertificateWatch(logger: logger), metrics,
            tracing, history, webhooks,
        ]
    }

    /// Starts everything and runs until it is asked to stop.
    func run() async -> Machine.Outcome {
        await withDiscardingTaskGroup { group in
            var outcome: Machine.Outcome?
            if let first = machine.firstAction { outcome = await perform([first], in: &group) }
            group.addTask { await self.sampleTraffic() }
            group.addTask { await self.notifier.keepWatchdogQuiet { await self.showLife() } }
            group.addTask { await self.returnUnusedMemory() }
            for service in services { group.addTask { await service.run() } }
            group.addTask { await self.tellTotals() }
            if outcome == nil {
                for await event in events where isStillTrue(event) {
                    outcome = await perform(machine.handle(event, using: &random), in: &group)
                    if outcome != nil { break }
                }
            }
            await refreshMeasures()
            history.add(totals)
            for service in services { await service.finish(within: isCut ? Self.lastWord : Self.farewell) }
            end()
            group.cancelAll()
            return outcome ?? .stopped
        }
    }

    /// Events wait while others are obeyed: a tunnel that gave up may have been replaced meanwhile.
    private func isStillTrue(_ event: Machine.Event) -> Bool {
        guard case .tunnelGaveUp(let name) = event else { return true }
        return tunnels.hasEnded(name)
    }

    /// - Returns: how the run ended, when it did.
    private func perform(
        _ actions: [Machine.Action], in group: inout DiscardingTaskGroup
    ) async -> Machine.Outcome? {
        var actions = actions[...]
        while let action = actions.popFirst() {
            switch action {
            case .read(let trigger): read(trigger, in: &group)
            case .recall(let former):
                reloads.began(.rollback)
                notifier.reloading()
                mailbox.yield(.configurationRead(former))
            case .prepare(let plan): prepare(plan, in: &group)
            case .discardPreparation: reloads.discardPreparation()
            case .commit(let plan):
                let isStart = machine.isStarting
                await commit(plan, in: &group)
                actions += machine.handle(.committed, using: &random)
                if isStart { started() }
            case .report(let end):
                reloads.ended(end, isStopping: machine.isStopping)
                let goesOn = end.refusal != nil && machine.isReloading
                if !machine.isStopping, !goesOn { notifier.reloaded(status: statusLine) }
            case .scheduleRestart(let server, let attempt, let wait):
                scheduleRestart(server, attempt, after: wait, in: &group)
            case .restart(let server): await servers.listen(server, in: &group)
            case .drain(let grace): drain(grace, in: &group)
            case .cut: cut()
            case .exit(let outcome): return outcome
            }
        }
        return nil
    }

    // MARK: A reload: read, plan, prepare, commit. The start is the same from the plan on.

    private func read(_ trigger: ReloadRequest.Trigger, in group: inout DiscardingTaskGroup) {
        reloads.began(trigger)
        notifier.reloading()
        guard let file = configuration.file else {
            // Started by flags: there is no file, but the log is opened anew.
            mailbox.yield(.configurationRead(machine.running))
            return
        }
        group.addTask {
            let began = WatchMoment.now()
            if let report = await self.means.reloads.run(file.load) { await self.wasRead(report, began) }
        }
    }

    private func wasRead(_ report: ConfigurationReport, _ began: WatchMoment) {
        configuration.wasRead(report.sources, at: began)
        reloads.wasRead(report)
        mailbox.yield(report.configuration.map { .configurationRead($0) } ?? .configurationRefused)
    }

    /// What runs, as far as a preparation has to know it.
    var ground: PreparationGround {
        PreparationGround(
            running: machine.running, sockets: servers.sockets, tunnels: tunnels.clients,
            predecessors: tunnels.predecessors, hasLeavingServers: servers.areLeaving,
            exclusives: presence.held, sources: configuration.sources.files, isStart: machine.isStarting)
    }

    private func prepare(_ plan: ReloadPlan, in group: inout DiscardingTaskGroup) {
        let (ground, means) = (ground, means)
        group.addTask {
            let (preparation, findings) = await means.reloads.runToTheEnd {
                var preparer = Preparer(plan, on: ground, with: means)
                return (preparer.prepare(), preparer.findings)
            }
            await self.wasPrepared(preparation, findings)
        }
    }

    private func wasPrepared(_ preparation: Preparation?, _ findings: Findings) {
        // Dropped, it leaves no trace.
        guard phase != .over else { return }
        reloads.wasPrepared(preparation, findings) { fault in
            if machine.isStarting {
                means.log.cannotStart(fault, logger)
            } else {
                logger.error("Cannot apply the configuration", metadata: [.errorMessage: "\(fault)"])
            }
        }
        mailbox.yield(preparation == nil ? .preparationFailed : .prepared)
    }

    /// Puts a prepared plan into force: what comes, what changes, then what goes.
    private func commit(_ plan: ReloadPlan, in group: inout DiscardingTaskGroup) async {
        guard let preparation = reloads.takePreparation() else { return }
        means.log.commit(preparation.log)
        for service in services { service.apply(plan, preparation, in: &group) }
        let terms = preparation.terms
        if let succession = terms.takenOver?.succession {
            machine.takeOver(succession.paused)
            means.blocked.takeOver(succession)
        }
        for change in preparation.servers where !change.isEnd {
            await servers.apply(change, terms, machine.pauses, in: &group)
        }
        for change in preparation.tunnels { tunnels.apply(change, terms, machine.pauses, in: &group) }
        for change in preparation.servers where change.isEnd {
            await servers.apply(change, terms, machine.pauses, in: &group)
        }
        await presence.apply(
            preparation.exclusives, admin: plan.result.admin, control: control, in: &group)
        let mailbox = mailbox
        configuration.apply(isWanted: plan.result.watch, in: &group) {
            mailbox.yield(.reloadRequested(ReloadRequest(.watch)))
        }
    }

    /// The first configuration is in force.
    private func started() {
        logger.tell(
            .agentStarted, .info, "Agent running",
            metadata: [
                .processID: .stringConvertible(getpid()), .softwareVersion: "\(means.software)",
                .serverCount: .stringConvertible(servers.count),
                .tunnelCount: .stringConvertible(tunnels.count),
            ],
            detail: "\(means.software), \(servers.count) servers, \(tunnels.count) tunnels")
        notifier.ready(status: statusLine)
    }

    /// A line for service supervisors.
    private var statusLine: String {
        let outcome = reloads.last?.outcome == .refused ? "; the last reload was refused" : ""
        return
            "generation \(machine.generation): \(servers.count) servers, \(tunnels.count) tunnels\(outcome)"
    }

    /// - Parameter plans: those that may be carried out; nil for any.
    func reloadNow(
        _ trigger: ReloadRequest.Trigger = .api, _ plans: Set<String>? = nil
    ) async -> Reloads.End {
        guard phase != .over else {
            return Reloads.End(Reloads.refusalAtTheEnd(generation: machine.generation))
        }
        return await reloads.wait {
            mailbox.yield(.reloadRequested(ReloadRequest(trigger, ticket: $0, plans: plans)))
        }
    }

    private func scheduleRestart(
        _ server: String, _ attempt: UInt64, after wait: Duration, in group: inout DiscardingTaskGroup
    ) {
        let mailbox = mailbox
        group.addTask {
            guard (try? await Task.sleep(for: wait)) != nil else { return }
            mailbox.yield(.restartDue(server: server, attempt: attempt))
        }
    }

    // MARK: While it runs

    /// Signs of life are given for as long as events are obeyed.
    private func showLife() {}

    /// Notes how much was carried, again and again, so that a status can tell how fast.
    private func sampleTraffic() async {
        while (try? await Task.sleep(for: TrafficRates.interval)) != nil {
            await refreshMeasures()
            rates.add(servers: servers.requests, tunnels: tunnels.requests, at: .now)
        }
    }

    /// Has servers and tunnels say what they have carried so far.
    func refreshMeasures() async {
        async let asked: Void = servers.refreshMeasures()
        await tunnels.refreshMeasures()
        await asked
    }

    /// Looks now and then whether the allocator keeps what others need.
    private func returnUnusedMemory() async {
        SpareMemory.keepFreed()
        var memory = SpareMemory()
        while (try? await Task.sleep(for: SpareMemory.interval)) != nil {
            let before = memory
            // Off the threads of tasks, and on one that is there.
            memory = await means.reloads.run { before.looked() } ?? memory
        }
    }

    // MARK: The end

    /// Has everything finish.
    private func drain(_ grace: Duration, in group: inout DiscardingTaskGroup) {
        logger.tell(
            .agentStopping, .notice, "Stopping: requests in flight are finished; a second signal ends them",
            metadata: [.graceMilliseconds: .milliseconds(grace)])
        notifier.stopping(status: "finishing what is in flight")
        armLastResort(after: grace)
        let (servers, tunnels) = (servers.all, tunnels.all)
        for server in servers { server.finish() }
        group.addTask {
            // The last requests of our own servers may be for our own tunnels.
            for server in servers { await server.quiet.wait() }
            for tunnel in tunnels { tunnel.finish() }
        }
        let (logger, mailbox) = (logger, mailbox)
        group.addTask {
            guard (try? await Task.sleep(for: grace)) != nil else { return }
            logger.warning("The grace is over: what is still in flight is cut", metadata: [:])
            mailbox.yield(.graceOver)
        }
        children.whenNone { mailbox.yield(.everythingEnded) }
    }

    private func cut() {
        isCut = true
        armLastResort(after: .zero)
        for server in servers.all { server.cut() }
        for tunnel in tunnels.all {
            tunnel.finish()
            tunnel.cut()
        }
    }

    private func armLastResort(after time: Duration) {
        let (log, logger, held) = (means.log, logger, presence.held)
        LastResort.arm(after: time, exitCode: machine.isStoppingAsAsked ? 0 : 1) {
            logger.warning("The end took too long: what is left is given up", metadata: [:])
            held.remove()
            // It may be the disk that the end hangs on.
            log.close(timeout: .milliseconds(200))
        }
    }

    /// Lets another process take this one's place.
    ///
    /// - Returns: false when it has ended, or has done so before.
    func handOver() async -> Bool {
        guard phase == .serving else { return false }
        phase = .handedOver
        logger.notice("Handing over to another process: requests in flight are finished", metadata: [:])
        // A second request to stop would cut what is in flight.
        if !machine.isStopping { mailbox.yield(.stopRequested) }
        // The other process binds its port next.
        await presence.handOver()
        return true
    }

    /// Lets go of everything, when the run is over.
    private func end() {
        phase = .over
        presence.end()
        configuration.end()
        reloads.refuseAll(generation: machine.generation)
    }
}
