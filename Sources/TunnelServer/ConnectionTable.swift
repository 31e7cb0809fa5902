import HTTPServing
import HostSystem
import NIOCore
import Routing
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// Which callers and sessions a tunnel server has, to bound their number and to tell them that it stops.
final class ConnectionTable: Sendable {
    /// A caller's connection, as seen from any event loop.
    struct Caller: Sendable {
        let eventLoop: any EventLoop
        /// By which listener it came.
        let listener: Int
        let connection: NIOLoopBound<any CallerConnection>
    }

    /// A session, and by what it came in.
    struct Session: Sendable {
        let reference: SessionReference
        let credentials: TunnelCredentials
        let address: AddressGroup
        /// Whether it goes by requests.
        var isLongPoll = false
    }

    private struct Counts {
        var callers: [ObjectIdentifier: Caller] = [:]
        var perAddress = Tally<AddressGroup>()
        /// Whom it was said how often that there is no room.
        var refusals = RateBuckets<AddressGroup>()
        var sessions: [UInt64: Session] = [:]
        var sessionCounts = SessionCounts()
        var isEmpty: Bool { callers.isEmpty && sessions.isEmpty }
    }

    /// One that is refused lingers until its caller has read why, and is not counted: for so many from one address.
    private static let toldRate = RequestLimits.Rate(perSecond: 5, burst: 20)

    /// What becomes of a connection that comes.
    enum Entry {
        case isIn
        /// - Parameter isTold: whether it gets an answer, or is closed without a word.
        case isRefused(Refusal, isTold: Bool)
    }

    private let maximum: Int
    private let counts = Monitor(Counts())

    init(maximum: Int) { self.maximum = maximum }

    /// - Parameter most: from one address.
    func enter(_ id: ObjectIdentifier, _ caller: Caller, address: AddressGroup, most: Int) -> Entry {
        counts.change { counts in
            let isFull = counts.callers.count >= maximum
            guard !isFull, counts.perAddress[address] < most else {
                let isTold = counts.refusals.take(address, at: Self.toldRate, now: .now) == nil
                return .isRefused(
                    isFull ? .tooManyCallers : .tooManyConnectionsFromAddress, isTold: isTold)
            }
            counts.callers[id] = caller
            counts.perAddress.add(address)
            return .isIn
        }
    }

    func leave(_ id: ObjectIdentifier, address: AddressGroup) {
        counts.change { counts in
            if counts.callers.removeValue(forKey: id) != nil { counts.perAddress.remove(address) }
        }
    }

    /// - Returns: the answer for a client for which there is no room; nil when there is some.
    func refusal(
        of token: RendezvousToken, from address: AddressGroup, _ limits: SessionCounts.Limits
    ) -> Refusal? {
        counts.read { counts in
            do throws(AdmissionError) {
                try counts.sessionCounts.checkRoom(for: token, from: address, limits)
                return nil
            } catch {
                return Refusal(error)
            }
        }
    }

    /// - Returns: false when there are too many: others that knocked at the same time were faster.
    func enter(_ id: UInt64, _ session: Session, _ limits: SessionCounts.Limits) -> Bool {
        counts.change { counts in
            let token = session.credentials.token
            let hasRoom =
                (try? counts.sessionCounts.checkRoom(for: token, from: session.address, limits)) != nil
            counts.sessions[id] = session
            counts.sessionCounts.enter(token, from: session.address)
            return hasRoom
        }
    }

    func leave(session id: UInt64) {
        counts.change { counts in
            guard let session = counts.sessions.removeValue(forKey: id) else { return }
            counts.sessionCounts.leave(session.credentials.token, from: session.address)
        }
    }

    /// Every caller who is here now.
    var callers: [Caller] { counts.read { Array($0.callers.values) } }

    /// Those who came by this listener.
    func callers(by listener: Int) -> [Caller] { callers.filter { $0.listener == listener } }

    /// Every session that is here now, by its number.
    var sessions: [UInt64: Session] { counts.read { $0.sessions } }

    /// Those of them that are here now.
    func sessions(_ ids: Set<UInt64>) -> [UInt64: SessionReference] {
        counts.read { counts in
            var references: [UInt64: SessionReference] = [:]
            for id in ids { references[id] = counts.sessions[id]?.reference }
            return references
        }
    }

    /// How many are here now.
    var size: (callers: Int, sessions: Int) { counts.read { ($0.callers.count, $0.sessions.count) } }

    /// Waits until the last session that goes by requests has left, or the task is cancelled.
    func hasNoLongPolls() async {
        await counts.wait { counts -> Void? in
            counts.sessions.values.contains(where: \.isLongPoll) ? nil : ()
        }
    }

    /// Whether any session goes by requests, for which connections are to be taken.
    var hasLongPolls: Bool { counts.read { $0.sessions.values.contains(where: \.isLongPoll) } }

    /// Waits until the last caller and session have left, or the task is cancelled.
    func becomesEmpty() async { await counts.wait { counts -> Void? in counts.isEmpty ? () : nil } }
}
