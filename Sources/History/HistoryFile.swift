internal import AgentStatus
internal import DequeModule
internal import Glibc
internal import HostSystem
internal import SystemPackage

/// The history's file: a database of SQLite, of this format.
///
/// Written in WAL mode, which a process that is killed leaves whole at any moment; several agents may have it open.
final class HistoryFile {
    /// `application_id`: "wsth".
    static let applicationID: Int64 = 0x7773_7468
    /// `user_version`.
    static let version: Int64 = 1
    /// How long a lock of somebody else's is waited for.
    static let lockPatience: Duration = .seconds(1)

    let path: String
    let connection: SQLiteConnection
    let maxBytes: Int
    private let identity: FileIdentity?

    /// Opens it, or makes it where there is none.
    ///
    /// - Parameter maxBytes: how large it may become, with what is not in it yet.
    init(path: String, maxBytes: Int) throws(HistoryFault) {
        self.path = path
        self.maxBytes = maxBytes
        let followsLinks = OutputPath.linkFlag(for: path) == 0
        let place = Self.place(of: path)
        try Self.make(place, followsLinks: followsLinks)
        let fault: HistoryFault?
        do throws(SQLiteError) {
            connection = try SQLiteConnection(
                path: place, .write, followsLinks: followsLinks, patience: Self.lockPatience)
            identity = FileIdentity(path: path)
            fault = try Self.fault(of: connection, path)
            if fault == nil {
                Self.keepPrivate(place, followsLinks: followsLinks)
                try setUp()
            }
        } catch {
            throw Self.isForeign(path, error) ? .foreign(path) : HistoryFault(error, path)
        }
        if let fault { throw fault }
    }

    /// Why what it holds cannot be used; nil where it can. An empty file becomes a history of this version.
    private static func fault(
        of connection: SQLiteConnection, _ path: String
    ) throws(SQLiteError) -> HistoryFault? {
        if try connection.number("PRAGMA page_count") == 0 {
            try connection.run("PRAGMA auto_vacuum = INCREMENTAL")
            try begin(connection)
        }
        guard try connection.number("PRAGMA application_id") == applicationID else { return .foreign(path) }
        let version = try connection.number("PRAGMA user_version")
        guard version <= Self.version else { return .newer(path, version: version) }
        guard version >= 1 else { return .incomplete(path, "of format \(version), which there never was") }
        let tables = try connection.number(
            "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('events', 'requests', 'minutes')"
        )
        return tables == 3 ? nil : .incomplete(path, "a table is missing")
    }

    private func setUp() throws(SQLiteError) {
        try connection.run("PRAGMA cache_size = -512")
        try connection.run("PRAGMA journal_mode = WAL")
        // A process that is killed loses nothing by it; a machine that fails, what came last.
        try connection.run("PRAGMA synchronous = NORMAL")
        try connection.run("PRAGMA journal_size_limit = \(walBytes)")
        try connection.run("PRAGMA wal_autocheckpoint = \(max(16, walBytes / 2 / 4096))")
        try connection.run("PRAGMA max_page_count = \(max(64, maxBytes / 4096))")
    }

    /// How much may wait beside the file to be brought into it.
    private var walBytes: Int { min(4 << 20, maxBytes / 8) }

    /// The path without links among its folders: SQLite would call those links too.
    private static func place(of path: String) -> String {
        guard let end = path.lastIndex(of: "/"), end != path.startIndex,
            let folder = resolved(String(path[..<end]))
        else { return path }
        return folder + path[end...]
    }

    private static func resolved(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Takes a file that was there, and those beside it, from other users than its owner.
    private static func keepPrivate(_ path: String, followsLinks: Bool) {
        let place = followsLinks ? resolved(path) ?? path : path
        for path in [place, "\(place)-wal", "\(place)-shm"] {
            guard let status = try? Stat(FilePath(path), followTargetSymlink: false),
                status.type == .regular, status.userID.rawValue == geteuid(),
                !status.permissions.isDisjoint(with: [.groupReadWriteExecute, .otherReadWriteExecute])
            else { continue }
            // By its name: a descriptor that is closed takes along the locks that SQLite has on the file.
            fchmodat(AT_FDCWD, path, 0o600, AT_SYMLINK_NOFOLLOW)
        }
    }

    /// Makes an empty file, for its owner alone. SQLite would have others read it.
    private static func make(_ path: String, followsLinks: Bool) throws(HistoryFault) {
        let linkFlag = followsLinks ? 0 : O_NOFOLLOW
        do throws(Errno) {
            _ = try OwnedDescriptor(open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | linkFlag, 0o600))
        } catch .fileExists {
            guard let status = try? Stat(FilePath(path), followTargetSymlink: followsLinks) else { return }
            if let fault = HistoryPlace.fault(of: status, path) { throw fault }
        } catch .readOnlyFileSystem {
            // One that is there can be told of.
            throw HistoryFault(.readOnly, "cannot write \(path): \(Errno.readOnlyFileSystem)")
        } catch {
            throw HistoryFault(
                error == .noSpace ? .full : .other,
                "cannot write \(path): \(error) — check that its folder exists and is writable")
        }
    }

