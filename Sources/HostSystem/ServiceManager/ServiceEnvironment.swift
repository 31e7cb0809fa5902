import Glibc

/// What the service manager tells a process by environment variables (sd_notify(3), sd_listen_fds(3),
/// sd_watchdog_enabled(3), systemd.exec(5)).
///
/// They are meant for this process alone: `take` removes them, so that commands started by the agent do not speak in
/// its name.
package struct ServiceEnvironment: Sendable, Hashable {
    /// Where messages for the service manager go (`NOTIFY_SOCKET`): a path, or `@` and an abstract name.
    package var notifySocket: String?
    /// A sign of life is due within this time, else the service manager restarts the agent.
    package var watchdogTimeout: Duration?
    /// The sockets that it has bound, or what is wrong with the variables that tell of them.
    package var sockets: Result<[InheritedSocket], InheritedSocketsError>

    /// Reads the variables.
    ///
    /// - Parameters:
    ///   - processID: ours; what is meant for another process does not count.
    ///   - variable: the value of a variable, nil when it is not set.
    package init(processID: Int32, variable: (_ name: String) -> String?) {
        func isSet(_ name: String) -> String? { variable(name).flatMap { $0.isEmpty ? nil : $0 } }
        notifySocket = isSet("NOTIFY_SOCKET")
        if let microseconds = isSet("WATCHDOG_USEC").flatMap(Int64.init), microseconds > 0,
            isSet("WATCHDOG_PID").map({ Int32($0) == processID }) ?? true
        {
            watchdogTimeout = .microseconds(microseconds)
        }
        do throws(InheritedSocketsError) {
            sockets = .success(
                try InheritedSocket.parse(
                    processID: isSet("LISTEN_PID"), count: isSet("LISTEN_FDS"),
                    names: variable("LISTEN_FDNAMES"), ownProcessID: processID))
        } catch {
            sockets = .failure(error)
        }
    }

    /// Reads the variables of this process, removes them, and claims the sockets, before a command runs that would
    /// inherit them. Only at the start, while nothing else reads the environment.
    package static func take() -> ServiceEnvironment {
        var environment = take(
            processID: getpid(), variable: { name in getenv(name).map { String(cString: $0) } },
            remove: { unsetenv($0) })
        do throws(InheritedSocketsError) {
            for socket in try environment.sockets.get() { try socket.claim() }
        } catch {
            environment.sockets = .failure(error)
        }
        return environment
    }

    /// The same for an environment that is given.
    static func take(
        processID: Int32, variable: (_ name: String) -> String?, remove: (_ name: String) -> Void
    ) -> ServiceEnvironment {
        let environment = ServiceEnvironment(processID: processID, variable: variable)
        for name in removedVariables { remove(name) }
        return environment
    }

    /// `RUNTIME_DIRECTORY` stays: a configuration may use it.
    private static let removedVariables = [
        "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
        "LISTEN_PIDFDID",
    ]
}
