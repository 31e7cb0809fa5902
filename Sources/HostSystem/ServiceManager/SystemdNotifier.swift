import Glibc
import Synchronization
package import SystemPackage

/// Tells the service manager how the agent is (sd_notify(3)), as `Type=notify` and `Type=notify-reload` want it. Without a manager it
/// does nothing.
package final class SystemdNotifier: Sendable {
    private let socket: String?
    private let watchdogTimeout: Duration?
    private let onFailure: @Sendable (Errno) -> Void
    /// Failures are told once.
    private let hasFailed = Atomic(false)

    /// - Parameter onFailure: told of the first message that could not be sent, on any thread.
    package init(_ environment: ServiceEnvironment, onFailure: @escaping @Sendable (Errno) -> Void) {
        socket = environment.notifySocket
        watchdogTimeout = environment.watchdogTimeout
        self.onFailure = onFailure
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
        do throws(Errno) {
            try Self.send(ServiceNotice.text(of: notices), to: socket)
        } catch {
            if !hasFailed.exchange(true, ordering: .relaxed) { onFailure(error) }
        }
    }

    private static func send(_ text: String, to name: String) throws(Errno) {
        guard let address = LocalSocketAddress(notifySocket: name) else { throw .invalidArgument }
        let socket = try OwnedDescriptor(
            Glibc.socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0))
        // A manager that does not read must not hold up the agent.
        try SocketCalls.setOption(SO_SNDTIMEO, of: socket.number, to: timeval(tv_sec: 0, tv_usec: 500_000))
        let bytes = Array(text.utf8)
        while true {
            let sent = address.withSockaddr { pointer, size in
                sendto(socket.number, bytes, bytes.count, CInt(MSG_NOSIGNAL), pointer, size)
            }
            if sent >= 0 { return }
            guard errno == EINTR else { throw .latest }
        }
    }

    private static func monotonicMicroseconds() -> UInt64 {
        var reading = timespec()
        clock_gettime(CLOCK_MONOTONIC, &reading)
        return UInt64(reading.tv_sec) * 1_000_000 + UInt64(reading.tv_nsec) / 1000
    }
}
