import AgentStatus
import Synchronization

/// Counts what happens to a server's sessions and connections, by codes of a closed set: seldom, or to who is turned away.
/// On any thread.
final class ServerIncidents: Sendable {
    struct Counts {
        var handshakeFailures: [ErrorCode: UInt64] = [:]
        var sessionEnds: [ErrorCode: UInt64] = [:]
        var refusedConnections: [ErrorCode: UInt64] = [:]
    }

    private let state = Mutex(Counts())

    var counts: Counts { state.withLock { $0 } }

    /// A tunnel client was not let in.
    func handshakeFailed(_ code: ErrorCode) {
        state.withLock { $0.handshakeFailures[code, default: 0] += 1 }
    }

    func sessionEnded(_ code: ErrorCode) { state.withLock { $0.sessionEnds[code, default: 0] += 1 } }

    /// A connection was refused before it had a request.
    func connectionRefused(_ code: ErrorCode) {
        state.withLock { $0.refusedConnections[code, default: 0] += 1 }
    }
}
