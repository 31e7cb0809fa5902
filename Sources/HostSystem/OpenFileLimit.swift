import Glibc
import NIOCore
package import SystemPackage

/// Each caller, session and origin connection is an open file: the soft limit, often 1,024, is raised to the hard
/// one.
package enum OpenFileLimit {
    /// What an agent opens before it serves anybody: its log, signals, control socket, listeners, files that it reads.
    private static let needed = 32
    /// What each event loop holds open.
    private static let neededPerCore = 3

    /// The present soft limit; nil when the system does not tell.
    package static var current: Int? { limits.map { Int(clamping: $0.rlim_cur) } }

    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

    private static var limits: rlimit? {
        var limits = rlimit()
        return getrlimit(resource, &limits) == 0 ? limits : nil
    }

    /// - Throws: what the system says against it.
    package static func raise() throws(Errno) {
        guard var limits, limits.rlim_cur < limits.rlim_max else { return }
        limits.rlim_cur = limits.rlim_max
        try SocketCalls.check(setrlimit(resource, &limits))
    }

    /// Why an agent had better not start: it would end in the middle of it, without a word.
    ///
    /// - Returns: nil when there are descriptors enough.
    package static func shortage(cores: Int = System.coreCount) -> String? {
        try? raise()
        guard let limit = current else { return nil }
        let needed = needed + neededPerCore * cores
        var free = 0
        for descriptor in 0..<CInt(clamping: limit) {
            if fcntl(descriptor, F_GETFD) < 0 { free += 1 }
            if free == needed { return nil }
        }
        return
            "only \(free) more files can be opened, and an agent needs \(needed) for itself alone — raise the limit (ulimit -n, LimitNOFILE= of systemd)"
    }
}
