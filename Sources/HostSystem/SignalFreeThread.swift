import Glibc

/// A detached thread that runs one piece of work, without signals: those are for other threads, and a broken pipe is an
/// error code here whatever the process does.
package final class SignalFreeThread: Sendable {
    private let work: @Sendable () -> Void

    package init(work: @escaping @Sendable () -> Void) { self.work = work }

    /// The work is held until it has ended.
    ///
    /// - Returns: false when the process is short of threads; then nothing runs.
    package func start() -> Bool {
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
                if let argument {
                    Unmanaged<SignalFreeThread>.fromOpaque(argument).takeRetainedValue().work()
                }
                return nil
            }, retained.toOpaque())
        if result != 0 { retained.release() }
        return result == 0
    }
}
