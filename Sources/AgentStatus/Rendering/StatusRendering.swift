/// A snapshot for people.
package enum StatusRendering {
    /// The agent, its last reload, a table of servers and one of tunnels, and what last went wrong.
    package static func text(of snapshot: AgentSnapshot) -> String {
        var text = agent(snapshot)
        if !snapshot.servers.isEmpty { text += "\n" + servers(snapshot) }
        if !snapshot.tunnels.isEmpty { text += "\n" + tunnels(snapshot) }
        let faults = self.faults(snapshot)
        return faults.isEmpty ? text : text + "\n" + faults
    }

    private static func agent(_ snapshot: AgentSnapshot) -> String {
        let uptime = DurationWords.of(seconds: snapshot.takenAt - snapshot.startedAt)
        var text =
            "\(snapshot.software), process \(snapshot.processID), \(snapshot.phase.rawValue) for \(uptime)"
        text += ", generation \(snapshot.generation)\n"
        guard let reload = snapshot.lastReload else { return text }
        let ago = DurationWords.of(seconds: snapshot.takenAt - reload.finishedAt)
        text += "last reload (\(reload.trigger)) \(ago) ago: \(reload.outcome.rawValue)\n"
        for error in reload.errors { text += "  \(error)\n" }
        for note in reload.plan.notes { text += "  \(note)\n" }
        return text
    }

    private static func servers(_ snapshot: AgentSnapshot) -> String {
        var table = TextTable(
            [
                "SERVER", "STATE", "ADDRESS", "TUNNELS", "SESSIONS", "CALLERS", "WAITING", "REQUESTS",
                "REQ/S", "IN", "OUT",
            ],
            numeric: [3, 4, 5, 6, 7, 8, 9, 10])
        for server in snapshot.servers {
            table.add(
                [
                    server.name, server.state.rawValue, server.address, "\(server.tunnels)",
                    "\(server.sessions)", "\(server.callers)", "\(server.waiting)",
                ] + traffic(server.traffic))
        }
        return table.text
    }

    private static func tunnels(_ snapshot: AgentSnapshot) -> String {
        var table = TextTable(
            ["TUNNEL", "STATE", "SERVER", "TOKEN", "SESSIONS", "REQUESTS", "REQ/S", "IN", "OUT"],
            numeric: [4, 5, 6, 7, 8])
        for tunnel in snapshot.tunnels {
            table.add(
                [
                    tunnel.name, tunnel.state.rawValue, tunnel.server, tunnel.tokenHint,
                    "\(tunnel.connections.count)/\(tunnel.wanted)",
                ] + traffic(tunnel.traffic))
        }
        return table.text
    }

    private static func traffic(_ traffic: TrafficSnapshot) -> [String] {
        [
            "\(traffic.requests)", traffic.requestsPerSecond.map(rate) ?? "-",
            bytes(traffic.requestBytes), bytes(traffic.responseBytes),
        ]
    }

    private static func faults(_ snapshot: AgentSnapshot) -> String {
        let faults =
            snapshot.servers.map { ("server \($0.name)", $0.lastFault) }
            + snapshot.tunnels.map { ("tunnel \($0.name)", $0.lastFault) }
        var table = TextTable(["LAST FAULT OF", "AGO", "WHAT"])
        var isEmpty = true
        for (name, fault) in faults {
            guard let fault else { continue }
            isEmpty = false
            table.add([
                name, DurationWords.of(seconds: snapshot.takenAt - fault.at),
                "\(fault.code): \(fault.message)",
            ])
        }
        return isEmpty ? "" : table.text
    }

    /// With one decimal below ten.
    static func rate(_ rate: Double) -> String {
        if rate >= 10 { return "\(Int(rate.rounded()))" }
        let tenths = Int((max(0, rate) * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    /// In units of 1024.
    static func bytes(_ count: UInt64) -> String {
        var value = Double(count)
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if value < 1024 { return unit == "B" ? "\(count) B" : "\(rate(value)) \(unit)" }
            value /= 1024
        }
        return "\(rate(value)) TiB"
    }
}

/// A duration in its two greatest units.
enum DurationWords {
    static func of(seconds: Int) -> String {
        let seconds = max(0, seconds)
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60)
        if days > 0 { return "\(days)d\(hours)h" }
        if hours > 0 { return "\(hours)h\(minutes)m" }
        return minutes > 0 ? "\(minutes)m\(seconds % 60)s" : "\(seconds)s"
    }
}
