import AdminAPI
import AgentStatus
import HostSystem
import Logging
import Observability
import Reconciliation
import TunnelConfiguration
import TunnelProtocol
import TunnelServer

/// What the admin API has the agent do.
extension SupervisorControl {
    // MARK: Pauses

    @AgentActor func pause(
        _ kind: PauseSnapshot.Kind, _ name: String, by asker: String
    ) throws(ActionError) -> PauseReport {
        if kind == .tunnel, supervisor.tunnels.hasEnded(name) {
            throw ActionError(409, "the tunnel is out of tries (max-retries) and runs no more")
        }
        let pause = PauseSnapshot(kind, name, since: UnixTime.now, by: asker)
        let hasChanged = try supervisor.machine.pause(pause)
        if hasChanged { tell(.paused, kind, name, by: asker) }
        return PauseReport(kind, name, isPaused: true, hasChanged: hasChanged)
    }

    @AgentActor func resume(
        _ kind: PauseSnapshot.Kind, _ name: String, by asker: String
    ) throws(ActionError) -> PauseReport {
        let hasChanged = try supervisor.machine.resume(kind, name)
        if hasChanged { tell(.resumed, kind, name, by: asker) }
        return PauseReport(kind, name, isPaused: false, hasChanged: hasChanged)
    }

    /// Those whom it concerns, the log, and who listens to events.
    private func tell(_ event: AgentEvent.Kind, _ kind: PauseSnapshot.Kind, _ name: String, by asker: String)
    {
        let isPaused = event == .paused
        switch kind {
        case .server: supervisor.servers.setPaused(name, isPaused)
        case .tunnel: supervisor.tunnels.setPaused(name, isPaused)
        }
        let subject: LogKey = kind == .server ? .serverName : .tunnelName
        supervisor.logger.notice(
            isPaused ? "Paused" : "Resumed", metadata: [subject: "\(name)", .adminAsker: "\(asker)"])
        supervisor.means.log.events.publish(
            AgentEvent(
                event, server: kind == .server ? name : nil, tunnel: kind == .tunnel ? name : nil,
                message: "the \(kind.rawValue) was \(event.rawValue) by \(asker)"))
    }

    // MARK: Sessions

    @AgentActor func end(session id: UInt64, isCut: Bool) throws(ActionError) -> SessionReport {
        if let server = supervisor.servers.end(session: id, isCut: isCut) {
            return SessionReport(id: id, server: server, isCut: isCut)
        }
        if let tunnel = supervisor.tunnels.end(session: id, isCut: isCut) {
            return SessionReport(id: id, tunnel: tunnel, isCut: isCut)
        }
        throw ActionError(404, "no session has that number, or none any more")
    }

    // MARK: Tokens

    @AgentActor func blockedTokens() -> [BlockedTokenSnapshot] { supervisor.means.blocked.all }

    @AgentActor func block(
        _ query: TokenBlockQuery, for duration: Duration?, by asker: String
    ) throws(ActionError) -> BlockedTokenSnapshot {
        let token = try token(of: query)
        guard let block = supervisor.means.blocked.block(token, for: duration, by: asker) else {
            throw ActionError(
                409, "no more tokens can be blocked: unblock some, or take them out of the file")
        }
        supervisor.servers.dismissBlocked(grace: supervisor.machine.running.shutdownGrace)
        supervisor.logger.notice(
            "Token blocked", metadata: [.tokenHint: "\(block.tokenHint)", .adminAsker: "\(asker)"])
        return block
    }

    @AgentActor func unblock(_ query: TokenBlockQuery, by asker: String) throws(ActionError) -> Int {
        let blocked = supervisor.means.blocked
        let count: Int
        if query.token != nil {
            count = blocked.unblock(try token(of: query)) ? 1 : 0
        } else if query.all == true {
            count = blocked.unblock(hint: nil, tag: nil)
        } else {
            guard let hint = query.tokenHint, let tag = query.tokenTag else { throw .noTokenNamed }
            count = blocked.unblock(hint: hint, tag: tag)
        }
        if count > 0 {
            supervisor.logger.notice(
                "Tokens unblocked",
                metadata: [.times: .stringConvertible(count), .adminAsker: "\(asker)"])
        }
        return count
    }

    private func token(of query: TokenBlockQuery) throws(ActionError) -> RendezvousToken {
        if let text = query.token {
            do throws(RendezvousTokenError) {
                return try RendezvousToken(text)
            } catch {
                throw ActionError(400, "\"token\" is none: it has 16 to 1024 visible characters")
            }
        }
        guard let hint = query.tokenHint, let tag = query.tokenTag else {
            throw .noTokenNamed
        }
        let tokens = supervisor.servers.tokens(hint: hint, tag: tag)
        guard let token = tokens.first else {
            throw ActionError(404, "no token that the servers know is shown so: name it by \"token\"")
        }
        guard tokens.count == 1 else {
            throw ActionError(409, "several tokens are shown so: name the one that is meant by \"token\"")
        }
        return token
    }

    // MARK: Reloads

    @AgentActor func reload(ifPlanned plans: Set<String>) async throws(ActionError) -> ReloadSnapshot {
        try await reload(.api, plans)
    }

    @AgentActor func rollback(ifPlanned plans: Set<String>?) async throws(ActionError) -> ReloadSnapshot {
        try await reload(.rollback, plans)
    }

    private func reload(
        _ trigger: ReloadRequest.Trigger, _ plans: Set<String>?
    ) async throws(ActionError) -> ReloadSnapshot {
        let end = await supervisor.reloadNow(trigger, plans)
        guard let refusal = end.refusal else { return end.snapshot }
        throw ActionError(refusal == .planChanged ? 412 : 409, refusal.words)
    }

    @AgentActor func rollbackPlan() -> PlanReport {
        let machine = supervisor.machine
        guard let former = machine.former else {
            return PlanReport(plan: nil, errors: [ReloadRefusal.nothingBefore.words])
        }
        return PlanReport(
            plan: ReloadPlan(running: machine.running, desired: former).snapshot,
            etag: machine.tag(of: former).text, paused: machine.pauses.all)
    }

    // MARK: The log

    @AgentActor func logLevel() -> LogLevelSnapshot { supervisor.logLevel.snapshot }

    @AgentActor func setLogLevel(
        _ level: LogConfiguration.Level, for duration: Duration?
    ) -> LogLevelSnapshot {
        supervisor.logLevel.set(level, for: duration)
        return supervisor.logLevel.snapshot
    }

    // MARK: Another agent in its place

    @AgentActor func succession() -> SuccessionSnapshot {
        let blocked = supervisor.means.blocked.succession
        return SuccessionSnapshot(
            paused: supervisor.machine.pauses.all, salt: blocked.salt, blocked: blocked.blocked)
    }
}

extension ActionError {
    fileprivate static let noTokenNamed = ActionError(
        400, "name the token: by \"token\", or by \"tokenHint\" and \"tokenTag\" as the status shows them")
}
