package import AgentStatus
package import TunnelConfiguration
import TunnelProtocol

/// The life of an agent's configuration, without I/O: start, reloads, listeners that break, the end.
///
/// A reload goes read → plan → prepare → commit. Whatever fails before the commit leaves what runs untouched, and
/// after the commit nothing can fail. One reload is under way at a time; requests that come meanwhile are one more
/// reload afterwards, as the file may have changed since it was read. The start is the reload from nothing, and only
/// there a failure ends the agent.
package struct SupervisorMachine: Sendable {
    package enum Event: Sendable {
        case reloadRequested(ReloadRequest)
        /// The file and its secrets were read.
        case configurationRead(AgentConfiguration)
        /// They could not be, or hold errors.
        case configurationRefused
        /// New listeners are bound, certificates loaded, files opened: nothing can fail any more.
        case prepared
        case preparationFailed
        /// What was prepared is in force.
        case committed
        /// A listener broke, or could not be opened again.
        case listenerFailed(server: String)
        /// A restart timer rang.
        case restartDue(server: String, attempt: UInt64)
        case listenerRestored(server: String)
        /// A tunnel is out of tries.
        case tunnelGaveUp(name: String)
        case stopRequested
        case graceOver
        /// Everything that ran has ended.
        case everythingEnded
    }

    package enum Action: Sendable, Equatable {
        /// Read the file: `configurationRead` or `configurationRefused` follows.
        case read(ReloadRequest.Trigger)
        /// Begin a reload to a configuration that is known: `configurationRead` with it follows.
        case recall(AgentConfiguration)
        /// Bind and load what the plan needs: `prepared` or `preparationFailed` follows.
        case prepare(ReloadPlan)
        /// Give up what was, or is being, prepared.
        case discardPreparation
        /// Put the plan into force: `committed` follows at once.
        case commit(ReloadPlan)
        case report(ReloadEnd)
        /// Open a listener anew after a while.
        case scheduleRestart(server: String, attempt: UInt64, after: Duration)
        case restart(server: String)
        /// Finish what is in flight, take nothing new, within the grace.
        case drain(grace: Duration)
        case cut
        case exit(Outcome)
    }

    /// How a reload ended.
    package struct ReloadEnd: Sendable, Equatable {
        package var outcome: ReloadSnapshot.Outcome
        package var generation: Int
        package var plan: ReloadPlan?
        package var trigger: ReloadRequest.Trigger
        /// Who waits for it.
        package var tickets: [UInt64]
        /// Why nothing was tried, where that is so.
        package var refusal: ReloadRefusal?
    }

    /// How a run ended.
    package enum Outcome: Sendable, Equatable {
        /// Asked to, and everything in flight was finished or its grace was over.
        case stopped
        /// A second request asked for the end at once.
        case stoppedAtOnce
        /// There are no servers, and every tunnel gave up.
        case gaveUp
        /// It could not start.
        case failedToStart
    }

    private enum State: Sendable {
        /// The first configuration is being prepared. Next: running, stopping, over.
        case starting(ReloadPlan)
        /// Next: reading, stopping.
        case running
        /// Next: running, preparing, stopping.
        case reading(ReloadBatch)
        /// Next: running, committing, stopping.
        case preparing(ReloadBatch, ReloadPlan)
        /// Takes nothing new. Next: over.
        case stopping(Outcome)
        case over
    }

    /// What is in force.
    package private(set) var running: AgentConfiguration
    /// What was in force before it; nil where nothing was.
    package private(set) var former: AgentConfiguration?
    /// Whether what is in force was gone back to, and is not what the file said last.
    package private(set) var isRolledBack = false
    /// Counts configurations that came into force.
    package private(set) var generation = 0
    /// What is paused of what is in force.
    package internal(set) var pauses = Pauses()
    private var state: State
    /// Asked for since the file was last read.
    private var pending: ReloadBatch?
    private let tagKey: UInt64
    private var broken: [String: BrokenListener] = [:]
    private var tunnelsGivenUp: Set<String> = []
    private var attempts: UInt64 = 0

    private struct BrokenListener: Sendable {
        var backoff: ReconnectBackoff
        var attempt: UInt64
    }

    /// - Parameters:
    ///   - initial: what to start with.
    ///   - tagKey: random, for `tag`.
    package init(initial: AgentConfiguration, tagKey: UInt64) {
        self.tagKey = tagKey
        // Of the agent's own settings those of the first configuration hold from the beginning.
        var nothing = initial
        nothing.servers = []
        nothing.tunnels = []
        running = nothing
        state = .starting(ReloadPlan(running: nothing, desired: initial))
    }

    /// What to do first.
    package var firstAction: Action? {
        if case .starting(let plan) = state { .prepare(plan) } else { nil }
    }

    /// What a reload to a configuration would be known by now.
    package func tag(of desired: AgentConfiguration) -> PlanTag {
        PlanTag(desired, after: generation, key: tagKey)
    }

    /// Whether it ends because it was asked to once, not at once.
    package var isStoppingAsAsked: Bool {
        if case .stopping(.stopped) = state { true } else { false }
    }

    package var isStopping: Bool {
        switch state {
        case .stopping, .over: true
        default: false
        }
    }

    package var isReloading: Bool {
        switch state {
        case .reading, .preparing: true
        default: false
        }
    }

    package var isStarting: Bool { if case .starting = state { true } else { false } }

    /// - Parameter random: for the jitter of restarts.
    package mutating func handle(
        _ event: Event, using random: inout some RandomNumberGenerator
    ) -> [Action] {
        switch event {
        case .reloadRequested(let request): return reloadRequested(request)
        case .configurationRead(let desired): return configurationRead(desired)
        case .configurationRefused: return readingFailed()
        case .prepared: return prepared()
        case .preparationFailed: return preparationFailed()
        case .committed: return committed()
        case .listenerFailed(let server): return listenerFailed(server, &random)
        case .restartDue(let server, let attempt): return restartDue(server, attempt)
        case .listenerRestored(let server):
            broken[server] = nil
            return []
        case .tunnelGaveUp(let name): return tunnelGaveUp(name)
        case .stopRequested: return stopRequested()
        case .graceOver: return graceOver()
        case .everythingEnded: return everythingEnded()
        }
    }

    // MARK: Reloads

    private mutating func reloadRequested(_ request: ReloadRequest) -> [Action] {
        let batch = ReloadBatch(request)
        switch state {
        case .stopping, .over: return [.report(end(.refused, batch))]
        case .starting, .reading, .preparing:
            guard request.trigger != .rollback else { return [.report(refused(batch, .isBusy))] }
            guard pending?.add(request) == nil else { return [] }
            pending = batch
            return []
        case .running where request.trigger == .rollback:
            guard let former else { return [.report(refused(batch, .nothingBefore))] }
            state = .reading(batch)
            return [.recall(former)]
        case .running:
            state = .reading(batch)
            return [.read(request.trigger)]
        }
    }

    private mutating func configurationRead(_ desired: AgentConfiguration) -> [Action] {
        guard case .reading(var batch) = state else { return [] }
        let disappointed = batch.takeDisappointed(by: tag(of: desired))
        let reports =
            disappointed.isEmpty
            ? []
            : [
                Action.report(
                    ReloadEnd(
                        outcome: .refused, generation: generation, trigger: batch.trigger,
                        tickets: disappointed, refusal: .planChanged))
            ]
        guard batch.isWanted else { return reports + goOn() }
        let plan = ReloadPlan(running: running, desired: desired)
        state = .preparing(batch, plan)
        return reports + [.prepare(plan)]
    }

    private mutating func readingFailed() -> [Action] {
        guard case .reading(let batch) = state else { return [] }
        return [.report(end(.refused, batch))] + goOn()
    }

    private mutating func prepared() -> [Action] {
        switch state {
        case .starting(let plan), .preparing(_, let plan): return [.commit(plan)]
        case .stopping, .over: return [.discardPreparation]
        case .running, .reading: return []
        }
    }

    private mutating func preparationFailed() -> [Action] {
        switch state {
        case .starting:
            state = .over
            return [.discardPreparation] + refusePending() + [.exit(.failedToStart)]
        case .preparing(let batch, let plan):
            return [.discardPreparation, .report(end(.refused, batch, plan))] + goOn()
        case .stopping, .over: return [.discardPreparation]
        case .running, .reading: return []
        }
    }

    private mutating func committed() -> [Action] {
        let batch: ReloadBatch?
        let plan: ReloadPlan
        switch state {
        case .starting(let first): (batch, plan) = (nil, first)
        case .preparing(let current, let next): (batch, plan) = (current, next)
        default: return []
        }
        let isFirst = batch == nil
        // Until then it is what the first configuration says of the agent alone.
        if !isFirst, !plan.isEmpty { former = running }
        isRolledBack = batch?.trigger == .rollback
        running = plan.result
        pauses.keep(those: running)
        if isFirst || !plan.isEmpty { generation += 1 }
        for change in plan.servers where change.specification == nil || change.isNewListener {
            broken[change.name] = nil
        }
        // What starts anew tries anew.
        for change in plan.tunnels { tunnelsGivenUp.remove(change.name) }
        guard let batch else { return goOn() }
        return [.report(end(plan.isEmpty ? .unchanged : .applied, batch, plan))] + goOn()
    }

    /// Turns to what was asked for meanwhile.
    private mutating func goOn() -> [Action] {
        guard let next = pending else {
            state = .running
            return endIfNothingIsLeft()
        }
        pending = nil
        state = .reading(next)
        return [.read(next.trigger)]
    }

    private func refused(_ batch: ReloadBatch, _ refusal: ReloadRefusal) -> ReloadEnd {
        var end = end(.refused, batch)
        end.refusal = refusal
        return end
    }

    private func end(
        _ outcome: ReloadSnapshot.Outcome, _ batch: ReloadBatch, _ plan: ReloadPlan? = nil
    ) -> ReloadEnd {
        ReloadEnd(
            outcome: outcome, generation: generation, plan: plan, trigger: batch.trigger,
            tickets: batch.tickets)
    }

    // MARK: What fails

    private mutating func listenerFailed(
        _ server: String, _ random: inout some RandomNumberGenerator
    ) -> [Action] {
        guard !isStopping, running.servers.contains(where: { $0.name == server }) else { return [] }
        attempts += 1
        var listener = broken[server] ?? BrokenListener(backoff: ReconnectBackoff(), attempt: attempts)
        listener.attempt = attempts
        let wait = listener.backoff.next(using: &random)
        broken[server] = listener
        return [.scheduleRestart(server: server, attempt: attempts, after: wait)]
    }

    private mutating func restartDue(_ server: String, _ attempt: UInt64) -> [Action] {
        // A reload may have given it another listener, or taken it away.
        guard !isStopping, broken[server]?.attempt == attempt else { return [] }
        return [.restart(server: server)]
    }

    private mutating func tunnelGaveUp(_ name: String) -> [Action] {
        guard running.tunnels.contains(where: { $0.name == name }) else { return [] }
        tunnelsGivenUp.insert(name)
        guard case .running = state else { return [] }
        return endIfNothingIsLeft()
    }

    /// An agent all of whose tunnels gave up has nothing to do; one without entries waits for a reload.
    private mutating func endIfNothingIsLeft() -> [Action] {
        guard running.servers.isEmpty, !running.tunnels.isEmpty,
            running.tunnels.allSatisfy({ tunnelsGivenUp.contains($0.name) })
        else { return [] }
        state = .stopping(.gaveUp)
        return [.drain(grace: running.shutdownGrace)]
    }

    // MARK: The end

    private mutating func stopRequested() -> [Action] {
        switch state {
        case .over: return []
        case .stopping:
            state = .stopping(.stoppedAtOnce)
            return [.cut]
        case .starting:
            state = .over
            return [.discardPreparation] + refusePending() + [.exit(.stopped)]
        case .running, .reading, .preparing:
            var refused: [Action] = []
            if case .reading(let batch) = state { refused.append(.report(end(.refused, batch))) }
            if case .preparing(let batch, let plan) = state {
                refused += [.discardPreparation, .report(end(.refused, batch, plan))]
            }
            refused += refusePending()
            state = .stopping(.stopped)
            return refused + [.drain(grace: running.shutdownGrace)]
        }
    }

    private mutating func refusePending() -> [Action] {
        defer { pending = nil }
        return pending.map { [.report(end(.refused, $0))] } ?? []
    }

    private mutating func graceOver() -> [Action] {
        guard case .stopping = state else { return [] }
        return [.cut]
    }

    private mutating func everythingEnded() -> [Action] {
        guard case .stopping(let outcome) = state else { return [] }
        state = .over
        return [.exit(outcome)]
    }
}

extension Change {
    fileprivate var isNewListener: Bool {
        switch self {
        case .start, .replace: true
        case .update, .stop: false
        }
    }
}
