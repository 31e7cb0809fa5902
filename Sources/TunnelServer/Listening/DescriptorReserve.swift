import Glibc
import HostSystem
import NIOCore

/// Descriptors that callers leave to the rest of the agent: origins, the control socket, reloads, files.
struct DescriptorReserve: Sendable {
    /// What the system says when there are none, or no memory for one.
    private static let shortages: Set<CInt> = [EMFILE, ENFILE, ENOBUFS, ENOMEM]

    /// Connections that NIO takes at once, at most, before it looks whether it should take more.
    private static let takenAtOnce = 4

    /// The limit on open files of the process.
    let limit: Int
    /// Callers get descriptors below this one alone: the system gives out the lowest that is free.
    let firstKept: Int

    init(limit: Int) {
        self.limit = limit
        firstKept = limit - min(max(8, limit / 8), 64)
    }

    /// As the limit is now.
    static var ofProcess: DescriptorReserve { DescriptorReserve(limit: OpenFileLimit.current ?? 1024) }

    /// Whether no more connections should be taken: those that come in the same go are let in yet.
    var isUsedUp: Bool {
        guard let probe = try? SocketCalls.open(AF_UNIX) else { return true }
        return Int(probe.number) > firstKept - Self.takenAtOnce
    }

    static func isShortage(_ error: any Error) -> Bool {
        (error as? IOError).map { shortages.contains($0.errnoCode) } ?? false
    }
}
