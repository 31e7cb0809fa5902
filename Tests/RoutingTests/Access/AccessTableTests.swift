import HTTPMessage
import Routing
import Testing
import TunnelConfiguration
import TunnelProtocol

@Suite struct AccessTableTests {
    private static func route(_ token: String, name: Int? = nil) throws -> Route {
        Route(
            token: try RendezvousToken(token), target: "/",
            policy: RoutePolicy(namedBy: name == nil ? .field : .host, name: name))
    }

    private static let first = "token-number-1-of-tests"
    private static let second = "token-number-2-of-tests"

    @Test func theNarrowestPlaceSays() throws {
        let names = ["a.test", "b.test", "c.test"].map { PublicName(host: .exact($0)) }
        let first = try RendezvousToken(Self.first)
        let access = CallerAccess(
            everybody: CallerRules(maximumBody: 1), tokens: [first: CallerRules(maximumBody: 2)],
            names: [names[0]: CallerRules(maximumBody: 3), names[1]: CallerRules(hasRequestID: true)])
        let table = AccessTable(
            access,
            hosts: HostTable([
                names[0]: first, names[1]: first, names[2]: try RendezvousToken(Self.second),
            ]))
        #expect(!table.isEmpty)
        #expect(table.policy(for: try Self.route(Self.second))?.maximumBody == 1)
        #expect(table.policy(for: try Self.route(Self.first))?.maximumBody == 2)
        #expect(table.policy(for: try Self.route(Self.first, name: 0))?.maximumBody == 3)
        // A name that says nothing of it takes what its token says.
        let named = try #require(table.policy(for: try Self.route(Self.first, name: 1)))
        #expect(named.maximumBody == 2 && named.needsRequestID)
        #expect(table.policy(for: try Self.route(Self.second, name: 2))?.maximumBody == 1)
        #expect(table.hasRules(for: first))
        #expect(try !table.hasRules(for: RendezvousToken(Self.second)))
    }

    /// What a request that waits meets when its name leads to another token.
    @Test(arguments: [
        (CallerRules(), true), (CallerRules(allowed: ["192.0.2.0/24"].compactMap { AddressRange($0) }), true),
        (CallerRules(methods: ["GET"]), true),
        (CallerRules(denied: ["192.0.2.1"].compactMap { AddressRange($0) }), false),
        (CallerRules(methods: ["POST"]), false), (CallerRules(certificate: .required(names: [])), false),
        (CallerRules(login: .listed(users: [:], bearers: [Secret("a-secret-of-the-tests")])), false),
        (CallerRules(login: .anonymous), true), (CallerRules(maximumBody: 1), false),
        (CallerRules(hasRequestID: true), false),
    ])
    func whoWaitsGoesOnUnderOtherRulesWhereTheyAskNothingMore(_ rules: CallerRules, _ goesOn: Bool) throws {
        let first = try RendezvousToken(Self.first)
        let table = AccessTable(CallerAccess(tokens: [first: rules]))
        let head = RequestHead(method: "GET", target: "/", fields: HeaderFields())
        #expect(table.alsoLetsIn(head, to: first, from: "192.0.2.1") == goesOn)
        #expect(try table.alsoLetsIn(head, to: RendezvousToken(Self.second), from: "192.0.2.1"))
    }

    /// Each of them compiled anew would take minutes.
    @Test(.timeLimit(.minutes(1))) func thousandsOfTokensShareTheServersAddresses() throws {
        let ranges = (0..<1000).compactMap { AddressRange("10.\($0 / 250).\($0 % 250).0/25") }
        let tokens = try (0..<10_000).map { (try RendezvousToken("token-number-\($0)-of-tests"), $0) }
        let table = AccessTable(
            CallerAccess(
                everybody: CallerRules(allowed: ranges),
                tokens: Dictionary(
                    uniqueKeysWithValues: tokens.map { ($0.0, CallerRules(maximumBody: $0.1)) })))
        let policy = try #require(table.policy(for: try Self.route("token-number-77-of-tests")))
        #expect(policy.maximumBody == 77)
        let head = RequestHead(method: "GET", target: "/", fields: HeaderFields())
        for (address, isAllowed) in [("10.3.249.127", true), ("10.3.249.128", false)] {
            let facts = AccessPolicy.Facts(address: address, certificateNames: nil)
            if isAllowed {
                try policy.check(head, facts)
            } else {
                #expect(throws: AccessRefusal.addressNotAllowed) { try policy.check(head, facts) }
            }
        }
    }

    @Test func withoutRulesThereIsNoPolicy() throws {
        let table = AccessTable(CallerAccess())
        #expect(table.isEmpty)
        #expect(table.policy(for: try Self.route(Self.first, name: 0)) == nil)
        let others = AccessTable(CallerAccess(tokens: [try RendezvousToken(Self.second): CallerRules()]))
        #expect(!others.isEmpty)
        #expect(others.policy(for: try Self.route(Self.first)) == nil)
    }
}
