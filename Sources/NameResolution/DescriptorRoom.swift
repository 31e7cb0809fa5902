import Glibc
import HostSystem

/// Whether the process may open a connection: whoever dials leaves the last few descriptors to files, pipes and the
/// libraries underneath. Some of those end the process when they get none (libdispatch, which looks into `/proc`).
package enum DescriptorRoom {
    /// What is left of so many: a sixteenth, from 4 to 32.
    static func kept(of limit: Int) -> Int { min(max(4, limit / 16), 32) }

    /// Asks the system, which gives out the lowest descriptor that is free.
    package static var isThere: Bool {
        guard let limit = OpenFileLimit.current else { return true }
        guard let probe = try? SocketCalls.open(AF_UNIX) else { return false }
        return Int(probe.number) < limit - kept(of: limit)
    }
}
