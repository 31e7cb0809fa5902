import Foundation
import TestSupport
import Testing

/// Tunnel clients that connect without end: how far they get, and that nobody else notices.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SessionBoundsTests {
    /// Knocks as a client of protocol v1 does, which is nobody's but its own connection.
    private static func knock(
        _ port: Int, token: String, _ fields: [String] = []
    ) throws -> (connection: HTTPConnection, answer: HTTPResponse) {
        let connection = try HTTPConnection(port: port)
        let lines =
            [
                "Host: a", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Origin: \(token)",
            ] + fields
        try connection.send("GET /_tunnel HTTP/1.1\r\n\(lines.map { "\($0)\r\n" }.joined())\r\n")
        return (connection, try connection.readResponse())
    }

    /// Knocks until it is refused.
    private static func knockUntilRefused(
        _ port: Int, token: String, most: Int, fields: (Int) -> [String] = { _ in [] }
    ) throws -> (taken: [HTTPConnection], refusal: HTTPResponse?) {
        var taken: [HTTPConnection] = []
        for number in 0..<most {
            let (connection, answer) = try knock(port, token: token, fields(number))
            guard answer.status == 101 else { return (taken, answer) }
            taken.append(connection)
        }
        return (taken, nil)
    }

    @Test func aTokenHasABoundAndSoHasAnAddress() throws {
        let agent = try BesiegedAgent(server: [
            "max-sessions-per-token: 20", "max-sessions-per-address: 40", "trusted-proxies: [127.0.0.1]",
        ])
        let first = try Self.knockUntilRefused(agent.port, token: "bounds-token-number-1", most: 30)
        #expect(first.taken.count == 20)
        #expect(first.refusal?.status == 429)
        #expect(first.refusal?.text.contains("for this rendez-vous token") == true)
        #expect(first.refusal?.head["Retry-After"] == "30")
        let line = try agent.agent.waitForLog(
            "Tunnel refused", ["error.code": "too-many-sessions-of-token", "peer.address": "127.0.0.1"])
        #expect(line["level"] == "warning")
        let second = try Self.knockUntilRefused(agent.port, token: "bounds-token-number-2", most: 30)
        // The good tunnel has two from this address.
        #expect(second.taken.count == 18)
        #expect(second.refusal?.status == 429)
        #expect(second.refusal?.text.contains("from this address") == true)
        // Others are not meant, nor is who is here.
        let elsewhere = try Self.knock(
            agent.port, token: "bounds-token-number-2", ["X-Forwarded-For: 192.0.2.1"])
        #expect(elsewhere.answer.status == 101)
        #expect(try agent.request().status == 200)
        // Who leaves makes room.
        let lines = agent.agent.log.count
        second.taken.first?.reset()
        try agent.agent.waitForLog("Session left", from: lines)
        #expect(try Self.knock(agent.port, token: "bounds-token-number-2").answer.status == 101)
    }

    @Test func addressesOfOneNetworkOfIPv6AreOne() throws {
        let agent = try BesiegedAgent(server: [
            "max-sessions-per-address: 5", "trusted-proxies: [127.0.0.1]",
        ])
        let network = try Self.knockUntilRefused(agent.port, token: "bounds-token-number-1", most: 30) {
            ["X-Forwarded-For: 2001:db8:1:2::\($0 + 1)"]
        }
        #expect(network.taken.count == 5)
        let other = try Self.knock(
            agent.port, token: "bounds-token-number-1", ["X-Forwarded-For: 2001:db8:1:3::1"])
        #expect(other.answer.status == 101)
    }

    @Test func oneClientThatNumbersItsConnectionsWithoutEndIsRefused() throws {
        let agent = try BesiegedAgent(server: [
            "max-clients-per-token: 1", "trusted-proxies: [127.0.0.1]",
        ])
        let evil = try Self.knockUntilRefused(agent.port, token: "bounds-token-number-1", most: 400) {
            ["X-Tunnel-Client: evil/\($0)"]
        }
        // A session that was let in joins a moment later.
        #expect((256..<300).contains(evil.taken.count))
        #expect(evil.refusal?.status == 429)
        #expect(evil.refusal?.text.contains("of this tunnel client") == true)
        // The same name from elsewhere is another client.
        let other = try Self.knock(
            agent.port, token: "bounds-token-number-1",
            ["X-Tunnel-Client: evil/0", "X-Forwarded-For: 192.0.2.1"])
        #expect(other.answer.status == 429 && other.answer.text.contains("Too many clients"))
        #expect(try agent.request().status == 200)
    }

    @Test func whoJoinsFromANewAddressWhileOthersServeIsToldInTheLog() throws {
        let agent = try BesiegedAgent(server: ["trusted-proxies: [127.0.0.1]"])
        try agent.agent.waitForLog(
            "No token needs a password: whoever knows one can serve its callers, and gets all that they send",
            ["level": "warning"])
        let message = "Session joined from a new address, while others serve its token"
        let first = try Self.knock(agent.port, token: BesiegedAgent.token)
        #expect(first.answer.status == 101)
        try agent.agent.waitForSessions(3)
        #expect(!agent.agent.log.contains { $0.contains(message) }, "the same address")
        let stranger = try Self.knock(
            agent.port, token: BesiegedAgent.token, ["X-Forwarded-For: 192.0.2.1"])
        #expect(stranger.answer.status == 101)
        try agent.agent.waitForLog(message, ["level": "notice", "peer.address": "192.0.2.1"])
    }

    /// The old session is not silent for as long as `wstimeout` yet.
    @Test func aClientWhoseAddressChangesLeavesNoDeadSessionInService() throws {
        let agent = try BesiegedAgent(server: ["wstimeout: 10m", "trusted-proxies: [127.0.0.1]"])
        let connect = { (address: String) in
            let peer = try TunnelPeer(
                port: agent.port, token: "bounds-token-number-1",
                fields: [("X-Tunnel-Client", "moving/0"), ("X-Forwarded-For", address)])
            try agent.agent.waitForLog("Session joined", ["peer.address": address])
            return peer
        }
        let old = try connect("192.0.2.1")
        let new = try connect("192.0.2.2")
        #expect(old.socket.waitForEnd() != .timedOut)
        try agent.agent.waitForLog("Session left", ["peer.address": "192.0.2.1"])
        #expect(!agent.agent.log.contains { $0.contains("Session left") && $0.contains("192.0.2.2") })
        new.socket.close()
    }

    @Test func aServerWhoseTokensNeedPasswordsDoesNotWarn() throws {
        let agent = try BesiegedAgent(
            server: [
                "only-listed-tokens: true", "passwords: [{ token: \(BesiegedAgent.token), password: right }]",
            ], password: "right")
        #expect(!agent.agent.log.contains { $0.contains("No token needs a password") })
    }

    /// Thousands of sessions of one token come and go beside a good tunnel.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["WSTUNNEL_SLOW_TESTS"] == "1"))
    func thousandsOfSessionsOfOneTokenDoNotSlowOthersDown() throws {
        let agent = try BesiegedAgent(server: [
            "max-sessions-per-token: 20000", "max-sessions-per-address: 20000",
        ])
        let bystander = try Bystander(port: agent.port)
        let start = ContinuousClock.now
        // Each costs a file here and one there.
        let crowd = try Self.knockUntilRefused(agent.port, token: "bounds-token-number-1", most: 4500)
        #expect(crowd.refusal == nil)
        let half = ContinuousClock.now - start
        for connection in crowd.taken { connection.reset() }
        try agent.agent.process.standardError.waitForLines(4500, containing: "Session left")
        try bystander.finish()
        print("4,500 sessions came in \(half), and were gone after \(ContinuousClock.now - start)")
    }
}
