import HostSystem
import Observability
import Synchronization

/// What a tunnel is, whichever client serves it at the time: those that replace one another are one client to the server,
/// and what they carried is one tunnel's.
final class TunnelIdentity: Sendable {
    /// The slot, of those of one client, on which it is tried whether WebSockets get through: behind all others.
    static let trialSlot = 64
    private static let slotsOfOneClient = trialSlot + 1

    /// Tells the server which connections belong together.
    let clientID = String(UInt64.random(in: .min ... .max), radix: 16)
    let traffic = TrafficCount()
    let hosts = HostGrants()
    /// What events tell of requests that its origins did not answer.
    let originFailures = Mutex(RepeatedWarning())
    private let clients = Atomic(0)

    /// The first of the slots by which the server knows the connections of one more client.
    ///
    /// No two clients share a slot: the server takes a new session of a slot for a sign that the old one is dead, and
    /// gives the old one no more requests. A connection that the old client dialled just before it was replaced could
    /// then put the new client's out of use.
    func takeSlots() -> Int { clients.add(Self.slotsOfOneClient, ordering: .relaxed).oldValue }
}
