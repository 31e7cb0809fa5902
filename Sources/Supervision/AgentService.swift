import Reconciliation

/// A part of the agent that goes on beside its servers and tunnels, by what the configuration says of it.
@AgentActor protocol AgentService: Sendable {
    /// Puts in force what a plan says of it.
    func apply(_ plan: ReloadPlan, _ preparation: Preparation, in group: inout DiscardingTaskGroup)
    /// Goes on until the task is cancelled.
    func run() async
    /// Does what is left at the agent's end, which waits for it.
    ///
    /// - Parameter patience: where it waits for others, no longer than so.
    func finish(within patience: Duration) async
}

extension AgentService {
    func run() async {}
    func finish(within patience: Duration) async {}
}
