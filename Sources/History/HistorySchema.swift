internal import AgentStatus

/// The tables of a history's file, format 1.
enum HistorySchema {
    static let statements = [
        """
        CREATE TABLE events (
            id INTEGER PRIMARY KEY, at INTEGER NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL,
            error INTEGER NOT NULL, server TEXT, tunnel TEXT, token TEXT, session INTEGER, address TEXT,
            code TEXT, message TEXT NOT NULL)
        """,
        "CREATE INDEX events_at ON events (at)",
        // What went wrong is asked for most, and there is little of it.
        "CREATE INDEX events_errors ON events (at) WHERE error = 1",
        """
        CREATE TABLE requests (
            id INTEGER PRIMARY KEY, at INTEGER NOT NULL, stands_for INTEGER NOT NULL, failed INTEGER NOT NULL,
            server TEXT NOT NULL, token TEXT, number INTEGER NOT NULL, external TEXT, trace TEXT,
            method TEXT NOT NULL, path TEXT NOT NULL, status INTEGER, request_bytes INTEGER NOT NULL,
            response_bytes INTEGER NOT NULL, first_byte REAL, duration REAL NOT NULL, queue REAL, tunnel REAL,
            origin REAL, caller TEXT NOT NULL, outcome TEXT NOT NULL)
        """,
        "CREATE INDEX requests_at ON requests (at)",
        "CREATE INDEX requests_token ON requests (token, at)",
        "CREATE INDEX requests_failed ON requests (at) WHERE failed = 1",
        """
        CREATE TABLE minutes (
            id INTEGER PRIMARY KEY, at INTEGER NOT NULL, server TEXT NOT NULL, tunnel TEXT NOT NULL,
            token TEXT NOT NULL, requests INTEGER NOT NULL, failed INTEGER NOT NULL,
            request_bytes INTEGER NOT NULL, response_bytes INTEGER NOT NULL)
        """,
        "CREATE UNIQUE INDEX minutes_key ON minutes (at, server, tunnel, token)",
    ]

    static let eventColumns =
        "id, at, number, kind, server, tunnel, token, session, address, code, message"
    static let requestColumns = """
        id, at, stands_for, server, token, number, external, trace, method, path, status, request_bytes, \
        response_bytes, first_byte, duration, queue, tunnel, origin, caller, outcome
        """
    static let minuteColumns =
        "id, at, server, tunnel, token, requests, failed, request_bytes, response_bytes"

    static let insertEvent = """
        INSERT INTO events (at, number, kind, server, tunnel, token, session, address, code, message, error)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    static let insertRequest = """
        INSERT INTO requests (at, stands_for, server, token, number, external, trace, method, path, status,
            request_bytes, response_bytes, first_byte, duration, queue, tunnel, origin, caller, outcome, failed)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    static let addToMinute = """
        INSERT INTO minutes (at, server, tunnel, token, requests, failed, request_bytes, response_bytes)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (at, server, tunnel, token) DO UPDATE SET
            requests = requests + excluded.requests, failed = failed + excluded.failed,
            request_bytes = request_bytes + excluded.request_bytes,
            response_bytes = response_bytes + excluded.response_bytes
        """
}

/// Longest texts that are kept: what callers choose is not bounded everywhere, in characters.
private let longestText = 256
private let longestMessage = 1024

extension AgentEvent {
    var values: [SQLiteValue] {
        [
            .integer(at), SQLiteValue(id), .text(kind.rawValue), SQLiteValue(server), SQLiteValue(tunnel),
            SQLiteValue(tokenHint), SQLiteValue(session), SQLiteValue(address), SQLiteValue(code),
            .text(String(message.prefix(longestMessage))), .integer(kind.isError ? 1 : 0),
        ]
    }
}

extension HistoryEvent {
    /// Nil where the kind is of a later version.
    init?(_ row: borrowing SQLiteRow) {
        guard let kind = AgentEvent.Kind(rawValue: row.text(3)) else { return nil }
        var event = AgentEvent(
            kind, server: row.optionalText(4), tunnel: row.optionalText(5), tokenHint: row.optionalText(6),
            session: row.optionalInteger(7).map(UInt64.init(clamping:)), address: row.optionalText(8),
            code: row.optionalText(9), message: row.text(10))
        event.id = UInt64(clamping: row.integer(2))
        event.at = row.integer(1)
        self.init(id: row.integer(0), event: event)
    }
}

extension HistoryRequest {
    var values: [SQLiteValue] {
        [
            .integer(request.at), .integer(Int64(standsFor)), .text(request.server),
            SQLiteValue(request.tokenHint), SQLiteValue(request.id),
            SQLiteValue(request.externalID.map { String($0.prefix(longestText)) }),
            SQLiteValue(request.traceID), .text(request.method), .text(request.path),
            SQLiteValue(request.status), .integer(Int64(request.requestBytes)),
            .integer(Int64(request.responseBytes)), SQLiteValue(request.firstByte), .real(request.duration),
            SQLiteValue(request.queue), SQLiteValue(request.tunnel), SQLiteValue(request.origin),
            .text(request.caller), .text(request.outcome), .integer(request.isFailure ? 1 : 0),
        ]
    }

    init(_ row: borrowing SQLiteRow) {
        let request = RequestSnapshot(
            at: row.integer(1), server: row.text(3), tokenHint: row.optionalText(4),
            id: UInt64(clamping: row.integer(5)), externalID: row.optionalText(6),
            traceID: row.optionalText(7), method: row.text(8), path: row.text(9),
            status: row.optionalInteger(10).map(Int.init(clamping:)),
            requestBytes: Int(clamping: row.integer(11)), responseBytes: Int(clamping: row.integer(12)),
            firstByte: row.optionalReal(13), duration: row.real(14), queue: row.optionalReal(15),
            tunnel: row.optionalReal(16), origin: row.optionalReal(17), caller: row.text(18),
            outcome: row.text(19))
        self.init(id: row.integer(0), standsFor: Int(clamping: row.integer(2)), request: request)
    }
}

/// A minute's gain, as it is written.
struct MinuteRow {
    let values: [SQLiteValue]

    init(_ key: MinuteKey, _ gain: MinuteGain) {
        // A key of a table of SQLite tells nothing from nothing: an empty text stands for none.
        values = [
            .integer(key.at), .text(key.server ?? ""), .text(key.tunnel ?? ""), .text(key.tokenHint ?? ""),
            .integer(gain.requests), .integer(gain.failed), .integer(gain.requestBytes),
            .integer(gain.responseBytes),
        ]
    }
}

extension HistoryMinute {
    init(_ row: borrowing SQLiteRow) {
        func name(_ text: String) -> String? { text.isEmpty ? nil : text }
        self.init(
            id: row.integer(0), at: row.integer(1), server: name(row.text(2)), tunnel: name(row.text(3)),
            tokenHint: name(row.text(4)), requests: row.integer(5), failed: row.integer(6),
            requestBytes: row.integer(7), responseBytes: row.integer(8))
    }
}
