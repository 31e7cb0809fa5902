import AgentStatus
import HostSystem
import NIOCore
import Observability
import Synchronization

/// What a tunnel is, whichever client serves it at the time: those that replace one another are one client to the server,
/// and what they carried is one tunnel's.
final class TunnelIdentity: Sendable {
    typealias Count = LoopCount<TunnelCounts, TunnelLoopMeasures>

    /// The slot, of those of one client, on which it is tried whether WebSockets get through: behind all others.
    static let trialSlot = 64
    private static let slotsOfOneClient = trialSlot + 1

    /// What happens seldom, by codes of a closed set.
    struct Incidents {
        var dialFailures: [ErrorCode: UInt64] = [:]
        var sessionEnds: [ErrorCode: UInt64] = [:]
    }

    /// Tells the server which connections belong together.
    let clientID = String(UInt64.random(in: .min ... .max), radix: 16)
    let hosts = HostGrants()
    /// What events tell of requests that its origins did not answer.
    let originFailures = Mutex(RepeatedWarning())
    private let clients = Atomic(0)
    /// Of the event loops that have had a session.
    private let loopCounts = Mutex<[Count]>([])
    private let happened = Mutex(Incidents())

    /// The first of the slots by which the server knows the connections of one more client.
    ///
    /// No two clients share a slot: the server takes a new session of a slot for a sign that the old one is dead, and
    /// gives the old one no more requests. A connection that the old client dialled just before it was replaced could
    /// then put the new client's out of use.
    func takeSlots() -> Int { clients.add(Self.slotsOfOneClient, ordering: .relaxed).oldValue }

    // MARK: Counting

    /// What counts its requests on the current event loop.
    func counts(on eventLoop: any EventLoop) -> TunnelCounts {
        let count = loopCounts.withLock { all in
            if let count = all.first(where: { $0.isOf(eventLoop) }) { return count }
            let count = Count(
                TunnelCounts(on: eventLoop), on: eventLoop, told: TunnelLoopMeasures()
            ) { $0.told }
            all.append(count)
            return count
        }
        return count.counts
    }

    var counts: [Count] { loopCounts.withLock { $0 } }

    var incidents: Incidents { happened.withLock { $0 } }

    func dialFailed(_ code: ErrorCode) { happened.withLock { $0.dialFailures[code, default: 0] += 1 } }

    func sessionEnded(_ code: ErrorCode) { happened.withLock { $0.sessionEnds[code, default: 0] += 1 } }
}
