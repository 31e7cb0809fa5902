internal import CSQLite

/// Why SQLite did not do something.
struct SQLiteError: Error, Sendable {
    enum Reason: Sendable, Hashable {
        /// Another process has it locked.
        case busy
        /// The disk, or what the file may be, is used up.
        case full
        /// What the file holds makes no sense, or is nothing of SQLite's.
        case damaged
        case readOnly
        /// It took longer than it may.
        case interrupted
        case other
    }

    let reason: Reason
    /// In SQLite's words.
    let message: String

    init(code: Int32, message: String) {
        reason =
            switch code & 0xff {
            case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL: .busy
            case SQLITE_FULL: .full
            case SQLITE_CORRUPT, SQLITE_NOTADB: .damaged
            case SQLITE_READONLY, SQLITE_PERM: .readOnly
            case SQLITE_INTERRUPT: .interrupted
            default: .other
            }
        self.message = message
    }
}
