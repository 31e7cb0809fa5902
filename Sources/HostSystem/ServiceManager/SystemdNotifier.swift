import Glibc
package import Logging
import Observability
import Synchronization

/// Tells the service manager how the agent is (sd_notify(3)), as `Type=notify` and `Type=notify-reload` want it. Without a manager it
/// does nothing.
package final class SystemdNotifier: Sendable {
    private let socket: String?
    private let watchdogTimeout: Duration?
    private let logger: Logger
    /// Failures are told once.
    private let hasFailed = Atomic(false)

    package init(_ environment: ServiceEnvironment, logger: Logger) {
        socket = environment.notifySocket
        watchdogTimeout = environment.watchdogTimeout
        self.logger = logger
    }

    /// The start is over, and the agent serves.
    package func ready(status: String) { send(.ready, .status(status)) }

    /// A reload begins. `reloaded` must follow, whatever becomes of it.
    package func reloading() {
        send(.reloading(monotonicMicroseconds: Self.monotonicMicroseconds()), .status("Reloading"))
    }

    /// The reload is over, applied or refused.
    package func reloaded(status: String) { send(.ready, .status(status)) }

    /// The end has begun.
    package func stopping(status: String) { send(.stopping, .status(status)) }

    /// Gives signs of life, twice as often as is asked for, until the task is cancelled. Returns at once where nobody
    /// waits for them.
    ///
    /// - Parameter check: returns once what is watched has shown that it lives; while it does not, there is no sign.
    package func keepWatchdogQuiet(check: @Sendable () async -> Void = {}) async {
        guard socket != nil, let watchdogTimeout else { return }
        while !Task.isCancelled {
            await check()
            send(.watchdog)
            try? await Task.sleep(for: watchdogTimeout / 2)
        }
    }

    private func send(_ notices: ServiceNotice...) {
        guard let socket else { return }
        let code = Self.send(ServiceNotice.text(of: notices), to: socket)
        guard code != 0, !hasFailed.exchange(true, ordering: .relaxed) else { return }
        logger.warning(
            "Cannot reach the service manager at NOTIFY_SOCKET",
            metadata: [.errorMessage: "\(String(cString: strerror(code)))"])
    }

    /// - Returns: 0, or the `errno`.
    private static func send(_ text: String, to name: String) -> Int32 {
        guard let address = LocalSocketAddress(notifySocket: name) else { return EINVAL }
        let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = OwnedDescriptor(Glibc.socket(AF_UNIX, kind, 0))
        guard descriptor.descriptor >= 0 else { return errno }
        // A manager that does not read must not hold up the agent.
        var limit = timeval(tv_sec: 0, tv_usec: 500_000)
        setsockopt(
            descriptor.descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let bytes = Array(text.utf8)
        while true {
            let sent = address.withSockaddr { pointer, size in
                sendto(descriptor.descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), pointer, size)
            }
            if sent >= 0 { return 0 }
            if errno != EINTR { return errno }
        }
    }

    private static func monotonicMicroseconds() -> UInt64 {
        var reading = timespec()
        clock_gettime(CLOCK_MONOTONIC, &reading)
        return UInt64(reading.tv_sec) * 1_000_000 + UInt64(reading.tv_nsec) / 1000
    }
}
