/// Something that should be up and is not, or does not work as it should.
package struct AgentProblem: Hashable, Sendable {
    /// Such as `server public`.
    package var subject: String
    package var words: String
    /// When it began, or was last seen, where that is known.
    package var since: Int?
}

extension AgentSnapshot {
    /// Everything that is down or out of order now. What went wrong once and is over is none.
    package var problems: [AgentProblem] {
        [load.flatMap(Self.problem), history.flatMap(Self.problem)].compactMap(\.self)
            + servers.flatMap(Self.problems)
            + downTunnels.map(Self.problem)
            + tunnels.flatMap(Self.problems)
            + (webhooks ?? []).compactMap(Self.problem)
            + [tracingProblem].compactMap(\.self)
    }

    /// The same agent with nothing in it but what has problems.
    package var troubled: AgentSnapshot {
        var troubled = self
        troubled.servers.removeAll { Self.problems(of: $0).isEmpty }
        troubled.webhooks?.removeAll { $0.fault == nil }
        if troubled.tracing?.fault == nil { troubled.tracing = nil }
        let up = upNames
        troubled.tunnels.removeAll { !Self.isDown($0, up) && Self.problems(of: $0).isEmpty }
        return troubled
    }

    /// Connected tokens that no list has, as a server lists so many at most: who looks for one among those that are listed
    /// knows nothing of these.
    package var unlistedTokens: Int {
        servers.reduce(0) { $0.addingClamped(max(0, $1.moreConnected ?? 0)) }
    }

    /// The same agent with nothing in it but the tunnels of one name: those that it is the client of, and those that are
    /// connected to its servers.
    package func narrowed(toTunnel name: String) -> AgentSnapshot {
        var narrowed = self
        narrowed.webhooks = nil
        narrowed.tunnels.removeAll { $0.name != name }
        for index in servers.indices {
            narrowed.servers[index].connected?.removeAll { $0.name != name }
        }
        narrowed.servers.removeAll { $0.connected?.isEmpty != false }
        return narrowed
    }

    /// The same agent with nothing in it but the servers and tunnels whose names are wanted, and the tokens that are connected
    /// by such a name.
    package func narrowed(where isWanted: (_ name: String) -> Bool) -> AgentSnapshot {
        var narrowed = self
        narrowed.webhooks = nil
        narrowed.tunnels.removeAll { !isWanted($0.name) }
        narrowed.servers.removeAll { server in
            !isWanted(server.name) && !(server.connected ?? []).contains { isWanted($0.name) }
        }
        for index in narrowed.servers.indices where !isWanted(narrowed.servers[index].name) {
            narrowed.servers[index].connected?.removeAll { !isWanted($0.name) }
        }
        return narrowed
    }

    private static func problem(of load: LoadSnapshot) -> AgentProblem? {
        guard load.stage > 0 else { return nil }
        let measure = load.measures.first { $0.name == load.cause }
        let cause = measure.map { "by \($0.words)" } ?? load.cause.map { "by \($0)" }
        let end = load.isEnforced ? "" : " (not enforced)"
        return AgentProblem(
            subject: "load",
            words: ["stage \(load.stage)", cause].compactMap(\.self).joined(separator: " ")
                + " — \(load.consequence)\(end)",
            since: load.since)
    }

    private static func problem(of history: HistorySnapshot) -> AgentProblem? {
        history.fault.map {
            AgentProblem(subject: "history", words: "not in order — \($0)", since: history.faultSince)
        }
    }

    private static func problems(of server: ServerSnapshot) -> [AgentProblem] {
        let subject = "server \(server.name)"
        var problems = (server.faults ?? []).map { AgentProblem(subject: subject, fault: $0, state: nil) }
        if server.state == .failed {
            problems.append(AgentProblem(subject: subject, fault: server.lastFault, state: "failed"))
        }
        return problems
    }

    /// A collector that takes nothing for a moment is started anew, or busy.
    private var tracingProblem: AgentProblem? {
        guard let fault = tracing?.fault, takenAt - (fault.since ?? fault.at) >= Self.tracingPatience else {
            return nil
        }
        return AgentProblem(subject: "tracing", fault: fault, state: nil)
    }

    /// Seconds.
    private static let tracingPatience = 30

    private static func problem(of webhook: WebhookSnapshot) -> AgentProblem? {
        webhook.fault.map { AgentProblem(subject: "webhook \(webhook.name)", fault: $0, state: nil) }
    }

    private static func problem(of tunnel: TunnelSnapshot) -> AgentProblem {
        AgentProblem(
            subject: "tunnel \(tunnel.name)", fault: tunnel.lastFault, state: tunnel.state.rawValue)
    }

    private static func problems(of tunnel: TunnelSnapshot) -> [AgentProblem] {
        // Of one that leaves nobody asks any more.
        guard tunnel.state != .draining else { return [] }
        return (tunnel.origins ?? []).filter { !$0.isUp }.map { origin in
            let words = ["origin \(origin.name) is down", origin.reason].compactMap(\.self)
            return AgentProblem(
                subject: "tunnel \(tunnel.name)", words: words.joined(separator: ": "), since: origin.since)
        }
    }

    private var downTunnels: [TunnelSnapshot] {
        let up = upNames
        return tunnels.filter { Self.isDown($0, up) }
    }

    /// Of tunnels that have a session.
    private var upNames: Set<String> { Set(tunnels.lazy.filter { !$0.connections.isEmpty }.map(\.name)) }

    /// A tunnel that is replaced is up as long as either is.
    package func isDown(_ tunnel: TunnelSnapshot) -> Bool { Self.isDown(tunnel, upNames) }

    private static func isDown(_ tunnel: TunnelSnapshot, _ up: Set<String>) -> Bool {
        guard tunnel.state == .connecting || tunnel.state == .gaveUp else { return false }
        return !up.contains(tunnel.name)
    }
}

extension AgentProblem {
    fileprivate init(subject: String, fault: FaultSnapshot?, state: String?) {
        self.subject = subject
        let what = fault.map { "\($0.code): \($0.message)\($0.repetition)" }
        words = [state, what].compactMap(\.self).joined(separator: " — ")
        since = fault.map { $0.since ?? $0.at }
    }
}

extension FaultSnapshot {
    /// Words for how often it happened, where that is more than once.
    var repetition: String {
        guard let count, count > 1 else { return "" }
        return " (\(count) times in a row)"
    }
}
