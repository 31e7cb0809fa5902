internal import AgentStatus

/// Asks a history's file, over a connection of its own that can change nothing.
struct HistoryReader {
    /// How long one question may take.
    static let patience: Duration = .seconds(2)

    private let connection: SQLiteConnection

    init(path: String) throws(SQLiteError) {
        connection = try SQLiteConnection(path: path, .read, followsLinks: true, patience: .seconds(1))
        try connection.run("PRAGMA query_only = 1")
    }

    func page(_ query: HistoryQuery) throws(SQLiteError) -> HistoryPage {
        connection.limit(to: Self.patience)
        var page = HistoryPage(source: .file)
        switch query.subject {
        case .events:
            let (rows, next) = try rows(
                of: query, HistorySchema.eventColumns, { HistoryEvent($0) }, conditions(query))
            (page.events, page.next) = (rows, next)
        case .requests:
            let (rows, next) = try rows(
                of: query, HistorySchema.requestColumns, { HistoryRequest($0) }, conditions(query))
            (page.requests, page.next) = (rows, next)
        case .minutes:
            let (rows, next) = try rows(
                of: query, HistorySchema.minuteColumns, { HistoryMinute($0) }, conditions(query))
            (page.minutes, page.next) = (rows, next)
        }
        return page
    }

    private typealias Condition = (text: String, values: [SQLiteValue])

    /// What rows have to meet, beside their time.
    private func conditions(_ query: HistoryQuery) -> [Condition] {
        var conditions: [Condition] = []
        if let tunnel = query.tunnel {
            switch query.subject {
            case .requests: conditions.append(("token = ?", [.text(tunnel)]))
            case .events, .minutes:
                conditions.append(("(tunnel = ? OR token = ?)", [.text(tunnel), .text(tunnel)]))
            }
        }
        if let server = query.server { conditions.append(("server = ?", [.text(server)])) }
        if let kind = query.kind, query.subject == .events {
            conditions.append(("kind = ?", [.text(kind)]))
        }
        if let status = query.status, query.subject == .requests {
            conditions.append(
                (
                    "status BETWEEN ? AND ?",
                    [.integer(Int64(status.lowerBound)), .integer(Int64(status.upperBound))]
                ))
        }
        if query.errorsOnly {
            switch query.subject {
            case .events: conditions.append(("error = 1", []))
            case .requests: conditions.append(("failed = 1", []))
            case .minutes: conditions.append(("failed > 0", []))
            }
        }
        return conditions
    }

    private func rows<Element>(
        of query: HistoryQuery, _ columns: String, _ read: (borrowing SQLiteRow) -> Element?,
        _ conditions: [Condition]
    ) throws(SQLiteError) -> (rows: [Element], next: Int64?) {
        // One of the few names that there are.
        let table = query.subject.rawValue
        var conditions = conditions
        if let since = query.since { conditions.append(("at >= ?", [.integer(since)])) }
        if let until = query.until { conditions.append(("at <= ?", [.integer(until)])) }
        if let before = query.before {
            let place = try connection.rows("SELECT at FROM \(table) WHERE id = ?", [.integer(before)]) {
                $0.integer(0)
            }
            // It was the oldest, and what was older has gone with it.
            guard let at = place.first else { return ([], nil) }
            conditions.append(("at <= ?", [.integer(at)]))
            conditions.append(("(at < ? OR id < ?)", [.integer(at), .integer(before)]))
        }
        let filter =
            conditions.isEmpty ? "" : " WHERE " + conditions.map(\.text).joined(separator: " AND ")
        let limit = min(max(1, query.limit), HistoryQuery.mostRows)
        let found = try connection.rows(
            "SELECT \(columns) FROM \(table)\(filter) ORDER BY at DESC, id DESC LIMIT ?",
            conditions.flatMap(\.values) + [.integer(Int64(limit))],
            { (row: borrowing SQLiteRow) in (row.integer(0), read(row)) })
        return (found.compactMap(\.1), found.count == limit ? found.last?.0 : nil)
    }
}
