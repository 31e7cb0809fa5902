import Glibc
import Logging
import NIOCore
import Observability

/// Each caller, session and origin connection is an open file: the soft limit, often 1,024, is raised to the hard
/// one.
package enum OpenFileLimit {
    /// What an agent opens before it serves anybody: its log, signals, control socket, listeners, files that it reads.
    private static let needed = 32
    /// What each event loop holds open.
    private static let neededPerCore = 3

    static func raise(_ logger: Logger) {
        let code = raise()
        if code != 0 {
            logger.warning(
                "Cannot raise the limit on open files",
                metadata: [.errorMessage: "\(String(cString: strerror(code)))"])
        }
    }

    /// Why an agent had better not start: it would end in the middle of it, without a word.
    ///
    /// - Returns: nil when there are descriptors enough.
    package static func shortage(cores: Int = System.coreCount) -> String? {
        _ = raise()
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        let needed = needed + neededPerCore * cores
        var free = 0
        for descriptor in 0..<CInt(clamping: limit.rlim_cur) {
            if fcntl(descriptor, F_GETFD) < 0 { free += 1 }
            if free == needed { return nil }
        }
        return
            "only \(free) more files can be opened, and an agent needs \(needed) for itself alone — raise the limit (ulimit -n, LimitNOFILE= of systemd)"
    }

    /// - Returns: what the system says against it, or 0.
    private static func raise() -> CInt {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0,
            limit.rlim_cur < limit.rlim_max
        else { return 0 }
        limit.rlim_cur = limit.rlim_max
        return setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 ? 0 : errno
    }
}
