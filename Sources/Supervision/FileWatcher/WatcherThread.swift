import Glibc

/// A thread that runs one piece of work, without signals: those are for other threads.
final class WatcherThread: Sendable {
    private let work: @Sendable () -> Void

    init(work: @escaping @Sendable () -> Void) { self.work = work }

    /// - Returns: false when the process is short of threads; then nothing runs.
    func start() -> Bool {
        var attributes = pthread_attr_t()
        guard pthread_attr_init(&attributes) == 0 else { return false }
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var thread = pthread_t()
        let retained = Unmanaged.passRetained(self)
        let result = pthread_create(
            &thread, &attributes,
            { argument in
                if let argument { Unmanaged<WatcherThread>.fromOpaque(argument).takeRetainedValue().work() }
                return nil
            }, retained.toOpaque())
        if result != 0 { retained.release() }
        return result == 0
    }
}

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
