import Glibc
import NIOPosix
import Observability
import Synchronization
import SystemPackage

/// The file that says when a tunnel's server was last heard of, for monitors that look at it.
///
/// Put in place whole, by a rename, so that a reader never sees half of it. Written on NIO's thread pool, one write
/// at a time: what comes meanwhile is left to the next answer.
final class StatusFile: Sendable {
    private struct State {
        var isWriting = false
        /// The moment of the last write. The file tells whole seconds: another write within one would change nothing.
        var lastSecond: Int?
        /// Whether the last write failed, which was told.
        var isFailing = false
    }

    private let path: String
    private let pool: NIOThreadPool
    private let onError: @Sendable (StatusFileError) -> Void
    private let state = Mutex(State())

    /// - Parameter onError: told of the first of a row of writes that failed, on any thread.
    init(
        path: String, pool: NIOThreadPool = .singleton, onError: @escaping @Sendable (StatusFileError) -> Void
    ) {
        self.path = path
        self.pool = pool
        self.onError = onError
    }

    /// Tells soon of a file that cannot be written, not at the first pong. Never waits.
    func tryOut() {
        let isFree = state.withLock { state in
            defer { state.isWriting = true }
            return !state.isWriting
        }
        // Else that tells.
        if isFree { begin { () throws(StatusFileError) in try self.probe() } }
    }

    /// Whether the file could be written, by making its predecessor and removing it. Waits for the disk: not for event loops.
    func probe() throws(StatusFileError) {
        close(try openNewFile())
        unlink(newPath)
    }

    /// The server was heard of just now. Never waits.
    func serverWasHeard(now: Int = time(nil)) {
        let mustWrite = state.withLock { state in
            guard !state.isWriting, state.lastSecond != now else { return false }
            state.isWriting = true
            state.lastSecond = now
            return true
        }
        guard mustWrite else { return }
        begin { () throws(StatusFileError) in try self.write(secondsSince1970: now) }
    }

    private func begin(_ work: @escaping @Sendable () throws(StatusFileError) -> Void) {
        pool.submit { state in
            guard case .active = state else { return }
            do throws(StatusFileError) {
                try work()
                self.wasWritten(nil)
            } catch {
                self.wasWritten(error)
            }
        }
    }

    private func wasWritten(_ error: StatusFileError?) {
        let isNews = state.withLock { state in
            defer { state.isFailing = error != nil }
            state.isWriting = false
            return error != nil && !state.isFailing
        }
        if isNews, let error { onError(error) }
    }

    // MARK: The file

    private var newPath: String { path + ".new" }

    /// Writes the file for a moment. Waits for the disk.
    func write(secondsSince1970 seconds: Int) throws(StatusFileError) {
        let descriptor = try openNewFile()
        let text = Array(Self.text(secondsSince1970: seconds).utf8)
        let written = Glibc.write(descriptor, text, text.count)
        let code = written < 0 ? errno : ENOSPC
        let closed = close(descriptor)
        guard written == text.count, closed == 0 else {
            unlink(newPath)
            throw StatusFileError(path: path, code: code)
        }
        guard rename(newPath, path) == 0 else {
            let code = errno
            unlink(newPath)
            throw StatusFileError(path: path, code: code)
        }
    }

    /// A new file beside the one that it is to replace; never one that somebody else has laid there.
    private func openNewFile() throws(StatusFileError) -> CInt {
        for place in [path, newPath] where Self.holdsOther(place) {
            throw StatusFileError(path: place, code: EEXIST)
        }
        unlink(newPath)
        let descriptor = open(newPath, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw StatusFileError(path: path, code: errno) }
        return descriptor
    }

    /// Whether something else than a status file stands there, which must not be replaced by one: a device, a folder, a
    /// file that does not begin as ours do. Some file systems leave nothing but NULs of one after a power loss.
    private static func holdsOther(_ path: String) -> Bool {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFLNK else { return false }
        guard status.st_mode & S_IFMT == S_IFREG else { return true }
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return errno != ENOENT }
        defer { close(descriptor) }
        let expected = Array("Unix: ".utf8)
        // More than a file of ours has.
        var text = [UInt8](repeating: 0, count: 128)
        let count = read(descriptor, &text, text.count)
        guard count >= 0 else { return true }
        let isLost = count < text.count && text.allSatisfy { $0 == 0 }
        return !isLost && !expected.starts(with: text.prefix(min(count, expected.count)))
    }

    /// The file's two lines, as the older wstunnel wrote them.
    static func text(secondsSince1970 seconds: Int) -> String {
        let time = LogTimestamp(millisecondsSince1970: Int64(seconds) * 1000).description.prefix(19)
        return "Unix: \(seconds)\nTime: \(time)Z\n"
    }
}

/// A status file that cannot be written.
struct StatusFileError: Error, CustomStringConvertible {
    var path: String
    var code: CInt

    var description: String {
        guard code != EEXIST else {
            return "statusfile: \(path) is there, and is no status file — name another, or remove it"
        }
        return
            "statusfile: cannot write \(path): \(Errno(rawValue: code)) — check that its folder exists and is writable"
    }
}
