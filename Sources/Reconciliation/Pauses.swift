package import AgentStatus
import TunnelConfiguration

/// Which tunnels and servers of an agent are paused, by their names: so they are across reloads, for as long as there is
/// something of that name.
package struct Pauses: Sendable, Hashable {
    private struct Subject: Hashable, Sendable {
        var kind: PauseSnapshot.Kind
        var name: String
    }

    private var entries: [Subject: PauseSnapshot] = [:]

    package init() {}

    /// Servers before tunnels, by name.
    package var all: [PauseSnapshot] {
        entries.values.sorted { ($0.kind.rawValue, $0.name) < ($1.kind.rawValue, $1.name) }
    }

    package func contains(_ kind: PauseSnapshot.Kind, _ name: String) -> Bool {
        entries[Subject(kind: kind, name: name)] != nil
    }

    /// - Returns: false where it is paused already: then it stays since then.
    mutating func add(_ pause: PauseSnapshot) -> Bool {
        let subject = Subject(kind: pause.kind, name: pause.name)
        guard entries[subject] == nil else { return false }
        entries[subject] = pause
        return true
    }

    /// - Returns: false where it is not paused.
    mutating func remove(_ kind: PauseSnapshot.Kind, _ name: String) -> Bool {
        entries.removeValue(forKey: Subject(kind: kind, name: name)) != nil
    }

    /// Forgets those of what is not there any more.
    mutating func keep(those configuration: AgentConfiguration) {
        guard !entries.isEmpty else { return }
        entries = entries.filter { configuration.has($0.key.kind, $0.key.name) }
    }
}

extension AgentConfiguration {
    func has(_ kind: PauseSnapshot.Kind, _ name: String) -> Bool {
        switch kind {
        case .server: servers.contains { $0.name == name }
        case .tunnel: tunnels.contains { $0.name == name }
        }
    }
}

extension SupervisorMachine {
    /// - Returns: whether it was not paused before.
    /// - Throws: where there is nothing of that name.
    package mutating func pause(_ pause: PauseSnapshot) throws(ActionError) -> Bool {
        try check(pause.kind, pause.name)
        return pauses.add(pause)
    }

    /// - Returns: whether it was paused before.
    /// - Throws: where there is nothing of that name.
    package mutating func resume(_ kind: PauseSnapshot.Kind, _ name: String) throws(ActionError) -> Bool {
        try check(kind, name)
        return pauses.remove(kind, name)
    }

    /// What an agent had paused whose place this one takes. Those of nothing that comes into force are forgotten.
    package mutating func takeOver(_ pauses: [PauseSnapshot]) {
        for pause in pauses { _ = self.pauses.add(pause) }
    }

    private func check(_ kind: PauseSnapshot.Kind, _ name: String) throws(ActionError) {
        guard running.has(kind, name) else {
            throw ActionError(404, "the agent runs no \(kind.rawValue) of that name")
        }
    }
}
