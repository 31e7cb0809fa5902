import NIOCore
import Synchronization
import TunnelTransport

/// Which callers and sessions a tunnel server has, to bound their number and to tell them that it stops.
final class ConnectionCensus: Sendable {
    /// A caller's connection, as seen from any event loop.
    struct Caller: Sendable {
        let eventLoop: any EventLoop
        let handler: NIOLoopBound<CallerHandler>
    }

    private struct Counts {
        var callers: [ObjectIdentifier: Caller] = [:]
        var perAddress: [String: Int] = [:]
        var sessions: [UInt64: SessionReference] = [:]
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let maximum: Int
    private let maximumPerAddress: Int
    private let maximumSessions: Int
    private let counts = Mutex(Counts())

    init(maximum: Int, maximumPerAddress: Int, maximumSessions: Int) {
        self.maximum = maximum
        self.maximumPerAddress = maximumPerAddress
        self.maximumSessions = maximumSessions
    }

    /// - Returns: false when there are too many.
    func enter(_ id: ObjectIdentifier, _ caller: Caller, address: String) -> Bool {
        counts.withLock {
            guard $0.callers.count < maximum, $0.perAddress[address, default: 0] < maximumPerAddress else {
                return false
            }
            $0.callers[id] = caller
            $0.perAddress[address, default: 0] += 1
            return true
        }
    }

    func leave(_ id: ObjectIdentifier, address: String) {
        let waiters = counts.withLock { counts -> [CheckedContinuation<Void, Never>] in
            guard counts.callers.removeValue(forKey: id) != nil else { return [] }
            let left = counts.perAddress[address, default: 1] - 1
            counts.perAddress[address] = left > 0 ? left : nil
            return Self.takeWaitersIfEmpty(&counts)
        }
        for waiter in waiters { waiter.resume() }
    }

    var hasRoomForSession: Bool { counts.withLock { $0.sessions.count < maximumSessions } }

    func enter(_ id: UInt64, _ session: SessionReference) {
        counts.withLock { $0.sessions[id] = session }
    }

    func leave(session id: UInt64) {
        let waiters = counts.withLock { counts in
            counts.sessions.removeValue(forKey: id)
            return Self.takeWaitersIfEmpty(&counts)
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Everybody who is here now.
    var everybody: (callers: [Caller], sessions: [SessionReference]) {
        counts.withLock { (Array($0.callers.values), Array($0.sessions.values)) }
    }

    /// Waits until the last caller and session have left.
    func becomesEmpty() async {
        await withCheckedContinuation { continuation in
            let isEmpty = counts.withLock { counts in
                let isEmpty = counts.callers.isEmpty && counts.sessions.isEmpty
                if !isEmpty { counts.waiters.append(continuation) }
                return isEmpty
            }
            if isEmpty { continuation.resume() }
        }
    }

    private static func takeWaitersIfEmpty(_ counts: inout Counts) -> [CheckedContinuation<Void, Never>] {
        guard counts.callers.isEmpty, counts.sessions.isEmpty else { return [] }
        defer { counts.waiters = [] }
        return counts.waiters
    }
}
