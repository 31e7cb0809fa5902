import Glibc

/// Ends the process when it has not ended by itself in the time that it was given. Its thread waits for nothing that
/// tunnels, servers or disks could hold up: the grace holds whatever there is.
package enum LastResort {
    /// What ends in time may take so much longer, to be told and written.
    package static let margin: Duration = .seconds(1)

    /// - Parameters:
    ///   - time: from now on.
    ///   - code: what the process exits with then.
    ///   - farewell: what has to be done before; must not wait for long.
    package static func arm(
        after time: Duration, exitCode code: CInt, farewell: @escaping @Sendable () -> Void
    ) {
        let end = ContinuousClock.now + time + margin
        let thread = SignalFreeThread {
            while case let rest = ContinuousClock.now.duration(to: end), rest > .zero {
                let (seconds, attoseconds) = rest.components
                var wait = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
                nanosleep(&wait, nil)
            }
            farewell()
            _exit(code)
        }
        // Short of threads there is none: then the end takes as long as it takes.
        _ = thread.start()
    }
}
