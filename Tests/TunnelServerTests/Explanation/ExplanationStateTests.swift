import AgentStatus
import HTTPMessage
import HostSystem
import NIOCore
import Observability
import Routing
import Testing
import TunnelConfiguration
import TunnelProtocol

@testable import TunnelServer

/// What only a running server knows; and that to ask for it changes nothing.
@Suite struct ExplanationStateTests {
    private static let address = "203.0.113.7"

    private static func query(
        _ fields: [(String, String)] = [("X-Token", TestTokens.first.secret)], from address: String = address
    ) -> ExplanationQuery {
        ExplanationQuery(
            method: "GET", host: "a", port: 80, target: "/",
            fields: [.init("Host", "a")] + fields.map { .init($0.0, $0.1) }, from: address)
    }

    private static func explain(
        _ server: EmbeddedServer, _ query: ExplanationQuery = query()
    ) -> ServerExplanation {
        explanation(query, server.core)
    }

    private static func explanation(_ query: ExplanationQuery, _ core: ServerCore) -> ServerExplanation {
        ServerExplanation(query, RequestExplainer(core.settings, "test", .named, facts: core))
    }

    @Test func aBanClosesTheConnectionOfItsAddressAndIsToldThroughAProxy() throws {
        try EmbeddedServer.run(configuration: {
            $0.trust.proxies = ["192.0.2.1"].compactMap { AddressRange($0) }
        }) { server in
            _ = try server.tunnel()
            for guess in 0..<200 { server.core.failed("guess \(guess)", from: Self.address) }
            let closed = Self.explain(server)
            #expect(closed.outcome.verdict == .closed && closed.steps.last?.subject == .ban)
            #expect(try server.caller().isClosed)
            let proxied = Self.query(
                [("X-Token", TestTokens.first.secret), ("X-Forwarded-For", Self.address)], from: "192.0.2.1")
            let told = Self.explain(server, proxied)
            #expect(told.outcome.status == 429 && told.outcome.limit == "ban")
            #expect((told.outcome.retryAfter ?? 0) > 500)
            #expect(Self.explain(server, Self.query(from: "203.0.113.8")).outcome.verdict == .carried)
        }
    }

    @Test func whereSomethingRunsShortNewRequestsAreRefused() throws {
        try EmbeddedServer.run { server in
            _ = try server.tunnel()
            server.core.gauge.stage = .noNewRequests
            let told = Self.explain(server)
            #expect(told.outcome.status == 503 && told.outcome.limit == "load")
            #expect(told.steps.last?.words.contains("load-shedding") == true)
            let caller = try server.caller()
            try caller.ask()
            #expect(try caller.received().contains(told.outcome.words))
            server.core.gauge.stage = .noKeptConnections
            #expect(Self.explain(server).outcome.verdict == .carried)
        }
    }

