/// A snapshot for people.
package enum StatusRendering {
    /// The agent in a line, how it is in another, its last reload, what is wrong now, tables of servers, of what is
    /// connected to them and of tunnels, and what went wrong last.
    ///
    /// - Parameter most: rows of each table; nil for all.
    package static func text(
        of snapshot: AgentSnapshot, style: TextStyle = .plain, most: Int? = nil
    ) -> String {
        var parts = [agent(snapshot, style), problems(snapshot)?.text(style, most: most)]
        if !snapshot.servers.isEmpty {
            parts += [servers(snapshot).text(style, most: most), connected(snapshot, style, most)]
        }
        if !snapshot.tunnels.isEmpty { parts.append(tunnels(snapshot).text(style, most: most)) }
        parts += [
            URLRendering.refused(snapshot)?.text(style, most: most),
            URLRendering.text(of: snapshot, style: style, most: most),
        ]
        let longPolling = snapshot.tunnels.compactMap(longPolling)
        parts += longPolling.prefix(most ?? .max).map { style.wrapped($0) }
        if let most, longPolling.count > most {
            parts.append(style.wrapped("and \(longPolling.count - most) tunnels more go by long polling"))
        }
        parts += [
            WebhookRendering.table(snapshot)?.text(style, most: most),
            faults(snapshot)?.text(style, most: most),
        ]
        return parts.compactMap(\.self).joined(separator: "\n")
    }

    /// The agent, how it is, and what is wrong now.
    ///
    /// - Parameter most: rows; nil for all.
    package static func problems(
        of snapshot: AgentSnapshot, style: TextStyle = .plain, most: Int? = nil
    ) -> String {
        [agent(snapshot, style), problems(snapshot)?.text(style, most: most)].compactMap(\.self)
            .joined(separator: "\n")
    }

    /// How it is in a line, for monitors: `up` or `down`, the counts, and the first problems.
    package static func check(of snapshot: AgentSnapshot) -> String {
        let problems = snapshot.problems
        let words = summary(snapshot, .plain).dropLast()
        guard !problems.isEmpty else { return "up: \(words)\n" }
        let first = problems.prefix(3).map { "\($0.subject) \($0.words)" }
        let more = problems.count > 3 ? ["and \(problems.count - 3) more"] : []
        return "down: \(words): \((first + more).joined(separator: "; "))".undeceiving + "\n"
    }

    private static func agent(_ snapshot: AgentSnapshot, _ style: TextStyle) -> String {
        let uptime = DurationWords.of(from: snapshot.startedAt, to: snapshot.takenAt)
        let head =
            "\(snapshot.software), process \(snapshot.processID), \(snapshot.phase.rawValue) for \(uptime), generation \(snapshot.generation)"
        var text = style.wrapped(head) + summary(snapshot, style)
        for line in changes(snapshot) { text += style.wrapped(line) }
        if let load = snapshot.load { text += style.wrapped(load.line) }
        if let tracing = snapshot.tracing { text += style.wrapped(tracing.line) }
        if let line = snapshot.history?.line { text += style.wrapped(line) }
        guard let reload = snapshot.lastReload else { return text }
        let ago = DurationWords.of(from: reload.finishedAt, to: snapshot.takenAt)
        text += style.wrapped(
            "last reload (\(reload.trigger)) \(ago) ago: ", ending: reload.outcome.rawValue,
            reload.outcome == .refused ? .red : nil)
        for line in reload.errors + reload.plan.notes { text += style.wrapped(line, indent: 2) }
        return text
    }

    /// What is otherwise than the configuration file says, because somebody has asked for it.
    private static func changes(_ snapshot: AgentSnapshot) -> [String] {
        var lines = (snapshot.paused ?? []).map { pause in
            let ago = DurationWords.of(from: pause.since, to: snapshot.takenAt)
            return "\(pause.kind.rawValue) \(pause.name) is paused, since \(ago) by \(pause.by)"
        }
        if snapshot.isRolledBack == true {
            lines.append("rolled back: what runs is not what the file said; a reload reads the file again")
        }
        if let count = snapshot.blockedTokens, count > 0 {
            lines.append("\(number(count, "token")) blocked")
        }
        if let log = snapshot.logLevel, log.isChanged {
            let end = log.until.map { "for another \(DurationWords.of(from: snapshot.takenAt, to: $0))" }
            lines.append(
                "log level \(log.level) in place of \(log.configured), \(end ?? "until the next reload")")
        }
        return lines
    }

    /// How it is, in a line.
    private static func summary(_ snapshot: AgentSnapshot, _ style: TextStyle) -> String {
        var counts: [String] = []
        if !snapshot.servers.isEmpty {
            let tokens = snapshot.servers.reduce(0) { $0.addingClamped($1.tunnels) }
            counts.append(
                "\(number(snapshot.servers.count, "server")) with \(number(tokens, "connected token"))")
        }
        let more = snapshot.moreTunnels ?? 0
        if !snapshot.tunnels.isEmpty {
            let all = number(snapshot.tunnels.count.addingClamped(more), "tunnel")
            counts.append(more == 0 ? all : "\(snapshot.tunnels.count) of \(all)")
        }
        guard !counts.isEmpty else { return "nothing to run\n" }
        let problems = snapshot.problems.count
        let paused = snapshot.paused?.count ?? 0
        return style.wrapped(
            counts.joined(separator: ", ") + ": ",
            ending: (problems == 0
                ? paused == 0 ? more == 0 ? "all up" : "all of these up" : "all others up"
                : number(problems, "problem"))
                + (paused == 0 ? "" : ", \(paused) paused"),
            problems == 0 ? .green : .red)
    }

    static func number(_ count: Int, _ noun: String) -> String {
        "\(count) \(noun)\(count == 1 ? "" : "s")"
    }

    private static func problems(_ snapshot: AgentSnapshot) -> TextTable? {
        var table = TextTable(["PROBLEM", "SINCE", "WHAT"], wrapsLast: true)
        for problem in snapshot.problems {
            let since = problem.since.map { DurationWords.of(from: $0, to: snapshot.takenAt) }
            table.add([problem.subject, since ?? "-", problem.words], [0: .red])
        }
        return table.isEmpty ? nil : table
    }

    private static func servers(_ snapshot: AgentSnapshot) -> TextTable {
        var table = TextTable(
            [
                "SERVER", "STATE", "ADDRESS", "TUNNELS", "SESSIONS", "CALLERS", "WAITING", "REQUESTS",
                "REQ/S", "IN", "OUT",
            ],
            numeric: [3, 4, 5, 6, 7, 8, 9, 10], expendable: [10, 9, 8, 6, 5, 3, 7])
        for server in snapshot.servers {
            table.add(
                [
                    server.name, server.state.rawValue, server.address, "\(server.tunnels)",
                    "\(server.sessions)", "\(server.callers)", "\(server.waiting)",
                ] + traffic(server.traffic), [1: server.state.colour])
        }
        return table
    }

    private static func connected(_ snapshot: AgentSnapshot, _ style: TextStyle, _ most: Int?) -> String? {
        let hasQuotas = snapshot.servers.contains { ($0.connected ?? []).contains { $0.monthLimit != nil } }
        var table = TextTable(
            [
                "CONNECTED TO", "NAME", "TOKEN", "ADDRESS", "SOFTWARE", "PROTOCOL", "CLIENTS", "SESSIONS",
                "REQUESTS", "PENDING", "FOR",
            ] + (hasQuotas ? ["THIS MONTH"] : []),
            numeric: [6, 7, 8, 9, 10, 11], expendable: [5, 9, 6, 4, 7, 8])
        for server in snapshot.servers {
            for token in server.connected ?? [] {
                table.add(
                    [
                        server.name, token.name.isEmpty ? "-" : token.name,
                        "\(token.tokenHint) \(token.tokenTag)",
                        token.address + (token.certificateName.map { " (\($0))" } ?? ""),
                        token.software.isEmpty ? "-" : token.software,
                        "v\(token.protocolVersion)", "\(token.clients)", "\(token.sessions)",
                        "\(token.requests)", "\(token.pending)",
                        DurationWords.of(from: token.since, to: snapshot.takenAt),
                    ] + (hasQuotas ? [month(token)] : []))
            }
        }
        guard !table.isEmpty else { return nil }
        let more = snapshot.unlistedTokens
        guard more > 0 else { return table.text(style, most: most) }
        let rest = "and \(number(more, "connected token")) more; --tunnel NAME shows those of one name"
        return table.text(style, most: most) + style.wrapped(rest)
    }

    private static func month(_ token: ConnectedToken) -> String {
        guard let used = token.monthBytes, let limit = token.monthLimit else { return "-" }
        return "\(bytes(used)) of \(bytes(limit))"
    }

    private static func tunnels(_ snapshot: AgentSnapshot) -> TextTable {
        var table = TextTable(
            ["TUNNEL", "STATE", "SERVER", "TOKEN", "SESSIONS", "REQUESTS", "REQ/S", "IN", "OUT"],
            numeric: [4, 5, 6, 7, 8], expendable: [8, 7, 6, 3, 5])
        for tunnel in snapshot.tunnels {
            table.add(
                [
                    tunnel.name, tunnel.state.rawValue, tunnel.server, tunnel.tokenHint,
                    "\(tunnel.connections.count)/\(tunnel.wanted)",
                ] + traffic(tunnel.traffic), [1: tunnel.state.colour])
        }
        return table
    }

    /// By what a tunnel goes, where that is not the usual, and why.
    private static func longPolling(_ tunnel: TunnelSnapshot) -> String? {
        guard tunnel.connections.contains(where: { $0.transport == .longpoll }) else { return nil }
        let words = "tunnel \(tunnel.name) goes by long polling"
        return tunnel.longPollReason.map { "\(words), as no WebSocket gets through: \($0)" } ?? words
    }

    private static func traffic(_ traffic: TrafficSnapshot) -> [String] {
        [
            "\(traffic.requests)", traffic.requestsPerSecond.map(rate) ?? "-",
            bytes(traffic.requestBytes), bytes(traffic.responseBytes),
        ]
    }

    private static func faults(_ snapshot: AgentSnapshot) -> TextTable? {
        let faults =
            snapshot.servers.map { ("server \($0.name)", $0.lastFault) }
            + snapshot.tunnels.map { ("tunnel \($0.name)", $0.lastFault) }
        // What is a problem now has been told.
        let told = Set(snapshot.problems.map(\.subject))
        var table = TextTable(["LAST FAULT OF", "AGO", "WHAT"], wrapsLast: true)
        for (name, fault) in faults where !told.contains(name) {
            guard let fault else { continue }
            table.add([
                name, DurationWords.of(from: fault.at, to: snapshot.takenAt),
                "\(fault.code): \(fault.message)\(fault.repetition)",
            ])
        }
        return table.isEmpty ? nil : table
    }

    /// Greater ones are shown as this.
    private static let greatestRate = 1e15

    /// With one decimal below ten.
    static func rate(_ rate: Double) -> String {
        guard !rate.isNaN else { return "-" }
        if rate >= 10 { return "\(Int(min(rate, greatestRate).rounded()))" }
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

extension ServerSnapshot.State {
    fileprivate var colour: TextStyle.Colour {
        switch self {
        case .listening: .green
        case .draining, .paused: .yellow
        case .failed: .red
        }
    }
}

extension TunnelSnapshot.State {
    fileprivate var colour: TextStyle.Colour {
        switch self {
        case .connected: .green
        case .draining, .paused: .yellow
        case .connecting, .gaveUp: .red
        }
    }
}
