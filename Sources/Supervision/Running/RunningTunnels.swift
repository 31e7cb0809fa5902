import AgentStatus
import Observability
import Reconciliation
import TunnelClient

/// The tunnel clients of an agent: those in force, and those that finish what they have in flight.
@AgentActor final class RunningTunnels {
    private let children: Children
    private let mailbox: Supervisor.Mailbox
    private var running: [String: RunningTunnel] = [:] { didSet { sortedNames = nil } }
    /// What left the configuration, or was replaced, by name; never empty lists.
    private var leaving: [String: [RunningTunnel]] = [:] { didSet { sortedNames = nil } }
    /// Of both, once somebody has asked: to sort thousands takes longer than to tell of a page of them.
    private var sortedNames: [String]?

    init(children: Children, mailbox: Supervisor.Mailbox) {
        self.children = children
        self.mailbox = mailbox
    }

    var count: Int { running.count }
    var clients: [String: TunnelClient] { running.mapValues(\.client) }
    /// Those that were replaced and stay until their successor is up.
    var predecessors: [String: [TunnelClient]] { leaving.mapValues { $0.map(\.client) } }
    /// With those that leave.
    var all: [RunningTunnel] { Array(running.values) + leaving.values.joined() }

    /// Whether the one of that name has ended.
    func hasEnded(_ name: String) -> Bool { running[name]?.ended.isOpen ?? false }

    // MARK: Changing them

    /// Carries out one change of a plan. What comes is paused where it should be.
    func apply(
        _ change: PreparedTunnel, _ terms: Preparation.Terms, _ pauses: Pauses,
        in group: inout DiscardingTaskGroup
    ) {
        switch change {
        case .start(let name, let client), .replace(let name, let client):
            if pauses.contains(.tunnel, name) { client.pause() }
        case .update, .stop: break
        }
        switch change {
        case .start(let name, let client):
            begin(RunningTunnel(client), name)
        case .replace(let name, let client):
            guard let old = running[name] else { return }
            replace(old, by: RunningTunnel(client), name, grace: terms.grace, in: &group)
        case .update(let updates):
            for (client, update) in updates { client.apply(update) }
        case .stop(let name):
            guard let old = running.removeValue(forKey: name) else { return }
            seeOff(old, name)
            for tunnel in leaving[name] ?? [] { tunnel.leave(grace: terms.grace, in: &group) }
        }
    }

    /// Of a group with a hundred thousand tasks each that ends is looked for among all others; `Children` waits for
    /// these.
    private func begin(_ tunnel: RunningTunnel, _ name: String) {
        running[name] = tunnel
        children.began()
        tunnel.begin { end in
            Task.detached(priority: .utility) { await self.ended(tunnel, name, end) }
        }
    }

    private func ended(_ tunnel: RunningTunnel, _ name: String, _ end: TunnelClient.RunEnd) {
        leaving[name]?.removeAll { $0 === tunnel }
        if leaving[name]?.isEmpty == true { leaving[name] = nil }
        if end == .gaveUp, running[name] === tunnel { mailbox.yield(.tunnelGaveUp(name: name)) }
        children.ended()
    }

    /// Counts a tunnel among the leaving ones until it has ended.
    private func seeOff(_ tunnel: RunningTunnel, _ name: String) {
        // One that gave up has ended already.
        if !tunnel.ended.isOpen { leaving[name, default: []].append(tunnel) }
    }

    /// Make before break: the old tunnel's sessions carry on until the new one has its first, and dial no more.
    /// Where there is no room for both, the old one goes first.
    private func replace(
        _ old: RunningTunnel, by new: RunningTunnel, _ name: String, grace: Duration,
        in group: inout DiscardingTaskGroup
    ) {
        seeOff(old, name)
        old.client.retire()
        begin(new, name)
        group.addTask {
            let first = await new.client.untilUp()
            await self.successorIsThere(new, first, name, grace: grace)
        }
    }

    private func successorIsThere(
        _ new: RunningTunnel, _ first: TunnelClient.FirstOutcome, _ name: String, grace: Duration
    ) async {
        // A later reload may have replaced it in turn; then what is left waits for that one.
        guard running[name] === new else { return }
        let old = leaving[name] ?? []
        await withDiscardingTaskGroup { group in
            for tunnel in old { tunnel.leave(grace: grace, in: &group) }
            guard first == .noRoom else { return }
            group.addTask {
                for tunnel in old { await tunnel.ended.wait() }
                new.client.retryNow()
            }
        }
    }

    /// Has a tunnel dial nothing, and what it replaced leave; or dial again.
    func setPaused(_ name: String, _ isPaused: Bool) {
        for tunnel in [running[name]].compactMap(\.self) + (leaving[name] ?? []) {
            if isPaused { tunnel.client.pause() } else { tunnel.client.resume() }
        }
    }

    /// Ends a session.
    ///
    /// - Returns: whose it is; nil where it is not here.
    func end(session id: UInt64, isCut: Bool) -> String? {
        running.first { $0.value.client.end(session: id, isCut: isCut) }?.key
            ?? leaving.first { $0.value.contains { $0.client.end(session: id, isCut: isCut) } }?.key
    }

    // MARK: Watching

    /// One of them, seen from outside.
    struct Entry {
        let name: String
        let client: TunnelClient
        /// Its successor counts for both.
        let hasSuccessor: Bool

        var snapshot: TunnelSnapshot {
            var snapshot = client.snapshot
            if hasSuccessor { snapshot.traffic = TrafficSnapshot() }
            return snapshot
        }
    }

    /// Those in force and those that leave, in the order of their names, one behind its successor.
    ///
    /// - Parameter isWanted: asked for each name.
    func entries(_ isWanted: (String) -> Bool = { _ in true }) -> [Entry] {
        names.filter(isWanted).flatMap(entries)
    }

    /// Those of a name, one behind its successor.
    func entries(of name: String) -> [Entry] {
        let successor = running[name].map { Entry(name: name, client: $0.client, hasSuccessor: false) }
        let old = (leaving[name] ?? []).map {
            Entry(name: name, client: $0.client, hasSuccessor: successor != nil)
        }
        return [successor].compactMap(\.self) + old
    }

    private var names: [String] {
        if let sortedNames { return sortedNames }
        let names = Set(running.keys).union(leaving.keys).sorted()
        sortedNames = names
        return names
    }

    /// Whether the one of that name has a session, be it that it is replaced.
    func isUp(_ name: String) -> Bool {
        running[name]?.client.isUp == true || leaving[name]?.contains { $0.client.isUp } == true
    }

    /// Every session of theirs, in the order of the tunnels' names, those of one behind its successor's.
    var sessions: [SessionSnapshot] { entries().flatMap(\.client.sessions) }

    /// What those that are in force have counted.
    func measures() async -> [TunnelMeasures] {
        await refreshMeasures()
        return running.values.map(\.client.lastMeasures)
    }

    /// Has them say what they have carried so far: snapshots tell what was said last.
    func refreshMeasures() async { await TunnelClient.refreshMeasures(of: all.map(\.client)) }

    /// Requests, by tunnel, when they were last asked.
    var requests: [String: UInt64] { running.mapValues { $0.client.traffic.requests } }

    /// All that was carried so far, by tunnel.
    var traffic: [String: TrafficSnapshot] { running.mapValues { $0.client.traffic } }
}
