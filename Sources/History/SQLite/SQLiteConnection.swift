internal import CSQLite
internal import Glibc

/// What a statement is given.
enum SQLiteValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)

    init(_ text: String?) { self = text.map { .text($0) } ?? .null }
    init(_ number: Int?) { self = number.map { .integer(Int64($0)) } ?? .null }
    init(_ number: Double?) { self = number.map { .real($0) } ?? .null }
    init(_ number: UInt64?) { self = number.map { .integer(Int64(clamping: $0)) } ?? .null }
}

/// A row of an answer, while it is read.
struct SQLiteRow: ~Copyable {
    fileprivate let statement: OpaquePointer

    private func isNull(_ column: Int32) -> Bool { sqlite3_column_type(statement, column) == SQLITE_NULL }

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }

    func optionalInteger(_ column: Int32) -> Int64? { isNull(column) ? nil : integer(column) }

    func real(_ column: Int32) -> Double { sqlite3_column_double(statement, column) }

    func optionalReal(_ column: Int32) -> Double? { isNull(column) ? nil : real(column) }

    func text(_ column: Int32) -> String { optionalText(column) ?? "" }

    func optionalText(_ column: Int32) -> String? {
        sqlite3_column_text(statement, column).map { String(cString: $0) }
    }
}

/// A connection to a file of SQLite, closed with the last reference to it. For one thread at a time.
///
/// Values go in beside the text of a statement, never as a part of it. Statements are prepared once, and kept.
final class SQLiteConnection {
    enum Access: Sendable {
        case read, write
    }

    /// Until when a statement may run, in nanoseconds of the clock that never goes back; 0: as long as it takes.
    private let deadline = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
    private let handle: OpaquePointer
    private var statements: [String: OpaquePointer] = [:]

    /// - Parameters:
    ///   - followsLinks: false where others may have put a link at the path.
    ///   - patience: for a lock that somebody else has.
    init(
        path: String, _ access: Access, followsLinks: Bool, patience: Duration
    ) throws(SQLiteError) {
        deadline.initialize(to: 0)
        var flags = (access == .read ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX
        if !followsLinks { flags |= SQLITE_OPEN_NOFOLLOW }
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(path, &opened, flags, nil)
        guard code == SQLITE_OK, let opened else {
            let message = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            sqlite3_close_v2(opened)
            deadline.deallocate()
            throw SQLiteError(code: code, message: message)
        }
        handle = opened
        let (seconds, attoseconds) = patience.components
        sqlite3_busy_timeout(handle, Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000))
        // Who closes last would remove the files beside it by their names: they may be another file's by then.
        var stays: Int32 = 1
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_PERSIST_WAL, &stays)
        sqlite3_progress_handler(
            handle, 1000,
            { argument in
                guard let limit = argument?.load(as: UInt64.self), limit > 0 else { return 0 }
                return SQLiteConnection.now > limit ? 1 : 0
            }, deadline)
    }

    deinit {
        for statement in statements.values { sqlite3_finalize(statement) }
        sqlite3_close_v2(handle)
        deadline.deallocate()
    }

    private static var now: UInt64 { monotonicNanoseconds() }

    /// Lets statements run no longer than so from now; nil: as long as they take.
    func limit(to time: Duration?) {
        guard let time else {
            deadline.pointee = 0
            return
        }
        let (seconds, attoseconds) = time.components
        deadline.pointee = Self.now + UInt64(clamping: seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    /// The same for statements that look at no limit for long, at the cost of a thread.
    func within<Value>(
        _ time: Duration, _ work: () throws(SQLiteError) -> Value
    ) throws(SQLiteError) -> Value {
        let interruption = Interruption(of: handle, after: time)
        guard interruption.start() else {
            throw SQLiteError(code: SQLITE_INTERRUPT, message: "there is no thread to watch over it")
        }
        limit(to: time)
        defer {
            interruption.cancel()
            limit(to: nil)
        }
        return try work()
    }

    /// Rows that the last statement changed.
    var changes: Int { Int(sqlite3_changes(handle)) }

    /// Carries a statement out, whatever it answers.
    func run(_ sql: String, _ values: [SQLiteValue] = []) throws(SQLiteError) {
        _ = try rows(sql, values) { _ in () }
    }

    /// The first number that a statement answers; 0 where it answers none.
    func number(_ sql: String, _ values: [SQLiteValue] = []) throws(SQLiteError) -> Int64 {
        try rows(sql, values) { $0.integer(0) }.first ?? 0
    }

    /// What a statement answers.
    func rows<Element>(
        _ sql: String, _ values: [SQLiteValue] = [], _ read: (borrowing SQLiteRow) -> Element
    ) throws(SQLiteError) -> [Element] {
        let statement = try prepared(sql)
        defer {
            sqlite3_reset(statement)
            sqlite3_clear_bindings(statement)
        }
        for (index, value) in values.enumerated() { bind(value, Int32(index + 1), statement) }
        var elements: [Element] = []
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_ROW: elements.append(read(SQLiteRow(statement: statement)))
            case SQLITE_DONE: return elements
            case let code: throw failure(code)
            }
        }
    }

    /// Does all of it, or nothing.
    func transaction(_ work: () throws(SQLiteError) -> Void) throws(SQLiteError) {
        try run("BEGIN IMMEDIATE")
        do throws(SQLiteError) {
            try work()
            try run("COMMIT")
        } catch {
            // Where SQLite has rolled back by itself there is nothing to end.
            try? run("ROLLBACK")
            throw error
        }
    }

    private func prepared(_ sql: String) throws(SQLiteError) -> OpaquePointer {
        if let statement = statements[sql] { return statement }
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v2(handle, sql, -1, &statement, nil)
        guard code == SQLITE_OK, let statement else { throw failure(code) }
        statements[sql] = statement
        return statement
    }

    private func bind(_ value: SQLiteValue, _ index: Int32, _ statement: OpaquePointer) {
        switch value {
        case .null: sqlite3_bind_null(statement, index)
        case .integer(let number): sqlite3_bind_int64(statement, index, number)
        case .real(let number): sqlite3_bind_double(statement, index, number)
        case .text(let text):
            // SQLite makes a copy, as -1 (SQLITE_TRANSIENT) says.
            let copies = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
            sqlite3_bind_text(statement, index, text, -1, copies)
        }
    }

    private func failure(_ code: Int32) -> SQLiteError {
        SQLiteError(code: code, message: String(cString: sqlite3_errmsg(handle)))
    }
}

/// Of the clock that never goes back.
private func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
