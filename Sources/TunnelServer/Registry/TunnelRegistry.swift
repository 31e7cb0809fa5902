import NIOCore
import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// The one place that knows which sessions serve which token, for all event loops of a tunnel server.
///
/// A lock around `TokenTable`, held for so long as a look-up takes; requests that get a session are told outside of it.
final class TunnelRegistry: Sendable {
    typealias Table = TokenTable<ServedSession, WaitingCaller>

    /// Tokens that are looked at while the lock is held, where it is about all of them.
    private static let part = 500

    private let table: Mutex<Table>

    init(maximumWaiting: Int, maximumClients: Int?, maximumTokens: Int) {
        table = Mutex(
            Table(
                maximumWaiting: maximumWaiting, maximumClients: maximumClients, maximumTokens: maximumTokens))
    }

    /// A lower number of clients sends nobody away who is there.
    func setLimits(waiting: Int, clients: Int?) {
        table.withLock {
            $0.maximumWaiting = waiting
            $0.maximumClients = clients
        }
    }

    /// For so long these tokens count as known.
    func expect(_ tokens: ExpectedTokens, for time: Duration) {
        let end = MonotonicInstant.now.advanced(by: time)
        table.withLock { $0.expect(tokens, until: end) }
    }

    /// Whether the token has or had a session.
    func hasSeen(_ token: RendezvousToken) -> Bool { table.withLock { $0.hasSeen(token) } }

    /// Whether a session serves the token, be it that all the streams it takes are in use.
    func isUp(_ token: RendezvousToken) -> Bool { table.withLock { $0.isUp(token) } }

    /// Tokens that have a session, and requests that wait for one.
    var load: (tunnels: Int, waiting: Int) { table.withLock { $0.load } }

    func request(
        _ token: RendezvousToken, loop: Int, caller: String, isListed: @autoclosure () -> Bool,
        waiting: () -> WaitingCaller
    ) -> Table.Decision {
        let now = MonotonicInstant.now
        return table.withLock {
            $0.request(
                token, loop: loop, caller: caller, now: now, isListed: isListed(), request: waiting)
        }
    }

    /// How many tokens are known.
    var tokenCount: Int { table.withLock { $0.tokenCount } }

    /// Every token that is known, in no order.
    var summaries: [Table.Summary] { inParts { $0.summaries($1) } }

    /// Every token that has a session, in no order.
    var connected: [Table.Summary] { inParts { $0.summaries($1, isConnected: true) } }

    /// Knows the tokens that another one knows.
    func know(tokensOf other: TunnelRegistry, isListed: (RendezvousToken) -> Bool) {
        let known = other.inParts { $0.known($1) }
        let now = MonotonicInstant.now
        for (token, owner) in known {
            let owner = isListed(token) ? nil : owner ?? .unknown
            table.withLock { $0.remember(token, owner: owner, now: now) }
        }
    }

    /// Asks for what all tokens have to tell, in parts: callers need the lock in between.
    private func inParts<Value: Sendable>(_ ask: (borrowing Table, Range<Int>) -> [Value]) -> [Value] {
        var all: [Value] = []
        var start = 0
        while true {
            let (part, isOver) = table.withLock { table in
                (ask(table, start..<start + Self.part), start + Self.part >= table.slotCount)
            }
            all += part
            if isOver { return all }
            start += Self.part
        }
    }

    func abandon(_ token: RendezvousToken, _ id: Table.RequestID) -> Bool {
        table.withLock { $0.abandon(token, id) }
    }

    func streamEnded(_ id: Table.SessionID) {
        deliver(table.withLock { $0.streamEnded(id) })
    }

    func admits(_ token: RendezvousToken, _ client: ClientIdentity) -> Table.Admission {
        table.withLock { $0.admits(token, client) }
    }

    func sessionsPerLoop(_ token: RendezvousToken, loops: Int) -> [Int] {
        table.withLock { $0.sessionsPerLoop(token, loops: loops) }
    }

    /// - Returns: what follows; nil when it may not join: others that knocked at the same time were faster.
    func join(_ token: RendezvousToken, _ member: Table.Member) -> Table.Arrival? {
        let now = MonotonicInstant.now
        let arrival = table.withLock { table in
            table.admits(token, member.client) == .admitted ? table.join(token, member, now: now) : nil
        }
        deliver(arrival?.assignments ?? [])
        return arrival
    }

    /// Those who serve a token and have to prove now that they live.
    func sessionsToProbe(_ token: RendezvousToken) -> [ServedSession] {
        let now = MonotonicInstant.now
        return table.withLock { $0.sessionsToProbe(token, now: now) }
    }

    func numbering(_ token: RendezvousToken, client: ClientIdentity, isListed: Bool) -> RequestNumbers {
        let now = MonotonicInstant.now
        return table.withLock { $0.numbering(token, client: client, isListed: isListed, now: now) }
    }

    func setOccupied(_ id: Table.SessionID, _ isOccupied: Bool) {
        table.withLock { $0.setOccupied(id, isOccupied) }
    }

    func drain(_ id: Table.SessionID) {
        table.withLock { _ = $0.drain(id) }
    }

    func leave(_ id: Table.SessionID, isListed: Bool) {
        let now = MonotonicInstant.now
        table.withLock { $0.leave(id, isListed: isListed, now: now) { $0.reference.lastHeard } }
    }

    /// Forgets tokens that were not seen for long, a part of them at a time.
    func forgetOld() {
        let now = MonotonicInstant.now
        table.withLock { $0.forgetOld(now: now, most: Self.part) }
    }

    private func deliver(_ assignments: [Table.Assignment]) {
        for assignment in assignments {
            assignment.request.assigned(assignment.sessionID, assignment.session.reference)
        }
    }
}

/// A session with what is known of its client.
struct ServedSession: Sendable {
    let reference: SessionReference
    /// Of the tunnel client.
    let address: String
    /// The same with its port, where that is known.
    let endpoint: String
    let software: String
    /// The name that the client announces; empty in protocol v1.
    let tunnelName: String
    let protocolVersion: Int
    /// When it began to serve, in seconds since 1970.
    let since: Int
}

/// A request that waits for a session, as seen from any event loop.
struct WaitingCaller: Sendable {
    private let eventLoop: any EventLoop
    private let exchange: NIOLoopBound<CallerExchange>

    init(_ exchange: CallerExchange, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.exchange = NIOLoopBound(exchange, eventLoop: eventLoop)
    }

    func assigned(_ id: TunnelRegistry.Table.SessionID, _ session: SessionReference) {
        let exchange = exchange
        eventLoop.execute { exchange.value.assigned(id, session) }
    }
}
