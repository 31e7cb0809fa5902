import AdminAPI
import AgentStatus
import Synchronization
import TunnelConfiguration

/// What the fake agent is told to do comes back in its answers. There is one of each thing: `web`, session 7, plan `now`.
extension FakeAgent {
    func pause(
        _ kind: PauseSnapshot.Kind, _ name: String, by asker: String
    ) async throws(ActionError) -> PauseReport {
        try check(name == "web")
        askers.withLock { $0.append(asker) }
        return PauseReport(kind, name, isPaused: true, hasChanged: true)
    }

    func resume(
        _ kind: PauseSnapshot.Kind, _ name: String, by asker: String
    ) async throws(ActionError) -> PauseReport {
        try check(name == "web")
        return PauseReport(kind, name, isPaused: false, hasChanged: false)
    }

    func end(session id: UInt64, isCut: Bool) async throws(ActionError) -> SessionReport {
        try check(id == 7)
        return SessionReport(id: id, server: "public", isCut: isCut)
    }

    func blockedTokens() async -> [BlockedTokenSnapshot] {
        [
            BlockedTokenSnapshot(
                tokenHint: "12345678...", tokenTag: "abcdef", since: 1, secondsLeft: 61, by: "x")
        ]
    }

    func block(
        _ query: TokenBlockQuery, for duration: Duration?, by asker: String
    ) async throws(ActionError) -> BlockedTokenSnapshot {
        try check(query.token != nil || query.tokenTag != nil)
        return BlockedTokenSnapshot(
            tokenHint: query.tokenHint ?? "hint", tokenTag: query.tokenTag ?? "tag", since: 1,
            secondsLeft: duration.map { Int($0.components.seconds) }, by: asker)
    }

    func unblock(_ query: TokenBlockQuery, by asker: String) async throws(ActionError) -> Int {
        query.all == true ? 3 : 1
    }

    func reload(ifPlanned plans: Set<String>) async throws(ActionError) -> ReloadSnapshot {
        guard plans.contains("now") else { throw ActionError(412, "another plan") }
        return await reload()
    }

    func rollbackPlan() async -> PlanReport { PlanReport(plan: PlanSnapshot(notes: ["back"]), etag: "back") }

    func rollback(ifPlanned plans: Set<String>?) async throws(ActionError) -> ReloadSnapshot {
        guard plans?.contains("back") ?? true else { throw ActionError(412, "another plan") }
        return await reload()
    }

    func logLevel() async -> LogLevelSnapshot { LogLevelSnapshot(level: "info", configured: "info") }

    func setLogLevel(_ level: LogConfiguration.Level, for duration: Duration?) async -> LogLevelSnapshot {
        LogLevelSnapshot(
            level: level.rawValue, configured: "info",
            until: duration.map { Int($0.components.seconds) })
    }

    func succession() async -> SuccessionSnapshot { SuccessionSnapshot(salt: "ab") }

    private func check(_ isThere: Bool) throws(ActionError) {
        guard isThere else { throw ActionError(404, "there is none") }
    }
}
