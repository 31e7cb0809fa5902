package import AgentStatus
package import TunnelConfiguration

/// What the admin API has an agent do. Who asks is told to the log and to those who look at the status, in words.
package protocol AgentActions: Sendable {
    /// Has a tunnel or server take nothing new until it is resumed. Also where it is so already.
    func pause(
        _ kind: PauseSnapshot.Kind, _ name: String, by asker: String
    ) async throws(ActionError) -> PauseReport
    func resume(
        _ kind: PauseSnapshot.Kind, _ name: String, by asker: String
    ) async throws(ActionError) -> PauseReport
    /// Ends a session, of either end.
    ///
    /// - Parameter isCut: whether at once; else what is in flight is finished.
    func end(session id: UInt64, isCut: Bool) async throws(ActionError) -> SessionReport
    func blockedTokens() async -> [BlockedTokenSnapshot]
    /// Has no server serve a token.
    ///
    /// - Parameter duration: nil for until it is unblocked.
    func block(
        _ query: TokenBlockQuery, for duration: Duration?, by asker: String
    ) async throws(ActionError) -> BlockedTokenSnapshot
    /// - Parameter query: all tokens where it names none.
    /// - Returns: how many are served again.
    func unblock(_ query: TokenBlockQuery, by asker: String) async throws(ActionError) -> Int
    /// Applies the configuration file, if that is one of these plans (`PlanReport.etag`).
    func reload(ifPlanned plans: Set<String>) async throws(ActionError) -> ReloadSnapshot
    /// What `rollback` would do.
    func rollbackPlan() async -> PlanReport
    /// Applies what was in force before the configuration that is in force.
    ///
    /// - Parameter plans: one of which that has to be; nil for whatever it is.
    func rollback(ifPlanned plans: Set<String>?) async throws(ActionError) -> ReloadSnapshot
    func logLevel() async -> LogLevelSnapshot
    /// - Parameter duration: nil for until the next reload.
    func setLogLevel(_ level: LogConfiguration.Level, for duration: Duration?) async -> LogLevelSnapshot
    /// What another agent has to know that takes this one's place.
    func succession() async -> SuccessionSnapshot
}
