import Glibc
import Logging
import Observability

/// Each caller, session and origin connection is an open file: the soft limit, often 1,024, is raised to the hard
/// one.
enum OpenFileLimit {
    static func raise(_ logger: Logger) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        guard limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 {
            logger.warning(
                "Cannot raise the limit on open files",
                metadata: [.errorMessage: "\(String(cString: strerror(errno)))"])
        }
    }
}
