package import AgentStatus

/// What is to be done so that what runs is what the configuration says.
package struct ReloadPlan: Hashable, Sendable {
    /// As people and programs see it.
    package var snapshot: PlanSnapshot
}
