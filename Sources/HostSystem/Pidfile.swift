import Glibc
import Synchronization
package import SystemPackage

/// The file that holds the process's id while it runs. It is locked for as long, so that no other agent takes it.
package final class Pidfile: Sendable {
    private let path: String
    private let file: OwnedDescriptor
    private let isRemoved = Atomic<Bool>(false)

    /// - Throws: `PidfileError` when another agent has it, or it is no pidfile, or the system refuses.
    package init(path: String) throws(PidfileError) {
        self.path = path
        let linkFlag = OutputPath.linkFlag(for: path)
        let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | linkFlag
        let file: OwnedDescriptor
        do throws(Errno) {
            file = try OwnedDescriptor(open(path, flags, 0o644))
        } catch {
            let isLink = linkFlag != 0 && error == .tooManySymbolicLinkLevels
            throw PidfileError(path: path, reason: isLink ? .link : .system(error))
        }
        // Where there are no locks, there is none.
        guard flock(file.number, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
            throw PidfileError(path: path, reason: .taken)
        }
        let isRegular = (try? Stat(FileDescriptor(rawValue: file.number)))?.type == .regular
        if isRegular {
            guard Self.holdsNumberAtMost(file.number) else {
                throw PidfileError(path: path, reason: .foreign)
            }
            ftruncate(file.number, 0)
        }
        let text = Array("\(getpid())\n".utf8)
        guard write(file.number, text, text.count) == text.count else {
            let failure = Errno.latest
            if isRegular { unlink(path) }
            throw PidfileError(path: path, reason: .system(failure))
        }
        self.file = file
    }

    /// Whether it is empty or holds what pidfiles do: everything else is somebody's, and not to be written over. NULs are
    /// what some file systems leave of a file after a power loss.
    private static func holdsNumberAtMost(_ descriptor: CInt) -> Bool {
        var text = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &text, text.count, 0)
        guard (0..<text.count).contains(count) else { return false }
        return text.prefix(count).allSatisfy { $0 &- 0x30 < 10 || [0, 0x0a, 0x20].contains($0) }
    }

    // A start that is called off, or a reload that is refused, leaves no file.
    deinit { remove() }

    /// Whether that path leads to this file.
    package func isAt(_ path: String) -> Bool {
        FileIdentity(descriptor: file.number).map { $0 == FileIdentity(path: path) } ?? false
    }

    /// Removes the file, unless another process has put its own id there. Once.
    package func remove() {
        guard !isRemoved.exchange(true, ordering: .relaxed),
            let file = try? OwnedDescriptor(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)),
            let text = try? file.read()
        else { return }
        if text == Array("\(getpid())\n".utf8) { unlink(path) }
    }
}

/// A pidfile that cannot be written.
package struct PidfileError: Error, CustomStringConvertible {
    package enum Reason: Sendable {
        /// Another agent has it.
        case taken
        /// It holds something else than a process id.
        case foreign
        /// The configuration was read from it.
        case configuration
        /// It is a link that others may have put there.
        case link
        /// What the system said.
        case system(Errno)
    }

    let path: String
    let reason: Reason

    package init(path: String, reason: Reason) {
        self.path = path
        self.reason = reason
    }

    package var isTaken: Bool { if case .taken = reason { true } else { false } }

    package var description: String {
        switch reason {
        case .taken:
            "pidfile: \(path) belongs to another wstunnel that runs — stop that one, or name another file"
        case .foreign:
            "pidfile: \(path) holds something else than a process id — name another file, or remove it"
        case .configuration:
            "pidfile: \(path) is a file of the configuration — name another file"
        case .link:
            "pidfile: \(path) is a link, and others can write to its folder — name the file itself"
        case .system(.noSpace): "pidfile: cannot write \(path): \(Errno.noSpace)"
        case .system(let failure):
            "pidfile: cannot write \(path): \(failure) — check that its folder exists and is writable"
        }
    }
}