    /// Puts the tables into an empty file, all or none, while no other agent does.
    private static func begin(_ connection: SQLiteConnection) throws(SQLiteError) {
        try connection.transaction { () throws(SQLiteError) in
            guard try connection.number("SELECT count(*) FROM sqlite_master") == 0 else { return }
            for statement in HistorySchema.statements { try connection.run(statement) }
            try connection.run("PRAGMA application_id = \(applicationID)")
            try connection.run("PRAGMA user_version = \(version)")
        }
    }

    /// Whether what SQLite cannot read was never a history: it does not begin as one, and is not what some file systems
    /// leave of a new file after a power loss.
    private static func isForeign(_ path: String, _ error: SQLiteError) -> Bool {
        guard error.reason == .damaged else { return false }
        guard let head = head(of: path) else { return true }
        let magic = Array("SQLite format 3\0".utf8)
        let id = withUnsafeBytes(of: UInt32(applicationID).bigEndian) { Array($0) }
        return head.contains { $0 != 0 } && !(head.starts(with: magic) && Array(head[68..<72]) == id)
    }

    /// The header of a file of SQLite: 100 bytes.
    private static func head(of path: String) -> [UInt8]? {
        guard let file = try? OwnedDescriptor(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)),
            let bytes = try? file.read(), bytes.count >= 100
        else { return nil }
        return Array(bytes[..<100])
    }

    /// Whether it still stands at its path: else what is written to it is lost.
    var isInPlace: Bool { identity == FileIdentity(path: path) }

    /// The size of the file and what waits beside it.
    var bytes: Int {
        [path, "\(path)-wal"].reduce(0) { $0 + Int((try? Stat(FilePath($1)).size) ?? 0) }
    }

    // MARK: Writing

    /// Writes all of it, or nothing.
    func write(_ shelf: HistoryShelf) throws(SQLiteError) {
        try connection.transaction { () throws(SQLiteError) in
            for event in shelf.events { try connection.run(HistorySchema.insertEvent, event.event.values) }
            for request in shelf.requests { try connection.run(HistorySchema.insertRequest, request.values) }
            for (key, gain) in shelf.minutes {
                try connection.run(HistorySchema.addToMinute, MinuteRow(key, gain).values)
            }
        }
    }

    /// Writes what is there already: throws where nothing can be written.
    func probe() throws(SQLiteError) { try connection.run("PRAGMA application_id = \(Self.applicationID)") }

    // MARK: What goes

    /// How many rows one step takes away.
    private static let step = 500
    private static let keptMinutes: Int64 = 31 * 86_400_000

    /// Takes away what is too old.
    ///
    /// - Parameter before: when events and requests are; minutes are kept for a month at least.
    /// - Returns: whether there is more.
    func forget(before: Int64, now: Int64) throws(SQLiteError) -> Bool {
        var isMore = false
        for (table, limit) in [
            ("events", before), ("requests", before), ("minutes", min(before, now - Self.keptMinutes)),
        ] {
            try connection.run(
                "DELETE FROM \(table) WHERE id IN (SELECT id FROM \(table) WHERE at < ? ORDER BY at LIMIT \(Self.step))",
                [.integer(limit)])
            if connection.changes >= Self.step { isMore = true }
        }
        return isMore
    }

    /// Takes the oldest away where there is too much: requests first, then minutes, then events.
    ///
    /// - Returns: whether there is more.
    func shrink() throws(SQLiteError) -> Bool {
        let pages = try connection.number("PRAGMA page_count")
        let free = try connection.number("PRAGMA freelist_count")
        let size = try connection.number("PRAGMA page_size")
        let most = Int64(maxBytes - 2 * walBytes)
        let isTooLarge = (pages - free) * size > most
        if isTooLarge {
            for table in ["requests", "minutes", "events"] {
                try connection.run(
                    "DELETE FROM \(table) WHERE id IN (SELECT id FROM \(table) ORDER BY id LIMIT \(Self.step))"
                )
                if connection.changes > 0 { break }
            }
        }
        if pages * size > most, free > 0 || isTooLarge {
            try connection.run("PRAGMA incremental_vacuum(256)")
        }
        return isTooLarge
    }

    /// Rows of each table, about: what went is the oldest.
    func counts() throws(SQLiteError) -> (events: Int, requests: Int, minutes: Int) {
        func count(_ table: String) throws(SQLiteError) -> Int {
            Int(
                try connection.number(
                    "SELECT coalesce((SELECT max(id) FROM \(table)) - (SELECT min(id) FROM \(table)) + 1, 0)")
            )
        }
        return (try count("events"), try count("requests"), try count("minutes"))
    }

    /// Whether SQLite finds nothing wrong with it, its indexes among it. Reads all of it.
    ///
    /// - Throws: `interrupted` where it takes longer than so.
    func isSound(within patience: Duration) throws(SQLiteError) -> Bool {
        let answer = try connection.within(patience) { () throws(SQLiteError) in
            try connection.rows("PRAGMA integrity_check(1)") { $0.text(0) }
        }
        return answer == ["ok"]
    }
}
