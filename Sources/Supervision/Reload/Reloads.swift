import AgentStatus
import HostSystem
import Logging
import Observability
import Reconciliation
import TunnelConfiguration

/// The reload under way, who waits for one, and how the last one ended.
@AgentActor final class Reloads {
    /// What is found out about the one under way.
    private struct Record {
        let began = ContinuousClock.now
        var errors: [String] = []
        var warnings: [String] = []
    }

    /// How one ended, for who waits for it.
    struct End: Sendable {
        let snapshot: ReloadSnapshot
        /// Why nothing was tried, where that is so.
        let refusal: ReloadRefusal?

        init(_ snapshot: ReloadSnapshot, refusal: ReloadRefusal? = nil) {
            self.snapshot = snapshot
            self.refusal = refusal
        }
    }

    private let logger: Logger
    private var record = Record()
    private var preparation: Preparation?
    private var waiting: [UInt64: CheckedContinuation<End, Never>] = [:]
    private var lastTicket: UInt64 = 0
    private(set) var last: ReloadSnapshot?
    /// How many ended so, since the start.
    private(set) var counts: [ReloadSnapshot.Outcome: UInt64] = [:]

    init(logger: Logger) { self.logger = logger }

    /// Waits for the end of the reload that `request` asks for.
    func wait(_ request: (_ ticket: UInt64) -> Void) async -> End {
        lastTicket += 1
        let ticket = lastTicket
        return await withCheckedContinuation { continuation in
            waiting[ticket] = continuation
            request(ticket)
        }
    }

    // MARK: Its steps

    func began(_ trigger: ReloadRequest.Trigger) {
        // A file that others write beside the configuration may ask again and again; its reloads that change nothing
        // must not fill a log, least of all one in that folder.
        logger.log(
            level: trigger == .watch ? .debug : .info, "Reload",
            metadata: [LogKey.reloadTrigger.rawValue: "\(trigger.rawValue)"])
        record = Record()
    }

    func wasRead(_ report: ConfigurationReport) {
        record.errors += report.lines(.error)
        record.warnings += report.lines(.warning)
        for problem in report.problems {
            switch problem.severity {
            case .error:
                logger.error("Configuration error", metadata: [.errorMessage: "\(problem)"])
            case .warning:
                logger.warning("Configuration warning", metadata: [.errorMessage: "\(problem)"])
            }
        }
    }

    /// - Parameter refuse: says why a plan cannot be carried out.
    func wasPrepared(_ preparation: Preparation?, _ findings: Findings, refuse: (String) -> Void) {
        record.errors += findings.faults
        record.warnings += findings.warnings
        for fault in findings.faults { refuse(fault) }
        for warning in findings.warnings {
            logger.warning("Configuration warning", metadata: [.errorMessage: "\(warning)"])
        }
        self.preparation = preparation
    }

    func discardPreparation() { preparation = nil }

    func takePreparation() -> Preparation? {
        defer { preparation = nil }
        return preparation
    }

    // MARK: Its end

    /// Tells those who wait, and the log unless the agent ends.
    func ended(_ end: SupervisorMachine.ReloadEnd, isStopping: Bool) {
        let snapshot = ReloadSnapshot(
            trigger: end.trigger.rawValue, finishedAt: UnixTime.now,
            durationMilliseconds: (.now - record.began) / .milliseconds(1), outcome: end.outcome,
            generation: end.generation, plan: end.plan?.snapshot ?? PlanSnapshot(),
            errors: isStopping ? [Self.endReason] : end.refusal.map { [$0.words] } ?? record.errors,
            warnings: record.warnings)
        if let refusal = end.refusal {
            // Who asked is told; to all others nothing has happened.
            logger.notice(
                "Reload not tried",
                metadata: [.reloadTrigger: "\(snapshot.trigger)", .errorMessage: "\(refusal.words)"])
        } else if !isStopping {
            log(snapshot)
            last = snapshot
            counts[snapshot.outcome, default: 0] += 1
        }
        let told = End(snapshot, refusal: end.refusal)
        for ticket in end.tickets { waiting.removeValue(forKey: ticket)?.resume(returning: told) }
    }

    /// Tells all who wait that nothing comes of it.
    func refuseAll(generation: Int) {
        let refusal = Self.refusalAtTheEnd(generation: generation)
        for ticket in waiting.keys { waiting.removeValue(forKey: ticket)?.resume(returning: End(refusal)) }
    }

    private static let endReason = "the agent is stopping"

    /// For who asks an agent that is no more.
    static func refusalAtTheEnd(generation: Int) -> ReloadSnapshot {
        ReloadSnapshot(
            trigger: ReloadRequest.Trigger.api.rawValue, finishedAt: UnixTime.now, durationMilliseconds: 0,
            outcome: .refused, generation: generation, errors: [endReason])
    }

    private func log(_ reload: ReloadSnapshot) {
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
        case .applied:
            logger.tell(
                .reloadApplied, .notice, "Configuration applied", metadata: fields,
                detail: reload.plan.inALine)
        case .unchanged:
            let isWatched = reload.trigger == ReloadRequest.Trigger.watch.rawValue
            logger.log(
                level: isWatched ? .debug : .notice, "No changes in the configuration",
                metadata: Logger.Metadata(fields))
        case .refused:
            logger.tell(
                .reloadRefused, .error, "Configuration not applied: what ran before runs on",
                metadata: fields, detail: reload.errors.first)
        }
        // Whoever hears of refusals hears that they are over.
        if last?.outcome == .refused, reload.outcome != .refused {
            logger.error(
                "The configuration is good again", metadata: [.reloadTrigger: "\(reload.trigger)"])
        }
    }
}
