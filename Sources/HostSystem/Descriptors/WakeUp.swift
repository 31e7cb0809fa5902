import Glibc
package import SystemPackage

/// Wakes a thread that waits, without ever waiting itself.
package struct WakeUp: Sendable {
    /// Readable after a signal.
    package let descriptor: CInt
    private let writeEnd: CInt

    /// - Throws: when the process is short of descriptors.
    package init() throws(Errno) {
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else { throw .latest }
        (descriptor, writeEnd) = (ends[0], ends[1])
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
    }

    /// Ends the present `wait`, or else the next one.
    package func signal() {
        var byte: UInt8 = 0
        // A full pipe wakes the thread just as well.
        while write(writeEnd, &byte, 1) < 0 && errno == EINTR {}
    }

    /// Waits for a signal, and forgets all signals so far; may end early.
    ///
    /// - Parameters:
    ///   - other: a descriptor that ends the wait as well when it can be read.
    ///   - limit: how long at most; nil for ever.
    package func wait(orFor other: CInt? = nil, atMost limit: Duration? = nil) {
        var milliseconds: CInt = -1
        if let limit {
            let (seconds, attoseconds) = max(limit, .zero).components
            // One more, so that the time is over when the wait is.
            milliseconds = CInt(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
        }
        var entries = [descriptor, other].compactMap(\.self).map { number in
            pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        }
        poll(&entries, nfds_t(entries.count), milliseconds)
        var bytes: (UInt64, UInt64) = (0, 0)
        while read(descriptor, &bytes, MemoryLayout.size(ofValue: bytes)) > 0 {}
    }

    package func close() {
        Glibc.close(descriptor)
        Glibc.close(writeEnd)
    }
}
