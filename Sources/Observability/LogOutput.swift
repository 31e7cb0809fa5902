internal import Glibc
internal import HostSystem
internal import Synchronization
internal import SystemPackage

/// What the log's thread writes to.
protocol LogWriting: Sendable {
    /// Writes whole lines, waiting as long as it takes; gives up where the system says that it will not work.
    ///
    /// - Returns: how many of the bytes were written, and the system's `errno` where that is not all.
    func write(_ bytes: [UInt8]) -> (count: Int, code: Int32)
    /// Puts the next output in place, where one waits.
    func switchOutput()
    /// Closes what is owned.
    func close()
}

/// A descriptor that log lines go to.
struct LogDescriptor: Sendable {
    var number: Int32
    /// False for a descriptor that outlives the log (standard error).
    var isOwned: Bool

    /// Closes it, where that is ours to do.
    func close() { if isOwned { Glibc.close(number) } }
}

/// The descriptor that the log's thread writes to.
final class LogOutput: LogWriting {
    private struct State {
        var current: LogDescriptor
        /// Takes the descriptor's place once all lines of before are written.
        var next: LogDescriptor?
        var isClosed = false
        /// True when a write broke off within a line, so that the next must begin a new one.
        var isMidLine = false
    }

    private let state: Mutex<State>

    init(_ descriptor: LogDescriptor) { state = Mutex(State(current: descriptor)) }

    /// Opens a log file for appending. A FIFO without a reader is refused rather than waited for; so is what others may
    /// have made lead to a file that is none of theirs.
    static func openFile(_ path: String) throws(LogSinkError) -> Int32 {
        let what = "cannot open the log file \(path)"
        let linkFlag = OutputPath.linkFlag(for: path)
        let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | linkFlag
        while true {
            do throws(Errno) {
                let file = try OwnedDescriptor(open(path, flags, 0o640))
                if linkFlag == 0 || !hasOtherNames(file.number) { return file.release() }
            } catch {
                if error == .interrupted { continue }
                guard linkFlag != 0, error == .tooManySymbolicLinkLevels else {
                    throw LogSinkError(what: what, error)
                }
            }
            throw LogSinkError(
                what: what, reason: "it is a link, and others can write to its folder — name the file itself")
        }
    }

    private static func hasOtherNames(_ descriptor: CInt) -> Bool {
        guard let status = try? Stat(FileDescriptor(rawValue: descriptor)) else { return false }
        return status.type == .regular && status.linkCount > 1
    }

    /// Holds another descriptor ready for `switchOutput`; it belongs to this output from now on.
    func prepareSwitch(to descriptor: LogDescriptor) {
        let unused = state.withLock { state in
            guard !state.isClosed else { return Optional(descriptor) }
            defer { state.next = descriptor }
            return state.next
        }
        unused?.close()
    }

    /// Puts the next output in place, where one waits. Only for the log's thread.
    func switchOutput() {
        state.withLock { state in
            guard !state.isClosed, let next = state.next else { return }
            state.current.close()
            state.current = next
            state.next = nil
            state.isMidLine = false
        }
    }

    /// Writes lines, waiting as long as it takes; gives up where the system says that it will not work.
    /// Only for the log's thread.
    ///
    /// - Returns: how many of the bytes were written, and the system's `errno` where that is not all.
    func write(_ bytes: [UInt8]) -> (count: Int, code: Int32) {
        let (descriptor, isMidLine) = state.withLock { ($0.current.number, $0.isMidLine) }
        if isMidLine {
            let newline = [UInt8(ascii: "\n")].withUnsafeBytes { writeAll($0, to: descriptor) }
            guard newline.count == 1 else { return (0, newline.code) }
            state.withLock { $0.isMidLine = false }
        }
        let written = bytes.withUnsafeBytes { writeAll($0, to: descriptor) }
        if written.count > 0 {
            let endsInLine = bytes[written.count - 1] != UInt8(ascii: "\n")
            state.withLock { $0.isMidLine = endsInLine }
        }
        return written
    }

    /// Closes what is owned. Only for the log's thread, or when there is none.
    func close() {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.isClosed = true
            state.current.close()
            state.next?.close()
        }
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> (count: Int, code: Int32)
    {
        var written = 0
        while written < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
            let result = Glibc.write(descriptor, rest.baseAddress, rest.count)
            if result > 0 {
                written += result
            } else if result < 0 && errno == EINTR {
                continue
            } else if result < 0 && errno == EAGAIN {
                var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&request, 1, 1000)
            } else {
                return (written, result < 0 ? errno : EIO)
            }
        }
        return (written, 0)
    }
}
