import HTTPMessage

/// The history for people.
package enum HistoryRendering {
    /// A row for each, the oldest first.
    package static func text(of page: HistoryPage, style: TextStyle = .plain) -> String {
        var parts: [String] = []
        if let events = page.events, let requests = page.requests {
            parts.append(errors(events, requests, style))
        } else if let events = page.events {
            parts.append(table(of: events, style))
        } else if let requests = page.requests {
            parts.append(table(of: requests, style))
        }
        if let minutes = page.minutes { parts.append(table(of: minutes, style)) }
        if page.source == .memory { parts.append("from memory, which keeps the latest alone\n") }
        return parts.joined(separator: "\n")
    }

    private static let nothing = "nothing is known of that\n"

    private static func table(of events: [HistoryEvent], _ style: TextStyle) -> String {
        guard !events.isEmpty else { return nothing }
        var table = TextTable(["TIME (UTC)", "EVENT", "OF", "WHAT"], wrapsLast: true)
        for event in events.reversed().map(\.event) { table.add(row(event), colour(event)) }
        return table.text(style)
    }

    private static func row(_ event: AgentEvent) -> [String] {
        let of = [event.server, event.tunnel ?? event.tokenHint, event.address].compactMap(\.self)
        let what = [event.code, event.message].compactMap(\.self).filter { !$0.isEmpty }
        return [
            time(event.at), event.kind.rawValue, of.isEmpty ? "-" : of.joined(separator: " "),
            what.joined(separator: ": "),
        ]
    }

    private static func colour(_ event: AgentEvent) -> [Int: TextStyle.Colour] {
        event.kind.isError ? [1: .red] : [:]
    }

    private static func table(of requests: [HistoryRequest], _ style: TextStyle) -> String {
        guard !requests.isEmpty else { return nothing }
        var table = TextTable(
            [
                "TIME (UTC)", "SERVER", "TOKEN", "STATUS", "METHOD", "PATH", "MS", "QUEUE", "TUNNEL",
                "ORIGIN",
                "TIMES", "CALLER", "OUTCOME",
            ], numeric: [3, 6, 7, 8, 9, 10], expendable: [11, 1, 10, 7, 8, 9, 2])
        for entry in requests.reversed() {
            let request = entry.request
            table.add(
                [
                    time(request.at), request.server, request.tokenHint ?? "-",
                    request.status.map { "\($0)" } ?? "-", request.method, request.path,
                    milliseconds(request.duration), milliseconds(request.queue),
                    milliseconds(request.tunnel), milliseconds(request.origin), "\(entry.standsFor)",
                    request.caller, request.outcome,
                ], request.isFailure ? [3: .red] : [:])
        }
        return table.text(style)
    }

    private static func table(of minutes: [HistoryMinute], _ style: TextStyle) -> String {
        guard !minutes.isEmpty else { return nothing }
        var table = TextTable(
            ["MINUTE (UTC)", "SERVER", "TUNNEL", "REQUESTS", "FAILED", "IN", "OUT"], numeric: [3, 4, 5, 6])
        for minute in minutes.reversed() {
            table.add(
                [
                    String(time(minute.at).dropLast(3)), minute.server ?? "-",
                    minute.tunnel ?? minute.tokenHint ?? "all", "\(minute.requests)", "\(minute.failed)",
                    StatusRendering.bytes(UInt64(max(0, minute.requestBytes))),
                    StatusRendering.bytes(UInt64(max(0, minute.responseBytes))),
                ], minute.failed > 0 ? [4: .red] : [:])
        }
        return table.text(style)
    }

    /// Events and requests in one row of time.
    private static func errors(
        _ events: [HistoryEvent], _ requests: [HistoryRequest], _ style: TextStyle
    ) -> String {
        guard !events.isEmpty || !requests.isEmpty else { return "nothing went wrong\n" }
        var rows = events.map { ($0.event.at, row($0.event)) }
        rows += requests.map { entry in
            let request = entry.request
            let of = [request.server, request.tokenHint].compactMap(\.self).joined(separator: " ")
            let what =
                "\(request.method) \(request.path) — \(request.outcome) in \(milliseconds(request.duration)) ms"
            return (request.at, [time(request.at), request.status.map { "\($0)" } ?? "cut", of, what])
        }
        var table = TextTable(["TIME (UTC)", "WHAT", "OF", "DETAILS"], wrapsLast: true)
        for (_, row) in rows.sorted(by: { $0.0 < $1.0 }) { table.add(row, [1: .red]) }
        return table.text(style)
    }

    private static func milliseconds(_ value: Double?) -> String {
        guard let value, !value.isNaN else { return "-" }
        return value < 100 ? "\((value * 10).rounded() / 10)" : "\(Int(min(value, 1e12)))"
    }

    /// Such as `2026-12-01 08:15:42`, of milliseconds since 1970.
    static func time(_ milliseconds: Int64) -> String {
        let seconds = max(0, min(milliseconds, 253_402_300_799_000)) / 1000
        let (days, rest) = (seconds / 86_400, seconds % 86_400)
        let date = CivilDate(daysSince1970: Int(days))
        return
            "\(date.year)-\(two(Int64(date.month)))-\(two(Int64(date.day))) \(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60))"
    }

    private static func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

extension HistorySnapshot {
    /// Where it is kept, in a line; nil where there is nothing to tell.
    var line: String? {
        guard let file else { return nil }
        let size = StatusRendering.bytes(UInt64(max(0, bytes)))
        let rows = "\(events) events, \(requests) requests, \(minutes) minutes"
        return "history: \(file), \(size), \(rows)" + (lost == 0 ? "" : ", \(lost) lost")
    }
}
