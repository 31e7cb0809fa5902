import Glibc
import NIOCore

/// Descriptors that callers leave to the rest of the agent: origins, the control socket, reloads, files.
struct DescriptorReserve: Sendable {
    /// What the system says when there are none, or no memory for one.
    private static let shortages: Set<CInt> = [EMFILE, ENFILE, ENOBUFS, ENOMEM]

    /// The limit on open files of the process.
    let limit: Int
    /// Callers get descriptors below this one alone: the system gives out the lowest that is free.
    let firstKept: Int

    init(limit: Int) {
        self.limit = limit
        firstKept = limit - min(max(8, limit / 8), 64)
    }

    /// As the limit is now.
    static var ofProcess: DescriptorReserve {
        var limits = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else {
            return DescriptorReserve(limit: 1024)
        }
        return DescriptorReserve(limit: Int(clamping: limits.rlim_cur))
    }

    /// Whether this one is not a caller's.
    func keeps(_ descriptor: CInt) -> Bool { descriptor >= firstKept }

    /// Whether there is none for a caller now.
    var isUsedUp: Bool {
        guard let probe = try? SocketCalls.openStream(AF_UNIX) else { return true }
        defer { close(probe) }
        return keeps(probe)
    }

    static func isShortage(_ error: any Error) -> Bool {
        (error as? IOError).map { shortages.contains($0.errnoCode) } ?? false
    }
}
