/// What `wstunnel top` shows, as lines.
package struct TopScreen {
    private struct Column {
        var title: String
        var width: Int
        var isNumber = false
        var text: (TopRow) -> String
    }

    private static let reverse = "\u{1b}[7m"
    private static let plain = "\u{1b}[0m"
    /// Rows of a table that goes to a file or a program.
    private static let mostPlainRows = 200

    private let state: TopState
    private let style: TextStyle

    private init(_ state: TopState, _ style: TextStyle) {
        self.state = state
        self.style = style
    }

    /// A line for each of the terminal, none wider than it is.
    ///
    /// - Parameter state: is told how many rows there is room for.
    package static func lines(
        of state: inout TopState, width: Int, height: Int, hasColour: Bool
    ) -> [String] {
        let (width, height) = (max(1, width), max(1, height))
        let style = TextStyle(width: width, hasColour: hasColour)
        let head = TopScreen(state, style).head(width)
        state.makeRoom(for: height - head.count - 2)
        let screen = TopScreen(state, style)
        var lines = head
        if case .details(let id) = state.mode {
            lines += screen.details(of: id, width)
        } else {
            lines += screen.table(width, rows: max(0, height - head.count - 2))
        }
        lines = Array(lines.prefix(height - 1))
        lines += Array(repeating: "", count: height - 1 - lines.count)
        return lines + [screen.foot(width)]
    }

    /// For what is no terminal: a summary and the table, as it is now.
    ///
    /// - Parameter time: as it is shown.
    package static func plainText(of state: TopState, time: String) -> String {
        let screen = TopScreen(state, .plain)
        guard state.snapshot != nil, state.fault == nil else { return "\(time) \(screen.summary)\n" }
        var table = TextTable([
            "NAME", "STATE", "SESSIONS", "REQ/S", "BYTES/S", "IN FLIGHT", "WHERE", "LAST FAULT",
        ])
        for row in state.rows.prefix(mostPlainRows) {
            table.add([
                screen.name(row), row.state, row.sessions, screen.rate(row.requestRate),
                screen.bytes(row.byteRate),
                row.inFlight.map { "\($0)" } ?? "-", row.place, screen.fault(row),
            ])
        }
        let more = state.rows.count - mostPlainRows
        return "\(time) \(screen.summary)\n" + table.text() + (more > 0 ? "and \(more) more\n" : "")
            + (screen.unlisted.map { "\($0)\n" } ?? "")
    }

    // MARK: Above and below

    private var summary: String {
        if let fault = state.fault { return fault.undeceiving }
        guard let snapshot = state.snapshot else { return "waiting for the agent" }
        let uptime = DurationWords.of(from: snapshot.startedAt, to: snapshot.takenAt)
        let problems = snapshot.problems.count
        let health = problems == 0 ? "all up" : StatusRendering.number(problems, "problem")
        let servers = StatusRendering.number(snapshot.servers.count, "server")
        let tunnels = StatusRendering.number(snapshot.tunnels.count, "tunnel")
        let agent = "\(snapshot.software), process \(snapshot.processID), for \(uptime)"
        return "\(health), \(servers), \(tunnels): \(agent)".undeceiving
    }

    private func head(_ width: Int) -> [String] {
        let isWell = state.fault == nil && state.snapshot?.problems.isEmpty != false
        var lines = [style.painted(summary.cut(toColumns: width), isWell ? .green : .red)]
        if let load = state.snapshot?.load { lines.append(load.line.cut(toColumns: width)) }
        let rows = state.rows.filter { $0.id.kind != .connected }
        let requests = rows.compactMap(\.requestRate).reduce(0, +)
        let bytes = rows.compactMap(\.byteRate).reduce(0, +)
        var words = "\(rate(requests)) requests/s, \(self.bytes(bytes))/s, \(state.rows.count) shown"
        if state.mode == .filtering || !state.filter.isEmpty {
            words = "filter: \(state.filter)\(state.mode == .filtering ? "_" : ""), " + words
        }
        words += unlisted.map { ", \($0)" } ?? ""
        if state.isPaused { words = "PAUSED, " + words }
        return lines + [words.cut(toColumns: width)]
    }

    /// What the agent leaves out; nil where that is nothing.
    private var unlisted: String? {
        guard let count = state.snapshot?.unlistedTokens, count > 0 else { return nil }
        return "\(StatusRendering.number(count, "connected token")) more not listed"
    }

    private func foot(_ width: Int) -> String {
        let keys =
            switch state.mode {
            case .table:
                "q quit  / filter  Enter details  p pause  sort: n name s state r requests b bytes f in flight"
            case .filtering: "type what names, states or addresses hold; Enter keeps it, Esc drops it"
            case .details: "Esc back  p pause  q quit"
            }
        return keys.cut(toColumns: width)
    }

    // MARK: The table

    private func table(_ width: Int, rows: Int) -> [String] {
        let columns = columns(within: width)
        let header = columns.map { $0.title.fitted(toColumns: $0.width, isNumber: $0.isNumber) }
            .joined(separator: "  ")
        let shown = state.rows.dropFirst(state.first).prefix(rows)
        return [header.cut(toColumns: width)]
            + zip(shown.indices, shown).map { index, row in
                let line = columns.map { $0.text(row).fitted(toColumns: $0.width, isNumber: $0.isNumber) }
                    .joined(separator: "  ").cut(toColumns: width)
                if index == state.selected { return Self.reverse + line + Self.plain }
                return style.painted(line, row.isDown ? .red : row.isUneasy ? .yellow : nil)
            }
    }

    /// Those that matter most come first; the last texts get what is left.
    private func columns(within width: Int) -> [Column] {
        let sorted = state.order
        func title(_ text: String, _ order: TopState.Order?) -> String { order == sorted ? text + "*" : text }
        var columns = [
            Column(title: title("NAME", .name), width: max(8, min(24, width / 4)), text: name),
            Column(title: title("STATE", .state), width: 10) { $0.state },
            Column(title: "SESSIONS", width: 8, isNumber: true) { $0.sessions },
            Column(title: title("REQ/S", .requests), width: 7, isNumber: true) { rate($0.requestRate) },
            Column(title: title("BYTES/S", .bytes), width: 9, isNumber: true) { bytes($0.byteRate) },
            Column(title: title("FLIGHT", .inFlight), width: 7, isNumber: true) { row in
                row.inFlight.map { "\($0)" } ?? "-"
            },
        ]
        func used() -> Int { columns.reduce(0) { $0 + $1.width + 2 } - 2 }
        while columns.count > 2, used() > width { columns.removeLast() }
        let left = width - used() - 2
        guard left >= 10 else { return columns }
        guard left >= 44 else { return columns + [Column(title: "LAST FAULT", width: left, text: fault)] }
        let place = (left - 2) / 2
        return columns + [
            Column(title: "WHERE", width: place) { $0.place },
            Column(title: "LAST FAULT", width: left - 2 - place, text: fault),
        ]
    }

    private func name(_ row: TopRow) -> String {
        switch row.id.kind {
        case .server: "server \(row.name)"
        case .connected: "< \(row.name)"
        case .tunnel: row.name
        }
    }

    private func fault(_ row: TopRow) -> String {
        guard let fault = row.fault, let snapshot = state.snapshot else { return "" }
        let ago = DurationWords.of(from: fault.at, to: snapshot.takenAt)
        return "\(ago) \(fault.code): \(fault.message)"
    }

    private func rate(_ rate: Double?) -> String { rate.map(StatusRendering.rate) ?? "-" }

    private func bytes(_ rate: Double?) -> String {
        rate.map { $0.isNaN ? "-" : StatusRendering.bytes(UInt64(max(0, min($0, 1e15)))) } ?? "-"
    }

    // MARK: One row

    private func details(of id: TopRow.ID, _ width: Int) -> [String] {
        guard let row = state.rows.first(where: { $0.id == id }) else { return ["", "it is gone"] }
        var facts = [
            ("state", row.state), ("where", row.place), ("sessions", row.sessions),
            ("requests", "\(row.counts.requests), \(rate(row.requestRate))/s"),
            (
                "bytes",
                (row.counts.bytes.map { StatusRendering.bytes($0) } ?? "-") + ", \(bytes(row.byteRate))/s"
            ),
            ("in flight", row.inFlight.map { "\($0)" } ?? "-"),
        ]
        if id.kind == .tunnel, let tunnel = state.snapshot?.tunnels.first(where: { $0.name == id.name }) {
            facts += tunnelFacts(tunnel)
        }
        if !fault(row).isEmpty { facts.append(("last fault", fault(row) + (row.fault?.repetition ?? ""))) }
        var lines = ["", name(row)] + facts.map { $0.fitted(toColumns: 12) + $1 }
        let events = state.events.filter { event in
            id.kind == .server ? event.server == id.name : event.tunnel == id.name && !id.name.isEmpty
        }
        lines += ["", events.isEmpty ? "no events" : "latest events, the last one first"]
        lines += events.reversed().map { event in
            let ago = DurationWords.of(from: Int(event.at / 1000), to: state.snapshot?.takenAt ?? 0)
            return EventRendering.line(of: event, time: ago.fitted(toColumns: 8))
        }
        return lines.map { $0.cut(toColumns: width) }
    }

    private func tunnelFacts(_ tunnel: TunnelSnapshot) -> [(String, String)] {
        var facts = [("token", tunnel.tokenHint)]
        let now = state.snapshot?.takenAt ?? 0
        facts += tunnel.connections.map { connection in
            (
                "session",
                "\(connection.id) by \(connection.transport.rawValue), v\(connection.protocolVersion), for "
                    + DurationWords.of(from: connection.since, to: now)
                    + (connection.isDraining ? ", draining" : "")
            )
        }
        if let reason = tunnel.longPollReason { facts.append(("long poll", reason)) }
        facts += (tunnel.hosts ?? []).map { ("name", $0.url ?? "\($0.claim) \($0.refusal ?? "not granted")") }
        facts += (tunnel.origins ?? []).map { origin in
            ("origin", origin.name + (origin.isUp ? " up" : " down: \(origin.reason ?? "")"))
        }
        return facts
    }
}
