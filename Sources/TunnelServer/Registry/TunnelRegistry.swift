import NIOCore
import Routing
import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// The one place that knows which sessions serve which token, for all event loops of a tunnel server.
///
/// A lock around `TokenTable` and what its numbers stand for, held for so long as a look-up takes; requests that get a
/// session are told outside of it.
final class TunnelRegistry: Sendable {
    typealias Table = TokenTable

    /// Tokens that are looked at while the lock is held, where it is about all of them.
    private static let part = 500

    /// What becomes of a request, as `TokenTable.Decision` has it.
    enum Decision {
        case send(to: Table.SessionID, ServedSession)
        case wait(Table.RequestID, until: MonotonicInstant?)
        case unknownToken
        case tooManyWaiting
    }

    /// What there is to tell of one token, and the sessions that it has.
    struct Summary: Sendable {
        let about: Table.Summary
        let sessions: [ServedSession]
    }

    /// A request that waited, and the session that takes it.
    private struct Assignment {
        let caller: WaitingCaller
        let sessionID: Table.SessionID
        let session: SessionReference
    }

    /// What follows when a session has joined.
    struct Arrival {
        /// Sessions of the same connection of the same client, which have to prove that they live.
        let older: [SessionReference]
        /// Whether others serve the token, and all of them from elsewhere.
        let isFromElsewhere: Bool
    }

    private struct State {
        var table: Table
        var sessions = SlotTable<ServedSession>()
        var callers = SlotTable<WaitingCaller>()

        mutating func resolve(_ assignments: [Table.Assignment]) -> [Assignment] {
            assignments.compactMap { assignment in
                guard let caller = callers.remove(assignment.request),
                    let session = sessions[assignment.session]
                else { return nil }
                return Assignment(
                    caller: caller, sessionID: assignment.sessionID, session: session.reference)
            }
        }

        func summaries(_ slots: Range<Int>, isConnected: Bool) -> [Summary] {
            table.summaries(slots, isConnected: isConnected).map { about in
                Summary(about: about, sessions: about.sessions.compactMap { sessions[$0] })
            }
        }
    }

    private let state: Mutex<State>

    init(maximumWaiting: Int, maximumClients: Int?, maximumTokens: Int) {
        state = Mutex(
            State(
                table: Table(
                    maximumWaiting: maximumWaiting, maximumClients: maximumClients,
                    maximumTokens: maximumTokens)))
    }

    /// A lower number of clients sends nobody away who is there.
    func setLimits(waiting: Int, clients: Int?) {
        state.withLock {
            $0.table.maximumWaiting = waiting
            $0.table.maximumClients = clients
        }
    }

    /// For so long these tokens count as known.
    func expect(_ tokens: ExpectedTokens, for time: Duration) {
        let end = MonotonicInstant.now.advanced(by: time)
        state.withLock { $0.table.expect(tokens, until: end) }
    }

    /// Whether the token has or had a session.
    func hasSeen(_ token: RendezvousToken) -> Bool { state.withLock { $0.table.hasSeen(token) } }

    /// Whether a session serves the token, be it that all the streams it takes are in use.
    func isUp(_ token: RendezvousToken) -> Bool { state.withLock { $0.table.isUp(token) } }

    /// What would become of a request for the token now.
    func outlook(for token: RendezvousToken, isListed: Bool) -> TokenOutlook {
        let now = MonotonicInstant.now
        return state.withLock { $0.table.outlook(for: token, now: now, isListed: isListed) }
    }

    /// Requests of a token that wait.
    func waitingCount(_ token: RendezvousToken) -> Int { state.withLock { $0.table.waitingCount(token) } }

    /// Tokens that have a session, and requests that wait for one.
    var load: (tunnels: Int, waiting: Int) { state.withLock { $0.table.load } }

    func request(
        _ token: RendezvousToken, loop: Int, caller: String, isListed: @autoclosure () -> Bool,
        waiting: () -> WaitingCaller
    ) -> Decision {
        let now = MonotonicInstant.now
        return state.withLock { state in
            let decision = state.table.request(
                token, loop: loop, caller: caller, now: now, isListed: isListed(),
                request: { state.callers.insert(waiting()) })
            switch decision {
            case .send(let id, let handle):
                guard let session = state.sessions[handle] else { return .unknownToken }
                return .send(to: id, session)
            case .wait(let id, let end): return .wait(id, until: end)
            case .unknownToken: return .unknownToken
            case .tooManyWaiting: return .tooManyWaiting
            }
        }
    }

    /// How many tokens are known.
    var tokenCount: Int { state.withLock { $0.table.tokenCount } }

    /// Every token that is known, in no order.
    var summaries: [Summary] { inParts { $0.summaries($1, isConnected: false) } }

    /// Every token that has a session, in no order.
    var connected: [Summary] { inParts { $0.summaries($1, isConnected: true) } }

    /// Every session, in no order.
    var standings: [(standing: Table.Standing, session: ServedSession)] {
        inParts { state, slots in
            state.table.standings(slots).compactMap { standing in
                state.sessions[standing.session].map { (standing, $0) }
            }
        }
    }

    /// Knows the tokens that another one knows.
    func know(tokensOf other: TunnelRegistry, isListed: (RendezvousToken) -> Bool) {
        let known = other.inParts { $0.table.known($1) }
        let now = MonotonicInstant.now
        for (token, owner) in known {
            let owner = isListed(token) ? nil : owner ?? .unknown
            state.withLock { $0.table.remember(token, owner: owner, now: now) }
        }
    }

