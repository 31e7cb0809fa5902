import Glibc
import Synchronization

/// The control socket of a running agent: bound, listening, and held by a lock so that no other agent takes it.
///
/// At no moment it is open to other users: its mode is 0600 before it has a name.
package final class BoundControlSocket: Sendable {
    package let path: String

    private struct State {
        /// Until somebody else has taken it.
        var descriptor: Int32?
        /// Holds the lock.
        var lock: Int32?
    }

    private let state: Mutex<State>
    /// What tells our socket from one that took its place.
    private let identity: FileIdentity

    /// Binds and listens. A socket that a dead process left is replaced.
    ///
    /// - Throws: `ControlSocketError` when a living agent has it, or something else stands there, or the system
    ///   refuses.
    package init(path: String) throws(ControlSocketError) {
        guard let address = LocalSocketAddress(path: path) else {
            throw ControlSocketError(path: path, reason: .pathTooLong)
        }
        let lock = try Self.lock(path)
        do throws(ControlSocketError) {
            try Self.removeStale(address, path)
            let descriptor = try Self.listen(address, path)
            guard let identity = FileIdentity(path: path) else {
                close(descriptor)
                throw ControlSocketError(path: path, reason: .system("look at it", errno))
            }
            self.path = path
            self.identity = identity
            state = Mutex(State(descriptor: descriptor, lock: lock))
        } catch {
            Self.release(lock, path)
            throw error
        }
    }

    deinit { remove() }

    /// The listening socket, non-blocking. Whoever takes it closes it; nil when it was taken before.
    package func takeDescriptor() -> Int32? {
        state.withLock { state in
            defer { state.descriptor = nil }
            return state.descriptor
        }
    }

    /// Whether that path leads to this socket.
    package func isAt(_ path: String) -> Bool { FileIdentity(path: path) == identity }

    /// Removes the socket, unless another took its place, and gives up the lock. Safe to call again.
    package func remove() {
        state.withLock { state in
            if let descriptor = state.descriptor { close(descriptor) }
            state.descriptor = nil
            guard let lock = state.lock else { return }
            if FileIdentity(path: path) == identity { unlink(path) }
            Self.release(lock, path)
            state.lock = nil
        }
    }

    // MARK: The lock

    private static func lockPath(_ path: String) -> String { path + ".lock" }

    /// - Returns: the descriptor that holds the lock.
    private static func lock(_ path: String) throws(ControlSocketError) -> Int32 {
        let name = lockPath(path)
        while true {
            let file = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
            guard file >= 0 else {
                throw ControlSocketError(path: path, reason: .system("open its lock file \(name)", errno))
            }
            guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
                let code = errno
                let processID = processID(in: file)
                close(file)
                let reason: ControlSocketError.Reason =
                    code == EWOULDBLOCK
                    ? .taken(processID: processID) : .system("lock its lock file \(name)", code)
                throw ControlSocketError(path: path, reason: reason)
            }
            // The one before us removes the file while it holds the lock: then this is not the file of that name.
            if let identity = FileIdentity(descriptor: file), identity == FileIdentity(path: name) {
                ftruncate(file, 0)
                let text = Array("\(getpid())\n".utf8)
                _ = pwrite(file, text, text.count, 0)
                return file
            }
            close(file)
        }
    }

    private static func release(_ lock: Int32, _ path: String) {
        // Whoever cleans up folders may have made room for another agent's.
        if FileIdentity(descriptor: lock) == FileIdentity(path: lockPath(path)) { unlink(lockPath(path)) }
        close(lock)
    }

    private static func processID(in file: Int32) -> Int32? {
        var text = [UInt8](repeating: 0, count: 16)
        let count = pread(file, &text, text.count, 0)
        return Int32(String(decoding: text.prefix(max(0, count)).prefix { $0 != 0x0a }, as: UTF8.self))
    }

    // MARK: The socket

    /// Only under the lock: no agent that lives has what stands there. Another program may.
    private static func removeStale(
        _ address: LocalSocketAddress, _ path: String
    ) throws(ControlSocketError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ControlSocketError(path: path, reason: .notASocket)
        }
        guard !isAnswered(address) else { throw ControlSocketError(path: path, reason: .inUse) }
        guard unlink(path) == 0 || errno == ENOENT else {
            throw ControlSocketError(path: path, reason: .system("remove the old socket", errno))
        }
    }

    /// Whether somebody listens there, or may: only a refusal says that nobody does.
    private static func isAnswered(_ address: LocalSocketAddress) -> Bool {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let probe = OwnedDescriptor(socket(AF_UNIX, kind, 0))
        guard probe.descriptor >= 0 else { return true }
        let isConnected = address.withSockaddr { connect(probe.descriptor, $0, $1) == 0 }
        return isConnected || errno != ECONNREFUSED
    }

    private static func listen(
        _ address: LocalSocketAddress, _ path: String
    ) throws(ControlSocketError) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else {
            throw ControlSocketError(path: path, reason: .system("make it", errno))
        }
        // The kernel gives the name the socket's own mode less the umask, so there is no need to change the umask,
        // which all threads share. Were it otherwise, nobody could connect before `listen`.
        let isBound =
            fchmod(descriptor, 0o600) == 0
            && address.withSockaddr { bind(descriptor, $0, $1) } == 0
        var status = stat()
        guard isBound, lstat(path, &status) == 0,
            status.st_mode & 0o077 == 0 || chmod(path, 0o600) == 0,
            Glibc.listen(descriptor, backlog) == 0
        else {
            let code = errno
            close(descriptor)
            if isBound { unlink(path) }
            throw ControlSocketError(path: path, reason: .system("bind it", code))
        }
        return descriptor
    }

    private static let backlog: Int32 = 16
}

