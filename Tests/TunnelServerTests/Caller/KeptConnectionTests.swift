import Testing
import TunnelConfiguration
import TunnelProtocol

@testable import TunnelServer

/// What one request of a connection leaves behind for the next is the next one's only where that says the same.
@Suite(.timeLimit(.minutes(1))) struct KeptConnectionTests {
    private static let gained = [
        "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: http", "X-Forwarded-Host: HOST",
        "X-Forwarded-Port: PORT", #"Forwarded: for="203.0.113.7:4711";host=HOST;proto=http"#,
        "Via: 1.1 wstunnel",
    ]

    private static func gained(_ host: String, port: Int = 80) -> [String] {
        gained.map { line in
            let named = line.hasPrefix("Forwarded") && port != 80 ? "\"\(host)\"" : host
            return line.replacing("HOST", with: named).replacing("PORT", with: "\(port)")
        }
    }

    /// - Parameter lines: `|` for the ends of lines.
    private static func ask(
        _ caller: EmbeddedCaller, _ lines: String, by tunnel: EmbeddedTunnel, _ index: Int
    ) throws -> [String] {
        try caller.send("GET /x HTTP/1.1|\(lines)||")
        tunnel.answer(index, "204 No Content", isLast: true)
        #expect(try caller.statuses() == [204])
        return tunnel.opened.indices.contains(index)
            ? tunnel.opened[index].head.split(separator: "\r\n").map(String.init) : []
    }

    @Test func eachRequestHasTheFieldsOfItsOwn() throws {
        try EmbeddedServer.run { server in
            let (first, second) = (try server.tunnel(TestTokens.first), try server.tunnel(TestTokens.second))
            let caller = try server.caller()
            let (one, other) = (TestTokens.first.secret, TestTokens.second.secret)
            var counts = [0, 0]
            func ask(_ lines: String, _ token: String) throws -> [String] {
                let index = token == one ? 0 : 1
                defer { counts[index] += 1 }
                let head = try Self.ask(
                    caller, "X-Token: \(token)|\(lines)", by: [first, second][index], counts[index])
                #expect(head.first == "GET /x HTTP/1.1")
                return Array(head.dropFirst())
            }
            for _ in 0..<2 {
                #expect(try ask("Host: a|A: b", one) == ["Host: a", "A: b"] + Self.gained("a"))
                #expect(try ask("Host: a|A: c", one) == ["Host: a", "A: c"] + Self.gained("a"))
                #expect(try ask("Host: b:8", one) == ["Host: b:8"] + Self.gained("b:8", port: 8))
                #expect(try ask("Host: a", other) == ["Host: a"] + Self.gained("a"))
                // What strangers say of earlier hops, and what is one hop's.
                #expect(
                    try ask("Host: a|X-Forwarded-For: 1|Via: x|X_Forwarded_Host: y|Keep-Alive: 5", other)
                        == ["Host: a"] + Self.gained("a"))
                #expect(
                    try ask("Host: a|Connection: keep-alive, B|B: 1|C: 2", other)
                        == ["Host: a", "C: 2"] + Self.gained("a"))
                #expect(
                    try ask("Host: a|TE: trailers|Connection: TE", one)
                        == ["Host: a"] + Self.gained("a") + ["TE: trailers"])
                // The other's token is no secret of this tunnel; its own is.
                #expect(
                    try ask("Host: a|Cookie: t=\(one)|D: \(other)", other)
                        == ["Host: a", "Cookie: t=\(one)", "D: ***"] + Self.gained("a"))
            }
        }
    }

    @Test func aHostThatHoldsTheTokenKeepsItToItself() throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            for index in 0..<3 {
                let token = TestTokens.first.secret
                let head = try Self.ask(
                    caller, "Host: \(token)|X-Token: \(token)", by: tunnel, index)
                #expect(head.contains("Host: ***") && !head.contains { $0.contains(token) })
            }
        }
    }

    @Test func aTokenThatIsNobodysIsNotTakenForTheOneBefore() throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            _ = try Self.ask(caller, "Host: a|X-Token: \(TestTokens.first.secret)", by: tunnel, 0)
            for token in [TestTokens.first.secret + "x", TestTokens.second.secret] {
                try caller.send("GET / HTTP/1.1|Host: a|X-Token: \(token)||")
                #expect(try caller.statuses() == [404])
            }
            let twice = "X-Token: \(TestTokens.first.secret)|X-Token: \(TestTokens.second.secret)"
            try caller.send("GET / HTTP/1.1|Host: a|\(twice)||")
            #expect(try caller.statuses() == [400])
            #expect(tunnel.opened.count == 1)
        }
    }

    @Test func aChangeOfTheConfigurationHoldsForTheNextRequest() throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            let lines = "Host: a|X-Token: \(TestTokens.first.secret)"
            #expect(try Self.ask(caller, lines, by: tunnel, 0).contains { $0.hasPrefix("Forwarded:") })
            server.core.apply(
                ServerSettings(ServerWorld.configuration { $0.routes.forwarding = .xForwarded }, tls: nil))
            #expect(try Self.ask(caller, lines, by: tunnel, 1).allSatisfy { !$0.hasPrefix("Forwarded:") })
        }
    }
}