    /// Asks for what all tokens have to tell, in parts: callers need the lock in between.
    private func inParts<Value: Sendable>(_ ask: (borrowing State, Range<Int>) -> [Value]) -> [Value] {
        var all: [Value] = []
        var start = 0
        while true {
            let (part, isOver) = state.withLock { state in
                (ask(state, start..<start + Self.part), start + Self.part >= state.table.slotCount)
            }
            all += part
            if isOver { return all }
            start += Self.part
        }
    }

    /// A waiting request gave up. False when it is not waiting any more.
    func abandon(_ token: RendezvousToken, _ id: Table.RequestID) -> Bool {
        state.withLock { state in
            guard let request = state.table.abandon(token, id) else { return false }
            state.callers.remove(request)
            return true
        }
    }

    /// Names that led to these tokens may lead elsewhere now: the requests that wait for them look anew.
    func namesMoved(from tokens: some Sequence<RendezvousToken>) {
        for token in tokens {
            let callers = state.withLock { state in
                state.table.waiting(for: token).compactMap { state.callers[$0] }
            }
            for caller in callers { caller.nameMoved() }
        }
    }

    func streamEnded(_ id: Table.SessionID) {
        deliver(state.withLock { $0.resolve($0.table.streamEnded(id)) })
    }

    func admits(_ token: RendezvousToken, _ client: ClientIdentity) -> Table.Admission {
        state.withLock { $0.table.admits(token, client) }
    }

    func sessionsPerLoop(_ token: RendezvousToken, loops: Int) -> [Int] {
        state.withLock { $0.table.sessionsPerLoop(token, loops: loops) }
    }

    /// A session is ready.
    ///
    /// - Parameter member: what the table has to know of it.
    /// - Returns: what follows; nil when it may not join: others that knocked at the same time were faster.
    func join(
        _ token: RendezvousToken, _ session: ServedSession, _ client: ClientIdentity,
        member: (Table.SessionHandle) -> Table.Member
    ) -> Arrival? {
        let now = MonotonicInstant.now
        let arrival = state.withLock { state -> (Arrival, [Assignment])? in
            guard state.table.admits(token, client) == .admitted else { return nil }
            let arrival = state.table.join(token, member(state.sessions.insert(session)), now: now)
            let older = [arrival.replaced, arrival.elsewhere].compactMap { handle in
                handle.flatMap { state.sessions[$0]?.reference }
            }
            return (
                Arrival(older: older, isFromElsewhere: arrival.isFromElsewhere),
                state.resolve(arrival.assignments)
            )
        }
        deliver(arrival?.1 ?? [])
        return arrival?.0
    }

    /// Those who serve a token and have to prove now that they live.
    func sessionsToProbe(_ token: RendezvousToken) -> [SessionReference] {
        let now = MonotonicInstant.now
        return state.withLock { state in
            state.table.sessionsToProbe(token, now: now).compactMap { state.sessions[$0]?.reference }
        }
    }

    func numbering(
        _ token: RendezvousToken, client: ClientIdentity, isListed: Bool
    ) -> any RequestNumbering {
        let now = MonotonicInstant.now
        return state.withLock {
            $0.table.numbering(token, client: client, isListed: isListed, now: now) { RequestNumbers() }
        }
    }

    func setOccupied(_ id: Table.SessionID, _ isOccupied: Bool) {
        state.withLock { $0.table.setOccupied(id, isOccupied) }
    }

    func drain(_ id: Table.SessionID) {
        state.withLock { _ = $0.table.drain(id) }
    }

    func leave(_ id: Table.SessionID, isListed: Bool) {
        let now = MonotonicInstant.now
        state.withLock { state in
            let heard = state.table.handle(of: id).flatMap { state.sessions[$0]?.reference.lastHeard }
            let handle = state.table.leave(id, isListed: isListed, now: now, lastHeard: heard)
            if let handle { state.sessions.remove(handle) }
        }
    }

    /// Forgets tokens that were not seen for long, a part of them at a time.
    func forgetOld() {
        let now = MonotonicInstant.now
        state.withLock { $0.table.forgetOld(now: now, most: Self.part) }
    }

    private func deliver(_ assignments: [Assignment]) {
        for assignment in assignments {
            assignment.caller.assigned(assignment.sessionID, assignment.session)
        }
    }
}

/// A session with what is known of its client. A class, as each request is given one: to copy all of this is many times the
/// work.
final class ServedSession: Sendable {
    let reference: SessionReference
    /// Of the tunnel client.
    let address: String
    /// The same with its port, where that is known.
    let endpoint: String
    let software: String
    /// The name that the client announces; empty in protocol v1.
    let tunnelName: String
    let protocolVersion: ProtocolVersion
    /// In what its client has shown, if anything.
    let certificateName: String?
    /// When it began to serve, in seconds since 1970.
    let since: Int

    init(
        reference: SessionReference, address: String, endpoint: String, software: String, tunnelName: String,
        protocolVersion: ProtocolVersion, certificateName: String?, since: Int
    ) {
        self.reference = reference
        self.address = address
        self.endpoint = endpoint
        self.software = software
        self.tunnelName = tunnelName
        self.protocolVersion = protocolVersion
        self.certificateName = certificateName
        self.since = since
    }
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

    func nameMoved() {
        let exchange = exchange
        eventLoop.execute { exchange.value.nameMoved() }
    }
}
