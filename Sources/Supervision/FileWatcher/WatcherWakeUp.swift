import Glibc

/// Ends a `poll`, without ever waiting itself.
struct WatcherWakeUp: Sendable {
    /// Readable after a signal.
    let descriptor: Int32
    private let writeEnd: Int32

    init() throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemError(errno) }
        (descriptor, writeEnd) = (ends[0], ends[1])
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
    }

    func signal() {
        var byte: UInt8 = 0
        // A full pipe ends the poll just as well.
        while write(writeEnd, &byte, 1) < 0 && errno == EINTR {}
    }

    /// Forgets all signals so far.
    func clear() {
        var bytes = [UInt8](repeating: 0, count: 256)
        while read(descriptor, &bytes, bytes.count) > 0 {}
    }

    func close() {
        Glibc.close(descriptor)
        Glibc.close(writeEnd)
    }
}
