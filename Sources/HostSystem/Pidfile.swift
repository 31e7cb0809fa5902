import Glibc
import Observability
import Synchronization

/// The file that holds the process's id while it runs. It is locked for as long, so that no other agent takes it.
final class Pidfile: Sendable {
    private let path: String
    private let file: OwnedDescriptor
    private let isRemoved = Atomic<Bool>(false)

    init(path: String) throws(PidfileError) {
        self.path = path
        let linkFlag = OutputPath.linkFlag(for: path)
        let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | linkFlag
        let file = OwnedDescriptor(open(path, flags, 0o644))
        guard file.descriptor >= 0 else {
            let isLink = linkFlag != 0 && errno == ELOOP
            throw PidfileError(path: path, reason: isLink ? .link : .system(errno))
        }
        // Where there are no locks, there is none.
        guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
            throw PidfileError(path: path, reason: .taken)
        }
        var status = stat()
        let isRegular = fstat(file.descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        if isRegular {
            guard Self.holdsNumberAtMost(file.descriptor) else {
                throw PidfileError(path: path, reason: .foreign)
            }
            ftruncate(file.descriptor, 0)
        }
        let text = Array("\(getpid())\n".utf8)
        guard write(file.descriptor, text, text.count) == text.count else {
            let code = errno
            if isRegular { unlink(path) }
            throw PidfileError(path: path, reason: .system(code))
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
    func isAt(_ path: String) -> Bool {
        var mine = stat()
        var theirs = stat()
        return fstat(file.descriptor, &mine) == 0 && stat(path, &theirs) == 0
            && mine.st_dev == theirs.st_dev && mine.st_ino == theirs.st_ino
    }

    /// Removes the file, unless another process has put its own id there. Once.
    func remove() {
        guard !isRemoved.exchange(true, ordering: .relaxed) else { return }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return }
        var text = [UInt8](repeating: 0, count: 32)
        let count = read(descriptor, &text, text.count)
        close(descriptor)
        if text.prefix(max(0, count)).elementsEqual("\(getpid())\n".utf8) { unlink(path) }
    }
}

/// A pidfile that cannot be written.
struct PidfileError: Error, CustomStringConvertible {
    enum Reason {
        /// Another agent has it.
        case taken
        /// It holds something else than a process id.
        case foreign
        /// The configuration was read from it.
        case configuration
        /// It is a link that others may have put there.
        case link
        /// What the system said.
        case system(CInt)
    }

    var path: String
    var reason: Reason

    var isTaken: Bool { if case .taken = reason { true } else { false } }

    var description: String {
        switch reason {
        case .taken:
            "pidfile: \(path) belongs to another wstunnel that runs — stop that one, or name another file"
        case .foreign:
            "pidfile: \(path) holds something else than a process id — name another file, or remove it"
        case .configuration:
            "pidfile: \(path) is a file of the configuration — name another file"
        case .link:
            "pidfile: \(path) is a link, and others can write to its folder — name the file itself"
        case .system(ENOSPC):
            "pidfile: cannot write \(path): \(String(cString: strerror(ENOSPC)))"
        case .system(let code):
            "pidfile: cannot write \(path): \(String(cString: strerror(code))) — check that its folder exists and is writable"
        }
    }
}
