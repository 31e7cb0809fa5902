import Routing
import TestSupport
import Testing
import TunnelConfiguration
import TunnelProtocol

/// Who has which name, of those that tunnel clients ask for.
@Suite struct HostClaimsTests {
    private static func token(_ name: String) -> RendezvousToken {
        // Every name here makes a token that is long enough.
        guard let token = try? RendezvousToken("token-of-the-tests-\(name)") else { fatalError("no token") }
        return token
    }

    private static let start = MonotonicInstant(nanoseconds: 1_000_000_000)
    private static func later(_ seconds: Int) -> MonotonicInstant { start.advanced(by: .seconds(seconds)) }

    private static let domain = "t.example"
    private static let open = HostClaimRules(domain: domain, allowed: [HostGlob("*.\(domain)")])

    private static func claims(_ rules: HostClaimRules? = open, listed: [PublicName: RendezvousToken] = [:])
        -> HostClaims
    {
        HostClaims(rules, listed: HostTable(listed)) { token, number in
            "\(token.secret.suffix(1))random\(number)".lowercased()
        }
    }

    @Test func whoComesFirstIsServedFirst() {
        var claims = Self.claims()
        let a = claims.join(1, Self.token("a"), claims: ["app", "Other.t.example."], now: Self.start)
        let b = claims.join(2, Self.token("b"), claims: ["APP"], now: Self.start)
        #expect(a.sessions == [1] && b.sessions == [2])
        #expect(claims.owner(of: "app.t.example") == Self.token("a"))
        #expect(claims.owner(of: "other.t.example") == Self.token("a"))
        #expect(claims.rulings(of: 1).allSatisfy { $0.refusal == nil })
        #expect(
            claims.rulings(of: 2) == [HostClaims.Ruling(claim: "APP", name: "app.t.example", refusal: .taken)]
        )
    }

    @Test func severalSessionsOfATokenShareItsNames() {
        var claims = Self.claims()
        _ = claims.join(1, Self.token("a"), claims: ["app"], now: Self.start)
        _ = claims.join(2, Self.token("a"), claims: ["app"], now: Self.start)
        #expect(claims.leave(1, isOrderly: true, now: Self.start).isEmpty)
        #expect(claims.owner(of: "app.t.example") == Self.token("a"))
        #expect(claims.rulings(of: 2).map(\.refusal) == [nil])
    }

    struct Refused: CustomTestStringConvertible {
        var claim: String
        var rules = open
        var refusal: ClaimRefusal?
        var testDescription: String { "\(claim): \(refusal.map(\.rawValue) ?? "granted")" }
    }

    private static let own = HostClaimRules(
        domain: domain, allowed: [HostGlob("*.t.example"), HostGlob("shop-*.example.com")],
        reserved: [HostGlob("admin.t.example"), HostGlob("www*.t.example")], most: 2,
        tokens: [
            token("b"): .init(allowed: [HostGlob("vip.t.example"), HostGlob("*.b.example")]),
            token("a"): .init(most: 1),
        ])

    @Test(arguments: [
        Refused(claim: "app", refusal: nil),
        Refused(claim: "app.t.example", refusal: nil),
        Refused(claim: "a.b", refusal: .notAllowed),
        Refused(claim: "deep.app.t.example", refusal: .notAllowed),
        Refused(claim: "t.example", refusal: .notAllowed),
        Refused(claim: "", refusal: .malformed),
        Refused(claim: "*", refusal: .malformed),
        Refused(claim: "*.t.example", refusal: .malformed),
        Refused(claim: "127.0.0.1", refusal: .malformed),
        Refused(claim: "a b", refusal: .malformed),
        Refused(claim: "-app", refusal: .malformed),
        Refused(claim: "a..t.example", refusal: .malformed),
        Refused(claim: "ümlaut.t.example", refusal: .malformed),
        Refused(claim: "app.t.example:80", refusal: .malformed),
        Refused(claim: String(repeating: "x", count: 64), refusal: .malformed),
        Refused(claim: "admin", rules: own, refusal: .reserved),
        Refused(claim: "www3", rules: own, refusal: .reserved),
        Refused(claim: "vip", rules: own, refusal: .reserved),
        Refused(claim: "x.b.example", rules: own, refusal: .notAllowed),
        Refused(claim: "shop-1.example.com", rules: own, refusal: nil),
        Refused(claim: "shop-1.x.example.com", rules: own, refusal: .notAllowed),
    ])
    func rulesDecide(_ example: Refused) {
        var claims = Self.claims(example.rules)
        _ = claims.join(1, Self.token("a"), claims: [example.claim], now: Self.start)
        #expect(claims.rulings(of: 1).map(\.refusal) == [example.refusal])
    }

    @Test func aTokensOwnEntryHoldsInPlaceOfTheRest() {
        var claims = Self.claims(Self.own)
        _ = claims.join(1, Self.token("b"), claims: ["vip", "x.b.example", "app"], now: Self.start)
        #expect(claims.rulings(of: 1).map(\.refusal) == [nil, nil, .notAllowed])
    }

    @Test func aTokenHasNoMoreNamesThanItMay() {
        var claims = Self.claims(Self.own)
        _ = claims.join(1, Self.token("a"), claims: ["one", "two"], now: Self.start)
        _ = claims.join(2, Self.token("c"), claims: ["three", "four", "five"], now: Self.start)
        #expect(claims.rulings(of: 1).map(\.refusal) == [nil, .tooMany])
        #expect(claims.rulings(of: 2).map(\.refusal) == [nil, nil, .tooMany])
    }

    @Test func whatTheConfigurationListsNobodyClaims() {
        let name = PublicName(host: .exact("app.t.example"))
        var claims = Self.claims(listed: [name: Self.token("z")])
        _ = claims.join(1, Self.token("a"), claims: ["app"], now: Self.start)
        #expect(claims.rulings(of: 1).map(\.refusal) == [.listed])
    }

    @Test func withoutRulesThereAreNoNames() {
        var claims = Self.claims(nil)
        _ = claims.join(1, Self.token("a"), claims: ["app"], now: Self.start)
        #expect(claims.rulings(of: 1).map(\.refusal) == [.noClaims])
    }

    @Test func aLostNameRestsForItsToken() {
        var claims = Self.claims()
        _ = claims.join(1, Self.token("a"), claims: ["app"], now: Self.start)
        #expect(claims.leave(1, isOrderly: false, now: Self.start).isEmpty)
        _ = claims.join(2, Self.token("b"), claims: ["app"], now: Self.later(1))
        #expect(claims.owner(of: "app.t.example") == Self.token("a"))
        #expect(claims.rulings(of: 2).map(\.refusal) == [.taken])
        _ = claims.join(3, Self.token("a"), claims: ["app"], now: Self.later(599))
        #expect(claims.expire(Self.later(700)).isEmpty)
        #expect(claims.owner(of: "app.t.example") == Self.token("a"))
    }

    @Test func whoWaitsGetsALostNameInTheEnd() {
        var claims = Self.claims()
        _ = claims.join(1, Self.token("a"), claims: ["app"], now: Self.start)
        _ = claims.leave(1, isOrderly: false, now: Self.start)
        _ = claims.join(2, Self.token("b"), claims: ["app"], now: Self.later(1))
        let changes = claims.expire(Self.later(600))
        #expect(changes.sessions == [2] && changes.losers == [Self.token("a")])
        #expect(changes.granted == ["app.t.example": Self.token("b")])
        #expect(claims.owner(of: "app.t.example") == Self.token("b"))
    }

    /// A reload that moves a name from one tunnel to another: the new one asks before the old one leaves.
    @Test func whoLeavesInOrderHandsItsNameOn() {
        var claims = Self.claims()
        _ = claims.join(1, Self.token("a"), claims: ["app"], now: Self.start)
        _ = claims.join(2, Self.token("b"), claims: ["app"], now: Self.start)
        let changes = claims.leave(1, isOrderly: true, now: Self.start)
        #expect(changes.sessions == [2] && changes.losers == [Self.token("a")])
        #expect(changes.granted == ["app.t.example": Self.token("b")])
        #expect(claims.owner(of: "app.t.example") == Self.token("b"))
        #expect(claims.rulings(of: 2).map(\.refusal) == [nil])
    }

    /// A restart: nobody else wants the name, and requests wait for its tunnel.
    @Test func aNameThatWasLeftInOrderStaysUntilSomebodyElseComes() {
        var claims = Self.claims()
        _ = claims.join(1, Self.token("a"), claims: ["app"], now: Self.start)
        #expect(claims.leave(1, isOrderly: true, now: Self.start).isEmpty)
        #expect(claims.owner(of: "app.t.example") == Self.token("a"))
        let changes = claims.join(2, Self.token("b"), claims: ["app"], now: Self.later(1))
        #expect(changes.losers == [Self.token("a")])
        #expect(claims.owner(of: "app.t.example") == Self.token("b"))
    }

    /// A client whose file lost the name: its new session claims it no more. Whose it is next may be on the way.
    @Test func aTokenThatClaimsANameNoMoreHasItForAMomentUnlessSomebodyAsks() {
        var claims = Self.claims()
        _ = claims.join(1, Self.token("a"), claims: ["app"], now: Self.start)
        _ = claims.join(2, Self.token("a"), claims: ["other"], now: Self.start)
        _ = claims.leave(1, isOrderly: true, now: Self.start)
        #expect(claims.owner(of: "app.t.example") == Self.token("a"))
        var other = claims
        let changes = other.join(3, Self.token("b"), claims: ["app"], now: Self.later(1))
        #expect(changes.losers == [Self.token("a")])
        #expect(other.owner(of: "app.t.example") == Self.token("b"))
        _ = claims.expire(Self.later(30))
        #expect(claims.owner(of: "app.t.example") == nil)
    }

    @Test func otherRulesTakeAndGiveNames() {
        var claims = Self.claims()
        _ = claims.join(1, Self.token("a"), claims: ["vip"], now: Self.start)
        _ = claims.join(2, Self.token("b"), claims: ["vip", "x.b.example"], now: Self.start)
        let changes = claims.apply(Self.own, listed: HostTable(), now: Self.start)
        #expect(changes.sessions == [1, 2] && changes.losers == [Self.token("a")])
        #expect(claims.rulings(of: 1).map(\.refusal) == [.reserved])
        #expect(claims.rulings(of: 2).map(\.refusal) == [nil, nil])
        let back = claims.apply(Self.open, listed: HostTable(), now: Self.start)
        #expect(back.sessions == [1, 2])
        #expect(claims.owner(of: "vip.t.example") == Self.token("b"))
        #expect(claims.rulings(of: 1).map(\.refusal) == [.taken])
    }

    @Test func randomNamesAreTheTokensOwnAndCanBeKept() {
        var claims = Self.claims()
        _ = claims.join(1, Self.token("a"), claims: ["random"], now: Self.start)
        _ = claims.join(2, Self.token("b"), claims: ["random=abcdefghijkm"], now: Self.start)
        _ = claims.join(3, Self.token("c"), claims: ["random=abcdefghijkm"], now: Self.start)
        #expect(claims.owner(of: "arandom0.t.example") == Self.token("a"))
        #expect(claims.owner(of: "abcdefghijkm.t.example") == Self.token("b"))
        #expect(claims.rulings(of: 3).map(\.name) == ["crandom0.t.example"])
    }

    @Test func realRandomNamesAreNamesAndDiffer() {
        let labels = Set((0..<100).map { RandomHost.label(Self.token("x"), $0) })
        #expect(labels.count == 100)
        #expect(labels.allSatisfy { ClaimedHost.name(of: $0, domain: "t.example") != nil })
        #expect(labels.allSatisfy { RandomHost("random=\($0)")?.label == $0 })
    }

    /// However it goes, a name has one owner who is allowed to have it and claims it or rests, and who claims a free name has
    /// it.
    @Test(arguments: 0..<40) func anyOrderOfEventsKeepsOneOwner(_ seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var claims = Self.claims()
        var now = Self.start
        var rules = Self.open
        var sessions: [UInt64: (token: RendezvousToken, claims: [String])] = [:]
        let tokens = ["a", "b", "c", "d"].map(Self.token)
        let names = ["vip", "one", "two", "www1", "x.b.example"]
        for id in 1...UInt64(400) {
            now = now.advanced(by: .seconds(Int.random(in: 0...60, using: &random)))
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let session = (
                    token: tokens[Int.random(in: 0..<4, using: &random)],
                    claims: names.filter { _ in Bool.random(using: &random) }
                )
                _ = claims.join(id, session.token, claims: session.claims, now: now)
                if !session.claims.isEmpty { sessions[id] = session }
            case 5..<9:
                guard let gone = sessions.keys.sorted().randomElement(using: &random) else { continue }
                sessions[gone] = nil
                _ = claims.leave(gone, isOrderly: Bool.random(using: &random), now: now)
            default:
                rules = rules == Self.open ? Self.own : Self.open
                _ = claims.apply(rules, listed: HostTable(), now: now)
            }
            var granted: [String: RendezvousToken] = [:]
            for (id, session) in sessions {
                for ruling in claims.rulings(of: id) where ruling.refusal == nil {
                    guard let name = ruling.name else { continue }
                    #expect(
                        granted[name] ?? session.token == session.token, "two owners of \(name), seed \(seed)"
                    )
                    #expect(claims.owner(of: name) == session.token)
                    granted[name] = session.token
                }
                for ruling in claims.rulings(of: id) where ruling.refusal == .taken {
                    #expect(
                        ruling.name.flatMap { claims.owner(of: $0) } != nil, "nobody has it, seed \(seed)")
                }
            }
            let counts = Dictionary(grouping: claims.names, by: \.token).mapValues(\.count)
            #expect(counts.values.allSatisfy { $0 <= names.count })
        }
        for id in sessions.keys { _ = claims.leave(id, isOrderly: false, now: now) }
        _ = claims.expire(now.advanced(by: .seconds(601)))
        #expect(claims.names.isEmpty)
    }

    @Test func manyWhoFightForFewNamesAreDealtWithQuickly() {
        var claims = Self.claims()
        for id in 1...UInt64(5000) {
            _ = claims.join(id, Self.token("\(id)"), claims: ["one", "two", "three"], now: Self.start)
        }
        for id in 1...UInt64(5000) { _ = claims.leave(id, isOrderly: true, now: Self.start) }
        #expect(claims.names.count <= 3)
    }
}