    @Test func bytesOfTheMonthAreToldAndRefuseWhereTheyAreUsedUp() throws {
        try EmbeddedServer.run(configuration: { $0.callerLimits.perToken.bytesPerMonth = 1 << 20 }) {
            server in
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            try caller.ask()
            tunnel.answer(0, "200 OK|Content-Length: 4")
            tunnel.send(0, "text")
            #expect(try caller.received().hasSuffix("|text"))
            let first = Self.explain(server)
            #expect(first.outcome.verdict == .carried)
            #expect(
                first.steps.contains { $0.words.contains("1048576 bytes a month (4 used)") },
                "\(first.steps.map(\.words))")
            server.core.apply(
                ServerSettings(
                    ServerWorld.configuration { $0.callerLimits.perToken.bytesPerMonth = 4 }, tls: nil))
            let usedUp = Self.explain(server)
            #expect(usedUp.outcome.status == 429 && usedUp.outcome.limit == "per-token.bytes-per-month")
            try caller.ask()
            #expect(try caller.received().contains(usedUp.outcome.words))
        }
    }

    @Test func aTunnelThatIsDownHasTheRequestWaitAndOneThatIsFullTells() throws {
        try EmbeddedServer.run(configuration: {
            $0.limits.waitingPerToken = 1
            $0.times.queue = .seconds(3)
        }) { server in
            let tunnel = try server.tunnel()
            tunnel.breakDown()
            try server.run()
            let down = Self.explain(server)
            #expect(down.outcome.status == 504 && down.outcome.words == "Tunnel timeout")
            #expect(down.outcome.retryAfter == 5)
            #expect(down.steps.last?.words.contains("for 3s at most") == true)
            let waiting = try server.caller()
            try waiting.ask()
            let full = Self.explain(server)
            #expect(full.outcome.status == 504 && full.outcome.limit == "max-requests-per-tunnel")
            let refused = try server.caller()
            try refused.ask()
            #expect(try refused.received().contains(full.outcome.words))
            server.advance(.seconds(4))
            #expect(try waiting.received().contains("||Tunnel timeout\n"))
        }
    }

    @Test func limitsTellHowMuchIsUsed() throws {
        try EmbeddedServer.run(configuration: {
            $0.callerLimits.perAddress = RequestLimits(
                requests: 2, requestRate: .init(perSecond: 1000, burst: 2000))
        }) { server in
            _ = try server.tunnel()
            let caller = try server.caller()
            try caller.ask()
            let one = Self.explain(server)
            #expect(one.outcome.verdict == .carried)
            let words = try #require(one.steps.first { $0.subject == .limits }?.words)
            #expect(words.hasPrefix("address 203.0.113.7: 2 requests at once (1 under way)"))
            #expect(words.contains("1000 requests a second, 2000 in a burst"))
            try server.caller().ask()
            let none = Self.explain(server)
            #expect(none.outcome.status == 429 && none.outcome.retryAfter == 1)
            #expect(none.outcome.limit == "per-address.requests")
            let refused = try server.caller()
            try refused.ask()
            #expect(try refused.received().contains("||\(none.outcome.words)\n"))
        }
    }

    @Test func aNameThatATunnelHasAskedForLeadsToIt() throws {
        try EmbeddedServer.run(configuration: {
            $0.routes.claims = HostClaimRules(domain: "t.test", allowed: [HostGlob("*.t.test")])
        }) { server in
            _ = try server.tunnel()
            var query = Self.query([])
            query.fields = [.init("Host", "app.t.test")]
            let unclaimed = Self.explain(server, query)
            #expect(unclaimed.outcome.status == 400)
            _ = server.core.hosts.change {
                $0.join(77, TestTokens.first, claims: ["app"], now: $1)
            }
            let claimed = Self.explain(server, query)
            #expect(claimed.outcome.verdict == .carried && claimed.isNamed)
            #expect(claimed.steps.contains { $0.key == "servers[test].host-claims" })
        }
    }

    @Test func whoWasWrongTooOftenIsToldSo() throws {
        let bearer = CallerRules(
            login: .listed(users: [:], bearers: [Secret("a-bearer-secret-of-tests")]))
        try EmbeddedServer.run(configuration: {
            $0.bans.isEnabled = false
            $0.access.tokens = [TestTokens.second: bearer]
        }) { server in
            _ = try server.tunnel(TestTokens.second)
            for number in 0..<1000 {
                server.core.callerFailed(from: Self.address, guess: "wrong \(number)")
                _ = server.core.isOneGuessTooMany("guess \(number)", from: Self.address)
            }
            for (fields, words) in [
                ([("X-Token", "nobodys-test-token-1")], "Too many requests with tokens that are nobody's"),
                (
                    [
                        ("X-Token", TestTokens.second.secret),
                        ("Authorization", "Bearer wrong-secret-of-tests"),
                    ],
                    "Too many wrong passwords from this address"
                ),
            ] {
                let told = Self.explain(server, Self.query(fields)).outcome
                #expect(told.status == 429 && told.words.hasPrefix(words))
                let caller = try server.caller()
                let lines = fields.map { "\($0): \($1)|" }.joined()
                try caller.send("GET / HTTP/1.1|Host: a|\(lines)|")
                #expect(try caller.received().contains("||\(told.words)\n"))
            }
        }
    }

    @Test func aPortOfPlainTCPTellsWhoMayConnect() throws {
        let configuration = ServerWorld.configuration {
            $0.tcp = TCPPort(
                server: "public", token: TestTokens.first,
                callers: ["203.0.113.0/24"].compactMap { AddressRange($0) })
        }
        for (address, verdict) in [
            (Self.address, ExplanationSnapshot.Verdict.carried), ("192.0.2.1", .closed),
        ] {
            let explanation = ServerExplanation(
                Self.query(from: address), by: configuration, tls: nil, .listens)
            #expect(explanation.outcome.verdict == verdict && explanation.token == TestTokens.first)
        }
    }

    /// However often it is asked: no guess is counted, nobody is banned, nothing is used up, nobody waits.
    @Test func toAskChangesNothing() throws {
        let bearer = CallerRules(
            login: .listed(users: [:], bearers: [Secret("a-bearer-secret-of-tests")]))
        try EmbeddedServer.run(configuration: {
            $0.bans.after = 5
            $0.callerLimits.perAddress = RequestLimits(
                requests: 1, requestRate: .init(perSecond: 1, burst: 1))
            $0.access.tokens = [TestTokens.second: bearer]
        }) { server in
            _ = try server.tunnel()
            _ = try server.tunnel(TestTokens.second)
            for number in 0..<300 {
                let unknown = Self.query([("X-Token", "nobodys-test-token-\(number)")])
                #expect(Self.explain(server, unknown).outcome.status == 404)
                let wrong = Self.query([
                    ("X-Token", TestTokens.second.secret), ("Authorization", "Bearer wrong-secret-\(number)"),
                ])
                #expect(Self.explain(server, wrong).outcome.status == 401)
                #expect(Self.explain(server).outcome.verdict == .carried)
            }
            let core = server.core
            #expect(core.bans.all.isEmpty && core.registry.tokenCount == 2 && core.load.waiting == 0)
            #expect(
                core.counts.allSatisfy { $0.counts.measures.requests.began == 0 } && core.nextRequestID() == 1
            )
            #expect(core.lastFault == nil)
            #expect(!core.refusesGuesses(from: Self.address) && !core.refusesLogins(from: Self.address))
            let caller = try server.caller()
            try caller.ask()
            #expect(try caller.received().isEmpty, "it is carried")
        }
    }

    @Test func noTokenOrSecretIsShown() throws {
        let secret = "a-bearer-secret-of-tests"
        let configuration = ServerWorld.configuration {
            $0.access.everybody = CallerRules(login: .listed(users: [:], bearers: [Secret(secret)]))
        }
        for text in ["a-token-with-percent%41s", TestTokens.first.secret] {
            var query = Self.query([("X-Token", text), ("Authorization", "Bearer \(secret)")])
            for target in ["/", "/_token/\(text)", "/_token/\(text)/a?b=\(text)"] {
                query.target = target
                let explanation = ServerExplanation(query, by: configuration, tls: nil, .named)
                #expect(explanation.hints[text] == RendezvousToken.hint(of: text))
                let words = explanation.steps.map(\.words) + [explanation.outcome.words]
                #expect(!words.contains { $0.contains(secret) })
            }
        }
    }
}
