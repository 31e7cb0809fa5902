import Glibc

/// Whether the process may open a connection: whoever dials leaves the last few descriptors to files, pipes and the
/// libraries underneath. Some of those end the process when they get none (libdispatch, which looks into `/proc`).
package enum DescriptorRoom {
    /// What is left of so many: a sixteenth, from 4 to 32.
    static func kept(of limit: Int) -> Int { min(max(4, limit / 16), 32) }

    /// Asks the system, which gives out the lowest descriptor that is free.
    package static var isThere: Bool {
        var limits = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else { return true }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { return false }
        close(probe)
        let limit = Int(clamping: limits.rlim_cur)
        return Int(probe) < limit - kept(of: limit)
    }
}
