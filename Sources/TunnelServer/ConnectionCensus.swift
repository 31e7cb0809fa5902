import NIOCore
import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// Which callers and sessions a tunnel server has, to bound their number and to tell them that it stops.
final class ConnectionCensus: Sendable {
    /// A caller's connection, as seen from any event loop.
    struct Caller: Sendable {
        let eventLoop: any EventLoop
        let handler: NIOLoopBound<CallerHandler>
    }

    /// A session, and by what it came in.
    struct Session: Sendable {
        let reference: SessionReference
        let credentials: TunnelCredentials
        let address: AddressGroup
    }

    private struct Counts {
        var callers: [ObjectIdentifier: Caller] = [:]
        var perAddress = Tally<AddressGroup>()
        var sessions: [UInt64: Session] = [:]
        var sessionCounts = SessionCounts()
        var lastWaiter = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let maximum: Int
    private let maximumPerAddress: Int
    private let counts = Mutex(Counts())

    init(maximum: Int, maximumPerAddress: Int) {
        self.maximum = maximum
        self.maximumPerAddress = maximumPerAddress
    }

    /// - Returns: false when there are too many.
    func enter(_ id: ObjectIdentifier, _ caller: Caller, address: AddressGroup) -> Bool {
        counts.withLock {
            guard $0.callers.count < maximum, $0.perAddress[address] < maximumPerAddress else {
                return false
            }
            $0.callers[id] = caller
            $0.perAddress.add(address)
            return true
        }
    }

    func leave(_ id: ObjectIdentifier, address: AddressGroup) {
        let waiters = counts.withLock { counts -> [CheckedContinuation<Void, Never>] in
            guard counts.callers.removeValue(forKey: id) != nil else { return [] }
            counts.perAddress.remove(address)
            return Self.takeWaitersIfEmpty(&counts)
        }
        for waiter in waiters { waiter.resume() }
    }

    /// - Returns: the answer for a client for which there is no room; nil when there is some.
    func refusal(
        of token: RendezvousToken, from address: AddressGroup, _ limits: SessionCounts.Limits
    ) -> Refusal? {
        counts.withLock { counts in
            do throws(Refusal) {
                try counts.sessionCounts.checkRoom(for: token, from: address, limits)
                return nil
            } catch {
                return error
            }
        }
    }

    /// - Returns: false when there are too many: others that knocked at the same time were faster.
    func enter(_ id: UInt64, _ session: Session, _ limits: SessionCounts.Limits) -> Bool {
        counts.withLock { counts in
            let token = session.credentials.token
            let hasRoom =
                (try? counts.sessionCounts.checkRoom(for: token, from: session.address, limits)) != nil
            counts.sessions[id] = session
            counts.sessionCounts.enter(token, from: session.address)
            return hasRoom
        }
    }

    func leave(session id: UInt64) {
        let waiters = counts.withLock { counts in
            if let session = counts.sessions.removeValue(forKey: id) {
                counts.sessionCounts.leave(session.credentials.token, from: session.address)
            }
            return Self.takeWaitersIfEmpty(&counts)
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Every caller who is here now.
    var callers: [Caller] { counts.withLock { Array($0.callers.values) } }

    /// Every session that is here now, by its number.
    var sessions: [UInt64: Session] { counts.withLock { $0.sessions } }

    /// How many are here now.
    var size: (callers: Int, sessions: Int) { counts.withLock { ($0.callers.count, $0.sessions.count) } }

    /// Waits until the last caller and session have left, or the task is cancelled.
    func becomesEmpty() async {
        let id = counts.withLock { counts in
            counts.lastWaiter += 1
            return counts.lastWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = counts.withLock { counts in
                    // A cancellation that comes before this is seen here, one after it finds the waiter.
                    let isOver = counts.callers.isEmpty && counts.sessions.isEmpty || Task.isCancelled
                    if !isOver { counts.waiters[id] = continuation }
                    return isOver
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            counts.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
        }
    }

    private static func takeWaitersIfEmpty(_ counts: inout Counts) -> [CheckedContinuation<Void, Never>] {
        guard counts.callers.isEmpty, counts.sessions.isEmpty else { return [] }
        defer { counts.waiters = [:] }
        return Array(counts.waiters.values)
    }
}
