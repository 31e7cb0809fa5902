import AgentStatus
import Glibc
import HostSystem
import Logging
import Observability
import Reconciliation
import TunnelClient
import TunnelConfiguration

/// A reload: read, plan, prepare, commit. The start is the same from the plan on.
extension Supervisor {
    func read(_ trigger: ReloadRequest.Trigger, in group: inout DiscardingTaskGroup) {
        // A file that others write beside the configuration may ask again and again; its reloads that change nothing
        // must not fill a log, least of all one in that folder.
        logger.log(
            level: trigger == .watch ? .debug : .info, "Reload",
            metadata: [LogKey.reloadTrigger.rawValue: "\(trigger.rawValue)"])
        notifier.reloading()
        reloadRecord = ReloadRecord()
        guard let file else {
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
        reloadRecord.add(report)
        sources = report.sources
        sourcesReadAt = began
        watcher?.watch(watchedPaths, readAt: began)
        for problem in report.problems {
            switch problem.severity {
            case .error:
                logger.error("Configuration error", metadata: [.errorMessage: "\(problem)"])
            case .warning:
                logger.warning("Configuration warning", metadata: [.errorMessage: "\(problem)"])
            }
        }
        guard let configuration = report.configuration else {
            mailbox.yield(.configurationRefused)
            return
        }
        mailbox.yield(.configurationRead(configuration))
    }

    /// What runs, as far as a preparation has to know it.
    var ground: PreparationGround {
        var predecessors: [String: [TunnelClient]] = [:]
        for (name, running) in leaving.tunnels.values {
            predecessors[name, default: []].append(running.client)
        }
        return PreparationGround(
            running: machine.running, sockets: servers.mapValues(\.socket),
            tunnels: tunnels.mapValues(\.client), predecessors: predecessors,
            hasLeavingServers: !leaving.servers.isEmpty, pidfile: pidfile, controlSocket: control.socket,
            adminSocket: control.adminSocket, sources: sources.files, isStart: machine.isStarting)
    }

    func prepare(_ plan: ReloadPlan, in group: inout DiscardingTaskGroup) {
        let (ground, means) = (ground, means)
        group.addTask {
            let preparation = await means.reloads.runToTheEnd {
                Preparation(plan, on: ground, with: means)
            }
            await self.wasPrepared(preparation)
        }
    }

    private func wasPrepared(_ preparation: Preparation) {
        // Dropped, it leaves no trace.
        guard !isOver else { return }
        reloadRecord.add(preparation)
        for fault in preparation.faults {
            if machine.isStarting {
                means.log.cannotStart(fault, logger)
            } else {
                logger.error("Cannot apply the configuration", metadata: [.errorMessage: "\(fault)"])
            }
        }
        for warning in preparation.warnings {
            logger.warning("Configuration warning", metadata: [.errorMessage: "\(warning)"])
        }
        self.preparation = preparation.faults.isEmpty ? preparation : nil
        mailbox.yield(preparation.faults.isEmpty ? .prepared : .preparationFailed)
    }

    /// Puts a prepared plan into force: what comes, what changes, then what goes.
    func commit(_ plan: ReloadPlan, in group: inout DiscardingTaskGroup) async {
        guard let preparation else { return }
        self.preparation = nil
        if let change = preparation.log { means.log.commit(change) }
        let grace = plan.result.shutdownGrace
        for change in plan.servers where change.specification != nil {
            await carryOut(change, preparation, grace: grace, in: &group)
        }
        for change in plan.tunnels { carryOut(change, preparation, grace: grace, in: &group) }
        for update in preparation.updates { update.client.apply(update.update) }
        for change in plan.servers where change.specification == nil {
            await carryOut(change, preparation, grace: grace, in: &group)
        }
        if pidfile !== preparation.pidfile {
            pidfile?.remove()
            pidfile = preparation.pidfile
        }
        await commitControl(plan, preparation, in: &group)
        commitWatch(plan, in: &group)
    }

    // MARK: Ends

    /// The first configuration is in force.
    func started() {
        logger.info(
            "Agent running",
            metadata: [
                .processID: .stringConvertible(getpid()), .softwareVersion: "\(means.software)",
                .serverCount: .stringConvertible(servers.count),
                .tunnelCount: .stringConvertible(tunnels.count),
            ])
        notifier.ready(status: statusLine)
    }

    func report(_ end: Machine.ReloadEnd) {
        let record = reloadRecord
        let snapshot = ReloadSnapshot(
            trigger: end.trigger.rawValue, finishedAt: UnixTime.now,
            durationMilliseconds: record.duration / .milliseconds(1), outcome: end.outcome,
            generation: end.generation, plan: end.plan?.snapshot ?? PlanSnapshot(),
            errors: machine.isStopping ? ["the agent is stopping"] : record.errors,
            warnings: record.warnings)
        if !machine.isStopping {
            log(snapshot, after: lastReload)
            lastReload = snapshot
            notifier.reloaded(status: statusLine)
        }
        for ticket in end.tickets { waiting.removeValue(forKey: ticket)?.resume(returning: snapshot) }
    }

    private func log(_ reload: ReloadSnapshot, after previous: ReloadSnapshot?) {
        let fields: LogFields = [
            .reloadTrigger: "\(reload.trigger)", .generation: .stringConvertible(reload.generation),
            .durationMilliseconds: .stringConvertible(reload.durationMilliseconds),
        ]
        for note in reload.plan.notes {
            logger.warning("A change takes a restart", metadata: [.errorMessage: "\(note)"])
        }
        for action in reload.plan.actions where reload.outcome == .applied {
            logger.info(
                "Reload action",
                metadata: [
                    .reloadAction: "\(action.verb.rawValue) \(action.kind.rawValue) \(action.name)",
                    .reloadChanges: "\(action.changes.joined(separator: " "))",
                ])
        }
        switch reload.outcome {
        case .applied: logger.notice("Configuration applied", metadata: fields)
        case .unchanged:
            let isWatched = reload.trigger == ReloadRequest.Trigger.watch.rawValue
            logger.log(
                level: isWatched ? .debug : .notice, "No changes in the configuration",
                metadata: Logger.Metadata(fields))
        case .refused:
            logger.error("Configuration not applied: what ran before runs on", metadata: fields)
        }
        // Whoever hears of refusals hears that they are over.
        if previous?.outcome == .refused, reload.outcome != .refused {
            logger.error(
                "The configuration is good again", metadata: [.reloadTrigger: "\(reload.trigger)"])
        }
    }

    /// A line for service supervisors.
    var statusLine: String {
        let outcome = lastReload?.outcome == .refused ? "; the last reload was refused" : ""
        return
            "generation \(machine.generation): \(servers.count) servers, \(tunnels.count) tunnels\(outcome)"
    }

    /// Lets go of everything, when the run is over.
    func end() {
        isOver = true
        pidfile?.remove()
        control.stop()
        watcher?.close()
        for ticket in waiting.keys { waiting.removeValue(forKey: ticket)?.resume(returning: refusalAtTheEnd) }
    }

    /// For who asks an agent that is no more.
    var refusalAtTheEnd: ReloadSnapshot {
        ReloadSnapshot(
            trigger: ReloadRequest.Trigger.api.rawValue, finishedAt: UnixTime.now, durationMilliseconds: 0,
            outcome: .refused, generation: machine.generation, errors: ["the agent is stopping"])
    }
}
