internal import Glibc

/// Wakes a thread that waits, without ever waiting itself.
struct WakeUpPipe: Sendable {
    private let readEnd: Int32
    private let writeEnd: Int32

    init() throws(LogSinkError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw LogSinkError(what: "cannot make the log's pipe", code: errno)
        }
        (readEnd, writeEnd) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(writeEnd, F_SETFL, O_NONBLOCK)
    }

    /// Ends the present `wait`, or else the next one.
    func signal() {
        var byte: UInt8 = 0
        // A full pipe wakes the thread just as well.
        while write(writeEnd, &byte, 1) < 0 && errno == EINTR {}
    }

    /// Waits for a signal; may end early.
    func wait() {
        var bytes: (UInt64, UInt64) = (0, 0)
        _ = read(readEnd, &bytes, MemoryLayout.size(ofValue: bytes))
    }

    func close() {
        Glibc.close(readEnd)
        Glibc.close(writeEnd)
    }
}
