package import TunnelConfiguration
package import TunnelProtocol

/// Which sessions serve which token, and which requests wait for one: the rules of the queue, without I/O.
///
/// Who joins, leaves or asks costs the same however many sessions and tokens there are, but for a logarithm: what strangers
/// bring must not slow down others.
package struct TokenTable: Sendable {
    package typealias SessionID = UInt64
    package typealias RequestID = UInt64
    /// Stands for a session, respectively a request that waits: the number under which who holds the table has it. The
    /// table does nothing with it but hand it back.
    package typealias SessionHandle = Int
    package typealias RequestHandle = Int
    package typealias Member = ServingSession

    /// Where a session stands.
    private struct Seat: Sendable {
        let slot: Int
        let place: Int
    }

    /// What becomes of a request.
    package enum Decision: Sendable {
        case send(to: SessionID, SessionHandle)
        /// - Parameter until: when the token is unknown after all, unless it was seen by then.
        case wait(RequestID, until: MonotonicInstant?)
        case unknownToken
        case tooManyWaiting
    }

    /// A request that waited and has a session now.
    package struct Assignment: Sendable {
        package var request: RequestHandle
        package var sessionID: SessionID
        package var session: SessionHandle
    }

    /// Whether a session may join.
    package enum Admission: Sendable {
        case admitted
        /// The token has as many clients as it may.
        case tooManyClients
        /// The client has as many sessions as it may.
        case tooManySessions
    }

    /// What follows when a session has joined.
    package struct Arrival: Sendable {
        /// Requests that waited for it.
        package var assignments: [Assignment]
        /// The session whose place it takes, of the same connection of the same client: it gets no more requests and is
        /// probably dead.
        package var replaced: SessionHandle?
        /// The same connection's session from another address: in service, if it proves that it lives.
        package var elsewhere: SessionHandle?
        /// Whether others serve the token, and all of them from elsewhere.
        package var isFromElsewhere: Bool
    }

    /// A token not seen for so long is unknown.
    package static var memory: Duration { .seconds(3600) }

    /// Tokens known at most. Any client may bring new ones: beyond this, who has the most that are without sessions has
    /// one forgotten, so that a flood of them fills no memory and costs nobody else anything. Those that the
    /// configuration names are none of them.
    package static var maximumTokens: Int { 100_000 }

    /// Requests at most that wait for tokens of which only they tell. Whoever calls can bring as many tokens as he likes.
    package static var maximumGuessed: Int { 1000 }

    /// Sessions of one client for one token at most: four times the most `connections` of a tunnel, as there are those of
    /// the client that it replaces, and those that are drained or dead and not gone yet.
    package static var maximumSessionsPerClient: Int { 256 }

    /// Sessions that have to prove at once that they live, at most, when a client is refused for them; and how often.
    package static var maximumProbed: Int { 64 }
    package static var probeInterval: Duration { .seconds(3) }

    /// Most requests of one token that wait while its tunnel is down. For one that is up, any number waits: the callers'
    /// connections are bounded, and who is refused while others are served just asks again.
    package var maximumWaiting: Int
    /// Most clients of one token, or nil. All connections of one client count once.
    package var maximumClients: Int?

    private let mostTokens: Int
    private var slots: [RendezvousToken: Int] = [:]
    private(set) var entries: [TokenEntry?] = []
    private var vacant: [Int] = []
    private var seats: [SessionID: Seat] = [:]
    private var clients = ClientTally()
    private var resting = RestingTokens()
    private var turns: UInt64 = 0
    private var lastRequest: RequestID = 0
    private var expected: (tokens: ExpectedTokens, end: MonotonicInstant)?
    /// Requests that wait for tokens of which only they tell.
    private var guessedCount = 0
    /// Tokens that have a session, and requests that wait for one.
    package private(set) var load = (tunnels: 0, waiting: 0)

    package init(maximumWaiting: Int, maximumClients: Int?, maximumTokens: Int = Self.maximumTokens) {
        self.mostTokens = maximumTokens
        self.maximumWaiting = maximumWaiting
        self.maximumClients = maximumClients
    }

    /// Tokens that are known now.
    package var tokenCount: Int { slots.count }

    /// Requests of a token that wait.
    package func waitingCount(_ token: RendezvousToken) -> Int { entry(token)?.waiting.count ?? 0 }

    /// Whether the token has or had a session.
    package func hasSeen(_ token: RendezvousToken) -> Bool { entry(token)?.standing == .seen }

    /// Whether a session serves the token, be it that all the streams it takes are in use.
    package func isUp(_ token: RendezvousToken) -> Bool { entry(token)?.sessions.isUp == true }

    private func entry(_ token: RendezvousToken) -> TokenEntry? { slots[token].flatMap { entries[$0] } }

    // MARK: Requests

    /// A request came from a caller on this event loop. `request` is made only if it has to wait.
    ///
    /// - Parameter isListed: whether the configuration names the token.
    package mutating func request(
        _ token: RendezvousToken, loop: Int, caller: String = "", now: MonotonicInstant,
        isListed: @autoclosure () -> Bool = false, request: () -> RequestHandle
    ) -> Decision {
        guard let slot = slotOfKnown(token, now) ?? slotOfExpected(token, now, isListed) else {
            return .unknownToken
        }
        if let (id, session) = entries[slot]?.begin(loop, caller, &turns) { return .send(to: id, session) }
        // Not the entry as a whole: with a copy of it here, each request would copy the line in which it waits.
        guard let standing = entries[slot]?.standing, entries[slot]?.takesWaiting(maximumWaiting) == true
        else {
            return .tooManyWaiting
        }
        lastRequest += 1
        resting.remove(slot)
        entries[slot]?.waiting.append(lastRequest, loop: loop, request())
        load.waiting += 1
        if standing == .guessed { guessedCount += 1 }
        return .wait(lastRequest, until: standing == .seen ? nil : expected?.end)
    }

    /// Until then these tokens count as known: their tunnel clients are on their way, from the process that served
    /// before.
    package mutating func expect(_ tokens: ExpectedTokens, until end: MonotonicInstant) {
        expected = (tokens, end)
    }

    private mutating func slotOfKnown(_ token: RendezvousToken, _ now: MonotonicInstant) -> Int? {
        guard let slot = slots[token], entries[slot]?.isKnown(now) == true else { return nil }
        return slot
    }

    private mutating func slotOfExpected(
        _ token: RendezvousToken, _ now: MonotonicInstant, _ isListed: () -> Bool
    ) -> Int? {
        guard let standing = standingOfExpected(token, now, isListed) else { return nil }
        return slots[token] ?? insert(token, now, standing)
    }

    /// What a token counts as that has yet to be seen; nil where it is not expected, or there is no room for it.
    private func standingOfExpected(
        _ token: RendezvousToken, _ now: MonotonicInstant, _ isListed: () -> Bool
    ) -> TokenEntry.Standing? {
        guard let expected, now < expected.end, maximumWaiting > 0 else { return nil }
        guard !isListed() else { return .listed }
        guard expected.tokens == .every, guessedCount < Self.maximumGuessed,
            slots[token] != nil || slots.count < mostTokens
        else { return nil }
        return .guessed
    }

    /// What `request` would decide, and how long a line there is. Changes nothing, and no event loop counts.
    package func outlook(
        for token: RendezvousToken, now: MonotonicInstant, isListed: @autoclosure () -> Bool
    ) -> TokenOutlook {
        var entry = entry(token)
        let isKnown = entry?.isKnown(now) == true
        guard isKnown || standingOfExpected(token, now, isListed) != nil else { return .unknownToken }
        let end = isKnown ? nil : expected.map { $0.end.since(now) }
        guard let entry else { return .waits(waiting: 0, isUp: false, expectedFor: end) }
        let waiting = entry.waiting.count
        if waiting == 0, entry.sessions.hasRoom { return .isTaken(sessions: entry.sessions.count) }
        guard entry.takesWaiting(maximumWaiting) else { return .tooManyWaiting(waiting) }
        return .waits(waiting: waiting, isUp: entry.sessions.isUp, expectedFor: end)
    }

    /// A waiting request gave up.
    ///
    /// - Returns: which; nil when it is not waiting any more.
    package mutating func abandon(_ token: RendezvousToken, _ id: RequestID) -> RequestHandle? {
        guard let slot = slots[token], let request = entries[slot]?.waiting.remove(id) else { return nil }
        load.waiting -= 1
        if entries[slot]?.standing == .guessed { guessedCount -= 1 }
        restIfIdle(slot)
        return request
    }

    /// Those that wait for a token's tunnel, in their order.
    package func waiting(for token: RendezvousToken) -> [RequestHandle] {
        slots[token].flatMap { entries[$0]?.waiting.all } ?? []
    }

    /// A stream that `request` or an assignment gave to a session is over.
    ///
    /// - Returns: requests that waited for that.
    package mutating func streamEnded(_ id: SessionID) -> [Assignment] {
        guard let seat = seats[id] else { return [] }
        entries[seat.slot]?.sessions.streamEnded(seat.place)
        return assign(seat.slot)
    }

    private mutating func assign(_ slot: Int) -> [Assignment] {
        var assignments: [Assignment] = []
        while let assignment = entries[slot]?.assign(&turns) { assignments.append(assignment) }
        load.waiting -= assignments.count
        return assignments
    }

    // MARK: Sessions

    /// Whether a session of this client may join.
    package func admits(_ token: RendezvousToken, _ client: ClientIdentity) -> Admission {
        guard let slot = slots[token], let entry = entries[slot] else { return .admitted }
        let count = clients.sessions(of: client, token: slot)
        guard count < Self.maximumSessionsPerClient else { return .tooManySessions }
        guard let maximumClients, count == 0 else { return .admitted }
        return entry.clients < maximumClients ? .admitted : .tooManyClients
    }

    /// The sessions of a token that have to prove that they live, as a client was refused for them: never many, nor often,
    /// however many knock.
    package mutating func sessionsToProbe(_ token: RendezvousToken, now: MonotonicInstant) -> [SessionHandle]
    {
        guard let slot = slots[token], entries[slot] != nil else { return [] }
        if let probed = entries[slot]?.probed, now.since(probed) < Self.probeInterval { return [] }
        entries[slot]?.probed = now
        return entries[slot]?.sessions.some(Self.maximumProbed).map(\.session) ?? []
    }

    /// How many sessions of this token each loop has, for seating a new one.
    package func sessionsPerLoop(_ token: RendezvousToken, loops: Int) -> [Int] {
        entry(token)?.sessions.sessionsPerLoop(loops) ?? [Int](repeating: 0, count: loops)
    }

    /// A session is ready.
    package mutating func join(_ token: RendezvousToken, _ member: Member, now: MonotonicInstant) -> Arrival {
        let slot = slots[token] ?? insert(token, now, .seen)
        resting.remove(slot)
        if entries[slot]?.standing == .guessed { guessedCount -= entries[slot]?.waiting.count ?? 0 }
        entries[slot]?.standing = .seen
        entries[slot]?.lastSeen = now
        let isFirst = entries[slot]?.sessions.isEmpty == true
        if isFirst { load.tunnels += 1 }
        if let place = entries[slot]?.sessions.join(member) {
            seats[member.id] = Seat(slot: slot, place: place)
        }
        let arrival = clients.join(member.id, member.client, token: slot)
        if arrival.isNewClient { entries[slot]?.clients += 1 }
        let replaced = arrival.replaced.flatMap { drain($0) }
        let elsewhere = arrival.elsewhere.flatMap { handle(of: $0) }
        return Arrival(
            assignments: assign(slot), replaced: replaced, elsewhere: elsewhere,
            isFromElsewhere: arrival.isNewAddress && !isFirst)
    }

    /// Numbers of a token's requests; from now on the token is known.
    ///
    /// - Parameters:
    ///   - client: whose session asks.
    ///   - isListed: whether the configuration names the token.
    ///   - make: makes what counts them, where nothing does yet.
    package mutating func numbering(
        _ token: RendezvousToken, client: ClientIdentity, isListed: Bool = false, now: MonotonicInstant,
        make: () -> any RequestNumbering
    ) -> any RequestNumbering {
        remember(token, owner: isListed ? nil : client.process.address, now: now)
        if let numbering = entry(token)?.numbering { return numbering }
        let numbering = make()
        if let slot = slots[token] { entries[slot]?.numbering = numbering }
        return numbering
    }

    /// One stream of a session has the connection for itself, or no more.
    package mutating func setOccupied(_ id: SessionID, _ isOccupied: Bool) {
        guard let seat = seats[id] else { return }
        entries[seat.slot]?.sessions.setOccupied(seat.place, isOccupied)
    }

    /// A session takes no new streams.
    ///
    /// - Returns: the session, if it is here.
    @discardableResult package mutating func drain(_ id: SessionID) -> SessionHandle? {
        guard let seat = seats[id] else { return nil }
        return entries[seat.slot]?.sessions.drain(seat.place)
    }

    /// A session is over. Its token stays known for a while.
    ///
    /// - Parameters:
    ///   - isListed: whether the configuration names the token.
    ///   - lastHeard: when it was last heard of; nil for now.
    /// - Returns: the session, if it was here.
    @discardableResult package mutating func leave(
        _ id: SessionID, isListed: Bool = false, now: MonotonicInstant, lastHeard: MonotonicInstant? = nil
    ) -> SessionHandle? {
        guard let seat = seats.removeValue(forKey: id),
            let member = entries[seat.slot]?.sessions.leave(seat.place)
        else { return nil }
        if clients.leave(id, member.client, token: seat.slot) { entries[seat.slot]?.clients -= 1 }
        if let peer = member.peer {
            entries[seat.slot]?.lastPeer = (peer, lastHeard ?? now)
        }
        entries[seat.slot]?.lastSeen = now
        entries[seat.slot]?.owner = isListed ? nil : member.client.process.address
        if entries[seat.slot]?.sessions.isEmpty == true {
            load.tunnels -= 1
            restIfIdle(seat.slot)
        }
        return member.session
    }

    /// What stands for a session; nil when it is not here.
    package func handle(of id: SessionID) -> SessionHandle? {
        seats[id].flatMap { entries[$0.slot]?.sessions[$0.place] }
    }

    // MARK: Memory

    /// A token that another table knew: requests wait for its sessions.
    ///
    /// - Parameter owner: who has to answer for its being remembered; nil for one that the configuration names.
    package mutating func remember(_ token: RendezvousToken, owner: AddressGroup?, now: MonotonicInstant) {
        guard slots[token] == nil else { return }
        let slot = insert(token, now, .seen)
        entries[slot]?.owner = owner
        restIfIdle(slot)
    }

    /// Forgets tokens that were not seen for long, so many at most.
    package mutating func forgetOld(now: MonotonicInstant, most: Int) {
        for _ in 0..<most {
            guard let slot = resting.oldest, entries[slot]?.isForgotten(now) != false else { return }
            forget(slot)
        }
    }

    private mutating func insert(
        _ token: RendezvousToken, _ now: MonotonicInstant, _ standing: TokenEntry.Standing
    ) -> Int {
        var entry = TokenEntry(token: token, lastSeen: now)
        entry.standing = standing
        let slot = vacant.popLast() ?? entries.count
        if slot == entries.count { entries.append(entry) } else { entries[slot] = entry }
        slots[token] = slot
        return slot
    }

    /// A token that nobody serves or waits for is remembered, if it was seen; and when that is one too many, another is not.
    private mutating func restIfIdle(_ slot: Int) {
        guard let entry = entries[slot], entry.isIdle else { return }
        guard entry.standing == .seen else { return forget(slot) }
        resting.insert(slot, owner: entry.owner)
        if slots.count > mostTokens, let other = resting.mostExpendable { forget(other) }
    }

    private mutating func forget(_ slot: Int) {
        resting.remove(slot)
        guard let entry = entries[slot].take() else { return }
        slots[entry.token] = nil
        vacant.append(slot)
    }
}
