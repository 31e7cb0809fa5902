package import TunnelProtocol

/// Which sessions serve which token, and which requests wait for one: the rules of the queue, without I/O.
///
/// Generic over what stands for a session and for a waiting request, so that tests use plain numbers.
package struct TokenTable<Session: Sendable, Request: Sendable>: Sendable {
    package typealias SessionID = UInt64
    package typealias RequestID = UInt64

    /// A session that serves a token.
    package struct Member: Sendable {
        package var id: SessionID
        package var session: Session
        /// Which event loop it runs on; callers prefer their own.
        package var loop: Int
        /// Streams it takes at once.
        package var capacity: Int
        /// The client process and which of its connections this is: a new one takes the place of an old.
        package var client: ClientIdentity
        /// Whether its streams stand in each other's way (protocol v1).
        package var isSerial: Bool
        package var openStreams = 0
        package var isDraining = false
        /// Whether one of its streams has the connection for itself now.
        package var isOccupied = false
        /// Who it is with, for those who ask when it is over.
        package var peer: SessionPeer?
        /// When it was last given a stream, to take turns among equals.
        fileprivate var lastTurn: UInt64 = 0

        package init(
            id: SessionID, session: Session, loop: Int, capacity: Int, client: ClientIdentity,
            isSerial: Bool = false, peer: SessionPeer? = nil
        ) {
            self.isSerial = isSerial
            self.peer = peer
            self.id = id
            self.session = session
            self.loop = loop
            self.capacity = capacity
            self.client = client
        }

        fileprivate var isFree: Bool { !isDraining && openStreams < capacity }

        /// The lower, the sooner it gets a stream of a caller on that loop. Where a stream may have to wait for
        /// another, that counts more than a hop between loops.
        fileprivate func rank(_ loop: Int) -> (delay: Int, openStreams: Int, lastTurn: UInt64) {
            let hop = self.loop == loop ? 0 : 1
            let delay = isOccupied ? 4 : isSerial && openStreams > 0 ? 2 + hop : hop
            return (delay, openStreams, lastTurn)
        }
    }

    /// How a token came to be known.
    private enum Standing: Sendable {
        /// It has or had a session.
        case seen
        /// The configuration names it, and a request waits for it.
        case listed
        /// Nothing but a request that waits told of it.
        case guessed
    }

    private struct Entry: Sendable {
        var members: [Member] = []
        var waiting = WaitingLine<Request>()
        var lastSeen: MonotonicInstant
        var standing = Standing.seen
        /// Who last sent a request.
        var lastCaller = ""
        /// How many came.
        var requests: UInt64 = 0
        /// Of the session that left last, and when it was last heard of.
        var lastPeer: (peer: SessionPeer, heard: MonotonicInstant)?
        /// Of the token's requests on sessions of protocol v1.
        let numbering = RequestNumbers()

        /// Whether a session takes streams, be it that all it takes are in use now.
        var isUp: Bool { members.contains { !$0.isDraining } }

        /// Whether the token was seen, and not too long ago.
        func isKnown(_ now: MonotonicInstant) -> Bool { standing == .seen && !isForgotten(now) }

        func isForgotten(_ now: MonotonicInstant) -> Bool {
            members.isEmpty && waiting.isEmpty && now.since(lastSeen) >= TokenTable.memory
        }

        /// Gives a stream to a new request, unless others wait: nobody overtakes them.
        mutating func begin(_ loop: Int, _ caller: String, _ turns: inout UInt64) -> Member? {
            lastCaller = caller
            requests &+= 1
            return waiting.isEmpty ? takeTurn(loop, &turns) : nil
        }

        /// A stream of a session is over. True when others wait for that.
        mutating func end(_ id: SessionID) -> Bool {
            guard let index = members.firstIndex(where: { $0.id == id }) else { return false }
            members[index].openStreams -= 1
            return !waiting.isEmpty
        }

        /// Gives a stream to the session with the fewest on the caller's own loop, else on any; equals take turns.
        mutating func takeTurn(_ loop: Int, _ turns: inout UInt64) -> Member? {
            var best: Int?
            for index in members.indices where members[index].isFree {
                guard let rival = best else {
                    best = index
                    continue
                }
                if members[index].rank(loop) < members[rival].rank(loop) { best = index }
            }
            guard let index = best else { return nil }
            turns += 1
            members[index].openStreams += 1
            members[index].lastTurn = turns
            return members[index]
        }
    }

    /// What becomes of a request.
    package enum Decision: Sendable {
        case send(to: SessionID, Session)
        /// - Parameter until: when the token is unknown after all, unless it was seen by then.
        case wait(RequestID, until: MonotonicInstant?)
        case unknownToken
        case tooManyWaiting
    }

    /// A request that waited and has a session now.
    package struct Assignment: Sendable {
        package var request: Request
        package var sessionID: SessionID
        package var session: Session
    }

    /// A token not seen for so long is unknown.
    package static var memory: Duration { .seconds(3600) }

    /// Tokens known at most. Any client may bring new ones: beyond this, a token without sessions is forgotten at
    /// once, so that a flood of them fills no memory.
    package static var maximumTokens: Int { 100_000 }

    /// Requests at most that wait for tokens of which only they tell. Whoever calls can bring as many tokens as he likes.
    package static var maximumGuessed: Int { 1000 }

    /// Most requests of one token that wait while its tunnel is down. For one that is up, any number waits: the callers'
    /// connections are bounded, and who is refused while others are served just asks again.
    package var maximumWaiting: Int
    /// Most clients of one token, or nil. All connections of one client count once.
    package var maximumClients: Int?

    private var entries: [RendezvousToken: Entry] = [:]
    private var turns: UInt64 = 0
    private var lastRequest: RequestID = 0
    private var expected: (tokens: ExpectedTokens, end: MonotonicInstant)?
    /// Requests that wait for tokens of which only they tell.
    private var guessedCount = 0

    package init(maximumWaiting: Int, maximumClients: Int?) {
        self.maximumWaiting = maximumWaiting
        self.maximumClients = maximumClients
    }

    /// Tokens that are known now.
    package var tokenCount: Int { entries.count }

    /// Tokens that have a session, and requests that wait for one.
    package var load: (tunnels: Int, waiting: Int) {
        entries.values.reduce(into: (0, 0)) { load, entry in
            if !entry.members.isEmpty { load.0 += 1 }
            load.1 += entry.waiting.count
        }
    }

    /// The tokens that are known.
    package var tokens: [RendezvousToken] { Array(entries.keys) }

    /// Tokens that another table knew: requests wait for their sessions. Beyond the most that are known, none.
    package mutating func know(_ tokens: [RendezvousToken], now: MonotonicInstant) {
        for token in tokens where entries[token] == nil && entries.count < Self.maximumTokens {
            entries[token] = Entry(lastSeen: now)
        }
    }

    /// Requests of a token that wait.
    package func waitingCount(_ token: RendezvousToken) -> Int { entries[token]?.waiting.count ?? 0 }

    /// A request came from a caller on this event loop. `request` is made only if it has to wait.
    ///
    /// - Parameter isListed: whether the configuration names the token.
    package mutating func request(
        _ token: RendezvousToken, loop: Int, caller: String = "", now: MonotonicInstant,
        isListed: @autoclosure () -> Bool = false, request: () -> Request
    ) -> Decision {
        guard let place = placeOfKnown(token, now) ?? placeOfExpected(token, now, isListed) else {
            return .unknownToken
        }
        if let member = entries.values[place].begin(loop, caller, &turns) {
            return .send(to: member.id, member.session)
        }
        guard entries.values[place].waiting.count < maximumWaiting || entries.values[place].isUp else {
            return .tooManyWaiting
        }
        lastRequest += 1
        entries.values[place].waiting.append(lastRequest, loop: loop, request())
        if entries.values[place].standing == .guessed { guessedCount += 1 }
        return .wait(lastRequest, until: entries.values[place].standing == .seen ? nil : expected?.end)
    }

    /// Until then these tokens count as known: their tunnel clients are on their way, from the process that served
    /// before.
    package mutating func expect(_ tokens: ExpectedTokens, until end: MonotonicInstant) {
        expected = (tokens, end)
    }

    /// Whether the token has or had a session.
    package func hasSeen(_ token: RendezvousToken) -> Bool { entries[token]?.standing == .seen }

    /// Whether a session serves the token, be it that all the streams it takes are in use.
    package func isUp(_ token: RendezvousToken) -> Bool { entries[token]?.isUp == true }

    private mutating func placeOfKnown(
        _ token: RendezvousToken, _ now: MonotonicInstant
    ) -> Dictionary<RendezvousToken, Entry>.Index? {
        guard let place = entries.index(forKey: token), entries.values[place].isKnown(now) else {
            return nil
        }
        return place
    }

    private mutating func placeOfExpected(
        _ token: RendezvousToken, _ now: MonotonicInstant, _ isListed: () -> Bool
    ) -> Dictionary<RendezvousToken, Entry>.Index? {
        guard let expected, now < expected.end, maximumWaiting > 0 else { return nil }
        let standing = isListed() ? Standing.listed : .guessed
        guard standing == .listed || expected.tokens == .every && guessedCount < Self.maximumGuessed else {
            return nil
        }
        if entries[token] == nil {
            guard entries.count < Self.maximumTokens else { return nil }
            var entry = Entry(lastSeen: now)
            entry.standing = standing
            entries[token] = entry
        }
        return entries.index(forKey: token)
    }

    /// A waiting request gave up. False when it is not waiting any more.
    package mutating func abandon(_ token: RendezvousToken, _ id: RequestID) -> Bool {
        guard let place = entries.index(forKey: token), entries.values[place].waiting.remove(id) else {
            return false
        }
        guard let entry = entries[token], entry.standing != .seen else { return true }
        if entry.standing == .guessed { guessedCount -= 1 }
        if entry.waiting.isEmpty { entries.removeValue(forKey: token) }
        return true
    }

    /// A stream that `request` or an assignment gave to a session is over.
    package mutating func streamEnded(_ token: RendezvousToken, _ id: SessionID) -> [Assignment] {
        guard let place = entries.index(forKey: token), entries.values[place].end(id) else { return [] }
        return assign(place)
    }

    /// Whether another client of this identity may connect.
    package func admits(_ token: RendezvousToken, _ client: ClientIdentity) -> Bool {
        guard let maximumClients, let entry = entries[token] else { return true }
        var clients = Set(entry.members.map(\.client.process))
        clients.insert(client.process)
        return clients.count <= maximumClients
    }

    /// Loops ordered by how few sessions of this token they have, for seating a new one.
    package func sessionsPerLoop(_ token: RendezvousToken, loops: Int) -> [Int] {
        var counts = [Int](repeating: 0, count: loops)
        for member in entries[token]?.members ?? [] where !member.isDraining && member.loop < loops {
            counts[member.loop] += 1
        }
        return counts
    }

    /// A session is ready.
    ///
    /// - Returns: requests that waited for it, and the sessions whose place it takes: those of the same connection
    ///   of the same client get no more requests and are probably dead.
    package mutating func join(
        _ token: RendezvousToken, _ member: Member, now: MonotonicInstant
    ) -> (assignments: [Assignment], replaced: [Session]) {
        var entry = entries[token] ?? Entry(lastSeen: now)
        var replaced: [Session] = []
        for index in entry.members.indices where entry.members[index].client == member.client {
            entry.members[index].isDraining = true
            replaced.append(entry.members[index].session)
        }
        entry.members.append(member)
        entry.lastSeen = now
        if entry.standing == .guessed { guessedCount -= entry.waiting.count }
        entry.standing = .seen
        entries[token] = entry
        return (entries.index(forKey: token).map { assign($0) } ?? [], replaced)
    }

    /// What there is to tell of one token.
    package struct Summary: Sendable {
        package var token: RendezvousToken
        package var sessions: [Session]
        /// Client processes.
        package var clients: Int
        /// Requests that wait or are carried.
        package var pending: Int
        package var lastCaller: String
        /// All that came since the token is known.
        package var requests: UInt64
        /// Of the session that left last, and when it was last heard of.
        package var lastPeer: (peer: SessionPeer, heard: MonotonicInstant)?
    }

    /// Every token that is known, in no order.
    package var summaries: [Summary] { entries.map(Self.summary) }

    /// Every token that has a session, in no order.
    package var connected: [Summary] {
        entries.lazy.filter { !$0.value.members.isEmpty }.map(Self.summary)
    }

    private static func summary(_ token: RendezvousToken, _ entry: Entry) -> Summary {
        Summary(
            token: token, sessions: entry.members.map(\.session),
            clients: Set(entry.members.map(\.client.process)).count,
            pending: entry.waiting.count + entry.members.reduce(0) { $0 + $1.openStreams },
            lastCaller: entry.lastCaller, requests: entry.requests, lastPeer: entry.lastPeer)
    }

    /// Everybody who serves a token.
    package func sessions(_ token: RendezvousToken) -> [Session] {
        entries[token]?.members.map(\.session) ?? []
    }

    /// Numbers of a token's requests; from now on the token is known.
    package mutating func numbering(_ token: RendezvousToken, now: MonotonicInstant) -> RequestNumbers {
        let entry = entries[token] ?? Entry(lastSeen: now)
        entries[token] = entry
        return entry.numbering
    }

    /// One stream of a session has the connection for itself, or no more.
    package mutating func setOccupied(_ token: RendezvousToken, _ id: SessionID, _ isOccupied: Bool) {
        guard let index = entries[token]?.members.firstIndex(where: { $0.id == id }) else { return }
        entries[token]?.members[index].isOccupied = isOccupied
    }

    /// A session takes no new streams.
    package mutating func drain(_ token: RendezvousToken, _ id: SessionID) {
        guard let index = entries[token]?.members.firstIndex(where: { $0.id == id }) else { return }
        entries[token]?.members[index].isDraining = true
    }

    /// A session is over. Its token stays known for a while.
    ///
    /// - Parameter lastHeard: when a session was last heard of.
    package mutating func leave(
        _ token: RendezvousToken, _ id: SessionID, now: MonotonicInstant,
        lastHeard: ((Session) -> MonotonicInstant)? = nil
    ) {
        if let member = entries[token]?.members.first(where: { $0.id == id }), let peer = member.peer {
            entries[token]?.lastPeer = (peer, lastHeard?(member.session) ?? now)
        }
        entries[token]?.members.removeAll { $0.id == id }
        entries[token]?.lastSeen = now
        if entries.count > Self.maximumTokens, let entry = entries[token], entry.members.isEmpty,
            entry.waiting.isEmpty
        {
            entries.removeValue(forKey: token)
        }
    }

    /// Forgets tokens that were not seen for long. Work proportional to the number of tokens: for a slow timer.
    package mutating func forgetOld(now: MonotonicInstant) {
        entries = entries.filter { !$0.value.isForgotten(now) }
    }

    private mutating func assign(_ place: Dictionary<RendezvousToken, Entry>.Index) -> [Assignment] {
        var assignments: [Assignment] = []
        while let (loop, request) = entries.values[place].waiting.first,
            let member = entries.values[place].takeTurn(loop, &turns)
        {
            entries.values[place].waiting.removeFirst()
            assignments.append(Assignment(request: request, sessionID: member.id, session: member.session))
        }
        return assignments
    }
}

/// Of which tokens tunnel clients are expected.
package enum ExpectedTokens: Sendable {
    /// Those that the configuration names.
    case listed
    case every
}