/// What tells one file from another that bears the same name later.
private struct FileIdentity: Equatable {
    private let device: UInt
    private let inode: UInt

    init?(path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        (device, inode) = (UInt(status.st_dev), UInt(status.st_ino))
    }

    init?(descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        (device, inode) = (UInt(status.st_dev), UInt(status.st_ino))
    }
}

/// A control socket that cannot be used.
package struct ControlSocketError: Error, Hashable, CustomStringConvertible, Sendable {
    package enum Reason: Hashable, Sendable {
        /// An agent that runs has it; its process id where it is known.
        case taken(processID: Int32?)
        /// A file or folder stands in its place.
        case notASocket
        /// The socket of another program that listens there.
        case inUse
        /// The kernel takes 107 bytes.
        case pathTooLong
        /// Its folder is a link or no folder.
        case folderIsNone
        case folderOfAnother(userID: UInt32)
        case folderOpenToOthers
        /// What was tried, and the system's `errno`.
        case system(String, Int32)
    }

    /// The socket's path, or that of its folder.
    package let path: String
    package let reason: Reason

    /// Whether a living agent has it.
    package var isTaken: Bool { if case .taken = reason { true } else { false } }

    /// The same for an agent that finds another at the socket that follows from its configuration file.
    package var asSecondAgent: String {
        guard case .taken(let processID) = reason else { return description }
        let process = processID.map { " (process \($0))" } ?? ""
        return
            "another wstunnel runs by this configuration file\(process) — stop that one, have it read the file anew (wstunnel reload), or take its place (--takeover)"
    }

    package var description: String {
        switch reason {
        case .taken(let processID):
            "control-socket: \(path) belongs to another wstunnel that runs\(processID.map { " (process \($0))" } ?? "") — stop that one, or name another path"
        case .notASocket:
            "control-socket: \(path) is there and is no socket — remove it, or name another path"
        case .inUse:
            "control-socket: \(path) is the socket of another program — name another path"
        case .pathTooLong:
            "control-socket: \(path) is empty or longer than \(LocalSocketAddress.longestPath) bytes — name a shorter path"
        case .folderIsNone:
            "control-socket: \(path) is a symbolic link or no folder — remove it, or name another path"
        case .folderOfAnother(let userID):
            "control-socket: the folder \(path) belongs to user \(userID) — name a path in a folder of your own"
        case .folderOpenToOthers:
            "control-socket: the folder \(path) is open to other users — close it (chmod 700), or name another path"
        case .system(let action, let code):
            "control-socket: \(path): cannot \(action): \(String(cString: strerror(code))) — check its folder, or name another path"
        }
    }
}
