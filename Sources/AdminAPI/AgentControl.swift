package import AgentStatus

/// What the admin API asks of the agent.
package protocol AgentControl: Sendable {
    /// - Parameter name: of the connected tokens, only those of that name; nil for all.
    func snapshot(ofTunnel name: String?) async -> AgentSnapshot
    /// Reads the configuration file as a reload would, and tells what that would do. Nothing changes.
    func plan() async -> PlanReport
    /// Applies the configuration file; returns when that is done or refused.
    func reload() async -> ReloadSnapshot
    /// Lets another process take this one's place: gives up what only one can have, then stops as a signal would.
    ///
    /// - Returns: false when it has done so before.
    func handOver() async -> Bool
}
