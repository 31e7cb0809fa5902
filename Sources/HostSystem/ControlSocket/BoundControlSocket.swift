import Glibc
import Synchronization
package import SystemPackage

/// The control socket of a running agent: bound, listening, and held by a lock so that no other agent takes it.
///
/// At no moment it is open to other users: its mode is 0600 before it has a name.
package final class BoundControlSocket: Sendable {
    package let path: String

    private struct State: ~Copyable {
        /// Until somebody else has taken it.
        var listener: OwnedDescriptor?
        /// Holds the lock.
        var lock: OwnedDescriptor?
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
            let listener = try Self.listen(address, path)
            guard let identity = FileIdentity(path: path, followsLinks: false) else {
                throw ControlSocketError(path: path, reason: .system("look at it", .latest))
            }
            self.path = path
            self.identity = identity
            state = Mutex(State(listener: listener, lock: lock))
        } catch {
            Self.release(lock, path)
            throw error
        }
    }

    deinit { remove() }

    /// The listening socket, non-blocking. Whoever takes it closes it; nil when it was taken before.
    package func takeDescriptor() -> CInt? {
        state.withLock { $0.listener.take()?.release() }
    }

    /// Whether that path leads to this socket.
    package func isAt(_ path: String) -> Bool { FileIdentity(path: path, followsLinks: false) == identity }

    /// Removes the socket, unless another took its place, and gives up the lock. Safe to call again.
    package func remove() {
        state.withLock { state in
            state.listener = nil
            guard let lock = state.lock.take() else { return }
            if isAt(path) { unlink(path) }
            Self.release(lock, path)
        }
    }

    // MARK: The lock

    private static func lockPath(_ path: String) -> String { path + ".lock" }

    /// - Returns: the descriptor that holds the lock.
    private static func lock(_ path: String) throws(ControlSocketError) -> OwnedDescriptor {
        let name = lockPath(path)
        while true {
            let file: OwnedDescriptor
            do throws(Errno) {
                file = try OwnedDescriptor(
                    open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600))
            } catch {
                throw ControlSocketError(path: path, reason: .system("open its lock file \(name)", error))
            }
            guard flock(file.number, LOCK_EX | LOCK_NB) == 0 else {
                let failure = Errno.latest
                throw ControlSocketError(
                    path: path,
                    reason: failure == .wouldBlock
                        ? .taken(processID: processID(in: file.number))
                        : .system("lock its lock file \(name)", failure))
            }
            // The one before us removes the file while it holds the lock: then this is not the file of that name.
            if isStill(file, at: name) {
                ftruncate(file.number, 0)
                let text = Array("\(getpid())\n".utf8)
                _ = pwrite(file.number, text, text.count, 0)
                return file
            }
        }
    }

    private static func isStill(_ file: borrowing OwnedDescriptor, at path: String) -> Bool {
        FileIdentity(descriptor: file.number).map { $0 == FileIdentity(path: path, followsLinks: false) }
            ?? false
    }

    private static func release(_ lock: consuming OwnedDescriptor, _ path: String) {
        // Whoever cleans up folders may have made room for another agent's.
        if isStill(lock, at: lockPath(path)) { unlink(lockPath(path)) }
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
        guard let status = try? Stat(FilePath(path), followTargetSymlink: false) else { return }
        guard status.type == .socket else { throw ControlSocketError(path: path, reason: .notASocket) }
        guard !isAnswered(address) else { throw ControlSocketError(path: path, reason: .inUse) }
        guard unlink(path) == 0 || errno == ENOENT else {
            throw ControlSocketError(path: path, reason: .system("remove the old socket", .latest))
        }
    }

    /// Whether somebody listens there, or may: only a refusal says that nobody does.
    private static func isAnswered(_ address: LocalSocketAddress) -> Bool {
        guard let probe = try? SocketCalls.open(AF_UNIX) else { return true }
        let isConnected = address.withSockaddr { connect(probe.number, $0, $1) == 0 }
        return isConnected || errno != ECONNREFUSED
    }

    private static func listen(
        _ address: LocalSocketAddress, _ path: String
    ) throws(ControlSocketError) -> OwnedDescriptor {
        var isBound = false
        do throws(Errno) {
            let socket = try SocketCalls.open(AF_UNIX)
            // The kernel gives the name the socket's own mode less the umask, so there is no need to change the umask,
            // which all threads share. Were it otherwise, nobody could connect before `listen`.
            try SocketCalls.check(fchmod(socket.number, 0o600))
            try SocketCalls.check(address.withSockaddr { bind(socket.number, $0, $1) })
            isBound = true
            let mode = try Stat(FilePath(path), followTargetSymlink: false).permissions
            if !mode.isDisjoint(with: [.groupReadWriteExecute, .otherReadWriteExecute]) {
                try SocketCalls.check(chmod(path, 0o600))
            }
            try SocketCalls.listen(socket.number, backlog: backlog)
            return socket
        } catch {
            if isBound { unlink(path) }
            throw ControlSocketError(path: path, reason: .system("bind it", error))
        }
    }

    private static let backlog: Int32 = 16
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
        /// What was tried, and what the system says.
        case system(String, Errno)
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
        case .system(let action, let failure):
            "control-socket: \(path): cannot \(action): \(failure) — check its folder, or name another path"
        }
    }
}
