import DequeModule
package import TunnelConfiguration
package import TunnelProtocol

/// Which token has which name, of those that tunnel clients ask for: first come, first served, within the rules.
///
/// A session brings its claims when it joins. A name is its token's for as long as one of the token's sessions claims it. When
/// the last of them is lost, it rests: nobody else gets it for a while, and requests wait for its tunnel. When they leave in
/// order, whoever is next in line has it at once, be it that nobody is. All of it in time that does not grow with how many
/// names there are.
package struct HostClaims: Sendable {
    package typealias SessionID = UInt64

    /// What became of a claim.
    package struct Ruling: Hashable, Sendable {
        /// As the client wrote it.
        package var claim: String
        /// The whole name, in lower case; nil where none can be made of the claim.
        package var name: String?
        /// Why it is not granted; nil where it is.
        package var refusal: ClaimRefusal?

        package init(claim: String, name: String?, refusal: ClaimRefusal?) {
            self.claim = claim
            self.name = name
            self.refusal = refusal
        }
    }

    /// Who is to be told of what changed.
    package struct Changes: Hashable, Sendable {
        /// Sessions whose rulings are not what they were.
        package var sessions: Set<SessionID> = []
        /// Tokens that had names which are another's now: requests that wait for them have to look anew.
        package var losers: Set<RendezvousToken> = []
        /// Names that have another owner than before, and who that is.
        package var granted: [String: RendezvousToken] = [:]

        package init() {}

        package var isEmpty: Bool { sessions.isEmpty && losers.isEmpty && granted.isEmpty }
    }

    /// How long a name that was lost waits for its token.
    package static var rest: Duration { .seconds(600) }
    /// How long a name that its token claims no more leads there, unless somebody else asks for it.
    package static var handOver: Duration { .seconds(30) }
    /// Names in all. Beyond, those that rest are given up, the oldest first.
    package static var mostNames: Int { 50_000 }
    /// Tokens that wait for one name; others are not in line.
    package static var mostInLine: Int { 100 }
    /// Claims of one session that are looked at.
    package static var mostClaims: Int { 64 }

    private struct Claim: Sendable {
        let text: String
        let name: String?
        /// Why it does not even stand in line.
        var refusal: ClaimRefusal?
    }

    private struct Member: Sendable {
        let token: RendezvousToken
        var claims: [Claim]
    }

    /// A token that claims a name.
    private struct Claimant: Sendable {
        /// Who came first has the lowest.
        let ticket: UInt64
        var sessions: Int
    }

    private struct Holding: Sendable {
        var owner: RendezvousToken
        /// The owner while it is there, and those in line.
        var claimants: [RendezvousToken: Claimant]
        /// While its owner is gone.
        var rest: Rest?
    }

    private struct Rest: Sendable {
        let ticket: UInt64
        /// Until when nobody else gets it; nil where its owner left in order.
        let end: MonotonicInstant?
    }

    private var policy: ClaimPolicy
    private let label: @Sendable (RendezvousToken, Int) -> String
    private var sessions: [SessionID: Member] = [:]
    private var sessionsOfTokens: [RendezvousToken: Set<SessionID>] = [:]
    private var holdings: [String: Holding] = [:]
    /// How many names each token has.
    private var owned = Tally<RendezvousToken>()
    private var tickets: UInt64 = 0
    /// Those that rest, the oldest first, and some that do no more.
    private var resting = Deque<(name: String, ticket: UInt64, end: MonotonicInstant)>()
    /// The same of those that are anybody's who asks: theirs is another time.
    private var handedOver = Deque<(name: String, ticket: UInt64, end: MonotonicInstant)>()

    /// - Parameter label: a random one for a token, the same whenever it is asked for with the same number; 0 first, further
    ///   numbers where that is taken.
    package init(
        _ rules: HostClaimRules? = nil, listed: HostTable = .empty,
        label: @escaping @Sendable (RendezvousToken, Int) -> String = RandomHost.label
    ) {
        policy = ClaimPolicy(rules, listed: listed)
        self.label = label
    }

    /// Who has a name; costs the same however many there are.
    package func owner(of name: String) -> RendezvousToken? { holdings[name]?.owner }

    /// Names that are somebody's, in their order.
    package var names: [(name: String, token: RendezvousToken)] {
        holdings.map { ($0.key, $0.value.owner) }.sorted { $0.0 < $1.0 }
    }

    /// What became of the claims of a session, in their order.
    package func rulings(of session: SessionID) -> [Ruling] {
        guard let member = sessions[session] else { return [] }
        return member.claims.map { claim in
            guard claim.refusal == nil, let name = claim.name else {
                return Ruling(claim: claim.text, name: claim.name, refusal: claim.refusal)
            }
            let isOwn = holdings[name]?.owner == member.token
            let isHeld = holdings[name] != nil
            return Ruling(claim: claim.text, name: name, refusal: isOwn ? nil : isHeld ? .taken : .tooMany)
        }
    }

    // MARK: Sessions

    /// A session has joined.
    ///
    /// - Parameter claims: as its client wrote them; `random` asks for a name that nobody can guess, `random=label` for the one
    ///   that it had.
    package mutating func join(
        _ session: SessionID, _ token: RendezvousToken, claims: [String], now: MonotonicInstant
    ) -> Changes {
        guard sessions[session] == nil, !claims.isEmpty else { return Changes() }
        var changes = expire(now)
        changes.sessions.insert(session)
        sessionsOfTokens[token, default: []].insert(session)
        var seen: Set<String> = []
        var member = Member(token: token, claims: [])
        for text in claims.prefix(Self.mostClaims) {
            var claim = read(text, token)
            if let name = claim.name, claim.refusal == nil {
                if seen.insert(name).inserted {
                    claim.refusal = take(name, token, &changes)
                } else {
                    continue
                }
            }
            member.claims.append(claim)
        }
        sessions[session] = member
        return changes
    }

    /// A session takes no more requests, or is gone.
    ///
    /// - Parameter isOrderly: whether its client said so before.
    package mutating func leave(_ session: SessionID, isOrderly: Bool, now: MonotonicInstant) -> Changes {
        guard let member = sessions.removeValue(forKey: session) else { return Changes() }
        var changes = expire(now)
        let token = member.token
        sessionsOfTokens[token]?.remove(session)
        let isGone = sessionsOfTokens[token]?.isEmpty != false
        if isGone { sessionsOfTokens[token] = nil }
        for claim in member.claims where claim.refusal == nil {
            guard let name = claim.name else { continue }
            withdraw(name, token, isGone: isGone, isOrderly: isOrderly, now, &changes)
        }
        changes.sessions.remove(session)
        return changes
    }

    /// Other rules hold, or others names are listed by the configuration, which nobody can claim.
    package mutating func apply(
        _ rules: HostClaimRules?, listed: HostTable, now: MonotonicInstant
    ) -> Changes {
        var changes = expire(now)
        let before = sessions.keys.map { ($0, rulings(of: $0)) }
        policy = ClaimPolicy(rules, listed: listed)
        for name in holdings.keys.sorted() {
            guard let holding = holdings[name] else { continue }
            for token in holding.claimants.keys where policy.refusal(of: name, token) != nil {
                holdings[name]?.claimants[token] = nil
            }
            if policy.refusal(of: name, holding.owner) != nil { pass(on: name, &changes) }
        }
        // In the order in which they came, so that first come is first served.
        for (id, _) in before.sorted(by: { $0.0 < $1.0 }) { reconsider(id, &changes) }
        for (id, rulings) in before where rulings != self.rulings(of: id) { changes.sessions.insert(id) }
        return changes
    }

    /// Lets go of names that have rested for long enough. Call it now and then.
    @discardableResult package mutating func expire(_ now: MonotonicInstant) -> Changes {
        var changes = Changes()
        for names in [\Self.handedOver, \Self.resting] {
            while let (name, ticket, end) = self[keyPath: names].first, end <= now {
                self[keyPath: names].removeFirst()
                guard holdings[name]?.rest?.ticket == ticket else { continue }
                pass(on: name, &changes)
            }
        }
        return changes
    }

    // MARK: Rules

    private func read(_ text: String, _ token: RendezvousToken) -> Claim {
        let shown = String(text.prefix(ClaimedHost.longest))
        guard policy.takesClaims else { return Claim(text: shown, name: nil, refusal: .noClaims) }
        let name: String?
        if let wish = RandomHost(text) {
            name = policy.domain.map { free(wish, below: $0, token) }
        } else {
            name = ClaimedHost.name(of: text, domain: policy.domain)
        }
        guard let name else { return Claim(text: shown, name: nil, refusal: .malformed) }
        return Claim(text: shown, name: name, refusal: policy.refusal(of: name, token))
    }

    /// The label that was had before, if nobody else has it; else one of the token's own.
    private func free(_ wish: RandomHost, below domain: String, _ token: RendezvousToken) -> String {
        if let had = wish.label.map({ "\($0).\(domain)" }), holdings[had].map({ $0.owner == token }) ?? true {
            return had
        }
        for number in 0..<8 {
            let name = "\(label(token, number)).\(domain)"
            if holdings[name].map({ $0.owner == token }) ?? true { return name }
        }
        return "\(label(token, 8)).\(domain)"
    }

    private func hasRoom(_ token: RendezvousToken) -> Bool { owned[token] < policy.most(of: token) }

    // MARK: Names

    /// - Returns: why the token does not even stand in line.
    private mutating func take(
        _ name: String, _ token: RendezvousToken, _ changes: inout Changes
    ) -> ClaimRefusal? {
        guard var holding = holdings[name] else {
            guard hasRoom(token) else { return .tooMany }
            guard holdings.count < Self.mostNames || giveUpOldest(&changes) else { return .serverFull }
            tickets += 1
            holdings[name] = Holding(
                owner: token, claimants: [token: Claimant(ticket: tickets, sessions: 1)])
            owned.add(token)
            changes.granted[name] = token
            return nil
        }
        let isReturning = holding.owner == token
        if holding.claimants[token] != nil {
            holding.claimants[token]?.sessions += 1
        } else {
            guard isReturning || holding.claimants.count < Self.mostInLine else { return .taken }
            tickets += 1
            holding.claimants[token] = Claimant(ticket: tickets, sessions: 1)
        }
        if isReturning { holding.rest = nil }
        let isFree = holding.rest.map { $0.end == nil } ?? false
        holdings[name] = holding
        if !isReturning, isFree { pass(on: name, &changes) }
        return nil
    }

    private mutating func withdraw(
        _ name: String, _ token: RendezvousToken, isGone: Bool, isOrderly: Bool, _ now: MonotonicInstant,
        _ changes: inout Changes
    ) {
        guard var holding = holdings[name], var claimant = holding.claimants[token] else { return }
        claimant.sessions -= 1
        holding.claimants[token] = claimant.sessions > 0 ? claimant : nil
        let isLost = claimant.sessions <= 0 && holding.owner == token
        // Of a token that is there and claims it no more it is anybody's at once, but nobody's never: who is to have it
        // next may be on the way, and requests for it go on meanwhile.
        let mustPass = isLost && (!isGone || isOrderly) && !holding.claimants.isEmpty
        if isLost, !mustPass {
            tickets += 1
            let end = now.advanced(by: isGone ? Self.rest : Self.handOver)
            holding.rest = Rest(ticket: tickets, end: isOrderly || !isGone ? nil : end)
            holdings[name] = holding
            let names = isGone ? \Self.resting : \Self.handedOver
            self[keyPath: names].append((name, tickets, end))
            if self[keyPath: names].count > 2 * holdings.count + 64 {
                let holdings = holdings
                self[keyPath: names].removeAll { holdings[$0.name]?.rest?.ticket != $0.ticket }
            }
        }
        holdings[name] = holding
        if mustPass { pass(on: name, &changes) }
    }

    /// The owner is to have it no more: the next in line has it, if there is one.
    private mutating func pass(on name: String, _ changes: inout Changes) {
        guard var holding = holdings[name] else { return }
        let loser = holding.owner
        changes.losers.insert(loser)
        tell(loser, name, &changes)
        owned.remove(loser)
        holding.claimants[loser] = nil
        holding.rest = nil
        let next = holding.claimants.filter { hasRoom($0.key) }.min { $0.value.ticket < $1.value.ticket }
        guard let next else {
            // Those in line have too many: they are told when they come again.
            holdings[name] = nil
            changes.granted[name] = nil
            return
        }
        holding.owner = next.key
        owned.add(next.key)
        changes.granted[name] = next.key
        holdings[name] = holding
        tell(next.key, name, &changes)
    }

    /// Not those that claim something else alone: who is told once too often is told nothing new.
    private func tell(_ token: RendezvousToken, _ name: String, _ changes: inout Changes) {
        for id in sessionsOfTokens[token] ?? [] {
            if sessions[id]?.claims.contains(where: { $0.name == name }) == true {
                changes.sessions.insert(id)
            }
        }
    }

    private mutating func giveUpOldest(_ changes: inout Changes) -> Bool {
        while let (name, ticket, _) = handedOver.popFirst() ?? resting.popFirst() {
            guard holdings[name]?.rest?.ticket == ticket else { continue }
            pass(on: name, &changes)
            if holdings.count < Self.mostNames { return true }
        }
        return false
    }

    /// What a session claims, by the rules as they are now.
    private mutating func reconsider(_ id: SessionID, _ changes: inout Changes) {
        guard var member = sessions[id] else { return }
        for index in member.claims.indices {
            let claim = member.claims[index]
            let isInLine = claim.name.map { holdings[$0]?.claimants[member.token] != nil } ?? false
            if claim.refusal == nil, isInLine { continue }
            var anew = claim.name == nil ? read(claim.text, member.token) : claim
            if let name = anew.name {
                anew.refusal = policy.refusal(of: name, member.token) ?? take(name, member.token, &changes)
            }
            member.claims[index] = anew
        }
        sessions[id] = member
    }
}
