import Foundation
import TestSupport
import Testing

/// Strangers that guess tokens and passwords: how fast, what the log says of it, and who else notices.
@Suite(.serialized, .timeLimit(.minutes(2))) struct GuessingTests {
    private static let listed = "guessing-listed-token"

    private static func basic(_ text: String) -> String { "Basic " + Data(text.utf8).base64EncodedString() }

    /// As from another address, where the server trusts us.
    private static func from(_ address: String?) -> [(String, String)] {
        address.map { [("X-Forwarded-For", $0)] } ?? []
    }

    private static func knock(
        _ port: Int, token: String, password: String? = nil, from address: String? = nil,
        client: String? = nil
    ) throws -> Int {
        let fields =
            [
                ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Origin", token),
            ] + (password.map { [("Authorization", basic("\(token):\($0)"))] } ?? []) + from(address)
            + (client.map { [("X-Tunnel-Client", $0)] } ?? [])
        return try HTTPConnection(port: port).exchange("GET", "/_tunnel", fields: fields).status
    }

    @Test func whoGuessesTokensIsRefusedWithOneLineOfTheLogAndGoodTokensAreNot() throws {
        let agent = try BesiegedAgent(server: ["trusted-proxies: [127.0.0.1]"])
        let ask = { (token: String, address: String?) in
            try HTTPConnection(port: agent.port).exchange(
                "GET", "/", fields: [("X-Token", token)] + Self.from(address))
        }
        var statuses: [Int] = []
        for number in 0..<400 {
            statuses.append(
                try ask(number % 2 == 0 ? "guess-number-\(1_000_000 + number)" : "short", nil).status)
        }
        #expect(statuses.prefix(100).allSatisfy { $0 == 404 })
        // One is forgiven each second.
        #expect(statuses.count { $0 == 429 } > 100 && statuses.allSatisfy { $0 == 404 || $0 == 429 })
        let refused = try ask("guess-number-1000000", nil)
        if refused.status == 429 {
            #expect(refused.head["Retry-After"] == "5" && refused.head["Connection"] == "close")
        }
        #expect(try agent.request().status == 200)
        #expect(try ask("guess-number-1000000", "192.0.2.1").status == 404, "another address")
        let line = try agent.agent.waitForLog("Guesses refused", ["peer.address": "127.0.0.1"])
        #expect(line["times"] == "1" && line["error.code"] == "too-many-guesses")
        try agent.agent.waitForLog("Request", ["caller.address": "192.0.2.1"])
        let lines = agent.agent.log
        // That of the last request but one may be among them.
        #expect(lines.count { $0.contains("status=404") } <= statuses.count { $0 == 404 } + 2)
        #expect(lines.count { $0.contains("status=429") } == 0)
    }

    /// Twenty thousand wrong handshakes switched the throttle off once; tens of thousands are a unit test's.
    @Test func junkHandshakesDoNotOpenTheDoorToWhoGuessesPasswords() throws {
        let agent = try BesiegedAgent(server: [
            "passwords: [{ token: \(Self.listed), password: right }]", "trusted-proxies: [127.0.0.1]",
        ])
        for number in 0..<500 {
            _ = try Self.knock(agent.port, token: "bad", from: "2001:db8:\(number)::1")
            _ = try Self.knock(
                agent.port, token: Self.listed, password: "junk", from: "2001:db8:\(number)::1")
        }
        var statuses: [Int] = []
        for number in 0..<40 {
            // From all over its network.
            let address = "2001:db8:ffff:1::\(number)"
            statuses.append(
                try Self.knock(agent.port, token: Self.listed, password: "wrong \(number)", from: address))
        }
        #expect(statuses.prefix(10).allSatisfy { $0 == 401 })
        #expect(statuses.count { $0 == 429 } > 20 && statuses.last == 429)
        #expect(
            try Self.knock(agent.port, token: Self.listed, password: "right", from: "2001:db8:ffff:2::1")
                == 101)
        #expect(agent.agent.log.count { $0.contains("error.code=throttled") } == 1)
    }

    /// Who shares an address with others and knows their token does not shut them out by wrong passwords.
    @Test func aNeighbourWhoGuessesKeepsOutNeitherKnownClientsNorGeneratedPasswords() throws {
        let (generated, other) = ("0123456789abcdef0123456789abcdef", "guessing-other-token")
        let port = try freePort()
        let configuration = { (connections: Int) in
            """
            servers:
              - name: public
                host: 127.0.0.1
                port: \(port)
                passwords:
                  - { token: \(Self.listed), password: right }
                  - { token: \(other), password: \(generated) }
            tunnels:
              - name: web
                tunnel: ws://127.0.0.1:\(port)
                server: builtin:echo
                token: \(Self.listed)
                password: right
                connections: \(connections)
            """
        }
        let agent = try ReloadedAgent(configuration(1))
        try agent.waitForTunnel()
        let knock = { (token: String, password: String, client: String?) in
            try Self.knock(port, token: token, password: password, client: client)
        }
        #expect(try knock(Self.listed, "right", "known-client/0") == 101)
        for token in [Self.listed, other] {
            for number in 0..<20 { _ = try knock(token, "wrong \(number)", nil) }
        }
        #expect(try knock(Self.listed, "right", nil) == 429)
        #expect(try knock(Self.listed, "right", "stranger/0") == 429)
        #expect(try knock(Self.listed, "right", "known-client/1") == 101)
        #expect(try knock(other, generated, nil) == 101)
        // A tunnel that has to connect again.
        _ = try agent.applied(configuration(2))
        #expect(try agent.waitForTunnel().count == 2)
        // Neither makes room for guessing.
        for (token, client) in [(Self.listed, "known-client/0"), (other, nil)] as [(String, String?)] {
            let statuses = try (0..<20).map { try knock(token, "wrong again \($0)", client) }
            #expect(statuses.allSatisfy { $0 == 401 || $0 == 429 } && statuses.last == 429)
        }
        #expect(try knock(Self.listed, "right", "known-client/0") == 429)
    }

    @Test func handshakesThatAreNoneAreSummedUpInTheLog() throws {
        let agent = try BesiegedAgent(
            server: [
                "only-listed-tokens: true",
                "passwords: [{ token: \(BesiegedAgent.token), password: right }, { token: \(Self.listed), password: right }]",
            ], password: "right")
        var statuses: [Int] = []
        for number in 0..<300 {
            statuses.append(try Self.knock(agent.port, token: "guess-number-\(1_000_000 + number)"))
        }
        #expect(statuses.prefix(100).allSatisfy { $0 == 401 })
        #expect(statuses.count { $0 == 429 } > 50)
        // A good one from the same address is let in.
        #expect(try Self.knock(agent.port, token: Self.listed, password: "right") == 101)
        #expect(agent.agent.log.count { $0.contains("error.code=too-many-guesses") } == 1)
    }
}
