import Glibc

/// Who is at the other end of a Unix domain socket, as the kernel knows it (`SO_PEERCRED`, unix(7)).
///
/// Its layout is that of C's `struct ucred`.
package struct PeerCredentials: Sendable, Hashable {
    package var processID: Int32
    package var userID: UInt32
    package var groupID: UInt32

    package init(processID: Int32, userID: UInt32, groupID: UInt32) {
        self.processID = processID
        self.userID = userID
        self.groupID = groupID
    }

    /// The peer of a connected socket; nil when the kernel does not tell.
    package init?(descriptor: Int32) {
        self.init(processID: 0, userID: .max, groupID: .max)
        var size = socklen_t(MemoryLayout<Self>.size)
        let result = getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &self, &size)
        guard result == 0, size == MemoryLayout<Self>.size else { return nil }
    }

    /// True for root and for the user that the agent runs as: they may command it.
    package func mayCommand(agentOf userID: UInt32 = geteuid()) -> Bool {
        self.userID == 0 || self.userID == userID
    }
}
