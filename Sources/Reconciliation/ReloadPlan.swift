package import AgentStatus
package import TunnelConfiguration

/// One thing to do so that what runs is what the configuration says.
package enum Change<Spec: Specification>: Hashable, Sendable {
    case start(Spec)
    /// Settings are swapped in what runs.
    case update(Spec, changes: [String])
    /// What carries the settings is made anew and takes over before the old one leaves.
    case replace(Spec, changes: [String])
    case stop(name: String)

    /// Of the server or tunnel.
    package var name: String {
        switch self {
        case .start(let spec), .update(let spec, _), .replace(let spec, _): spec.name
        case .stop(let name): name
        }
    }

    /// What is wanted from now on; nil for what stops.
    package var specification: Spec? {
        switch self {
        case .start(let spec), .update(let spec, _), .replace(let spec, _): spec
        case .stop: nil
        }
    }

    var snapshot: PlanSnapshot.Action {
        switch self {
        case .start: PlanSnapshot.Action(verb: .start, kind: Spec.kind, name: name)
        case .update(_, let changes):
            PlanSnapshot.Action(verb: .update, kind: Spec.kind, name: name, changes: changes)
        case .replace(_, let changes):
            PlanSnapshot.Action(verb: .replace, kind: Spec.kind, name: name, changes: changes)
        case .stop: PlanSnapshot.Action(verb: .stop, kind: Spec.kind, name: name)
        }
    }
}

/// The difference between what runs and what is wanted, by name. The order of entries does not matter.
///
/// - Returns: what comes and what changes, by name, then what goes, by name: nothing is let go before what may take
///   its place is there.
package func reconcile<Spec: Specification>(running: [Spec], desired: [Spec]) -> [Change<Spec>] {
    // By their places: specifications are large.
    let before = Dictionary(zip(running.map(\.name), running.indices)) { first, _ in first }
    let after = Dictionary(zip(desired.map(\.name), desired.indices)) { first, _ in first }
    let coming = after.values.compactMap { place -> Change<Spec>? in
        let wanted = desired[place]
        guard let current = before[wanted.name] else { return .start(wanted) }
        let changes = running[current].changes(to: wanted)
        guard !changes.isEmpty else { return nil }
        let isReplacement = changes.contains { $0.effect == .replacement }
        let keys = changes.map(\.key)
        return isReplacement ? .replace(wanted, changes: keys) : .update(wanted, changes: keys)
    }
    let going = before.keys.filter { after[$0] == nil }.map { Change<Spec>.stop(name: $0) }
    return coming.sorted { $0.name < $1.name } + going.sorted { $0.name < $1.name }
}

/// What a reload does, and in which order: the agent's own settings, servers, tunnels; in each what comes before
/// what goes.
package struct ReloadPlan: Hashable, Sendable {
    /// Keys of the agent's own settings that change.
    package let agentChanges: [String]
    /// Keys that changed but come into force at the next start only.
    package let ineffectiveChanges: [String]
    package let servers: [Change<ServerConfiguration>]
    package let tunnels: [Change<TunnelClientConfiguration>]
    /// What runs once the plan is carried out: what is wanted, but for what takes a restart.
    package let result: AgentConfiguration

    package init(running: AgentConfiguration, desired: AgentConfiguration) {
        let changes = running.agentChanges(to: desired)
        let ineffective = changes.filter { $0.effect == .restart }
        agentChanges = changes.filter { $0.effect != .restart }.map(\.key)
        ineffectiveChanges = ineffective.map(\.key)
        servers = reconcile(running: running.servers, desired: desired.servers)
        tunnels = reconcile(running: running.tunnels, desired: desired.tunnels)
        var result = desired
        for field in ineffective { field.copy(from: running, to: &result) }
        self.result = result
    }

    /// Whether nothing is to be done.
    package var isEmpty: Bool { agentChanges.isEmpty && servers.isEmpty && tunnels.isEmpty }

    /// As people and programs see it.
    package var snapshot: PlanSnapshot {
        let agent =
            agentChanges.isEmpty
            ? [] : [PlanSnapshot.Action(verb: .update, kind: .agent, name: "", changes: agentChanges)]
        return PlanSnapshot(
            actions: agent + servers.map(\.snapshot) + tunnels.map(\.snapshot),
            notes: ineffectiveChanges.map { "\($0): the change takes a restart" })
    }
}
