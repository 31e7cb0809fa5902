internal import Glibc
internal import Synchronization

/// What the log's thread writes to.
protocol LogWriting: Sendable {
    /// Writes whole lines, waiting as long as it takes; gives up where the system says that it will not work.
    ///
    /// - Returns: how many of the bytes were written.
    func write(_ bytes: [UInt8]) -> Int
    /// Closes what is owned.
    func close()
}

/// The descriptor that the log's thread writes to.
final class LogOutput: LogWriting {
    private struct State {
        var descriptor: Int32
        /// Takes the descriptor's place before the next write.
        var replacement: Int32?
        var isClosed = false
        /// True when a write broke off within a line, so that the next must begin a new one.
        var isMidLine = false

        /// The descriptor to use from now on. Only files are replaced, and those are owned here.
        mutating func adoptReplacement() -> Int32 {
            if let replacement {
                Glibc.close(descriptor)
                descriptor = replacement
                self.replacement = nil
                isMidLine = false
            }
            return descriptor
        }
    }

    private let state: Mutex<State>
    private let isOwned: Bool

    /// - Parameter isOwned: false for a descriptor that outlives the log (standard error).
    init(descriptor: Int32, isOwned: Bool) {
        state = Mutex(State(descriptor: descriptor))
        self.isOwned = isOwned
    }

    /// Opens a log file for appending. A FIFO without a reader is refused rather than waited for.
    static func openFile(_ path: String) throws(LogSinkError) -> Int32 {
        let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
        while true {
            let descriptor = open(path, flags, 0o640)
            if descriptor >= 0 { return descriptor }
            if errno == EINTR { continue }
            throw LogSinkError(what: "cannot open the log file \(path)", code: errno)
        }
    }

    /// Puts another file in place, which is closed here from now on.
    ///
    /// - Returns: false when the output is closed already and does not take it.
    func replace(with descriptor: Int32) -> Bool {
        state.withLock {
            guard !$0.isClosed else { return false }
            if let unused = $0.replacement { Glibc.close(unused) }
            $0.replacement = descriptor
            return true
        }
    }

    /// Writes lines, waiting as long as it takes; gives up where the system says that it will not work.
    /// Only for the log's thread.
    ///
    /// - Returns: how many of the bytes were written.
    func write(_ bytes: [UInt8]) -> Int {
        let (descriptor, isMidLine) = state.withLock { ($0.adoptReplacement(), $0.isMidLine) }
        if isMidLine, !endBrokenLine(descriptor) { return 0 }
        let written = bytes.withUnsafeBytes { writeAll($0, to: descriptor) }
        if written > 0 {
            let endsInLine = bytes[written - 1] != UInt8(ascii: "\n")
            state.withLock { $0.isMidLine = endsInLine }
        }
        return written
    }

    /// Closes what is owned. Only for the log's thread, or when there is none.
    func close() {
        state.withLock {
            guard !$0.isClosed else { return }
            $0.isClosed = true
            let descriptor = $0.adoptReplacement()
            if isOwned { Glibc.close(descriptor) }
        }
    }

    private func endBrokenLine(_ descriptor: Int32) -> Bool {
        let newline: [UInt8] = [UInt8(ascii: "\n")]
        guard newline.withUnsafeBytes({ writeAll($0, to: descriptor) }) == 1 else { return false }
        state.withLock { $0.isMidLine = false }
        return true
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int {
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
                break
            }
        }
        return written
    }
}
