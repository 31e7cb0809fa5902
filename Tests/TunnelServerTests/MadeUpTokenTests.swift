import HTTPMessage
import HostSystem
import TestSupport
import Testing
import TunnelConfiguration
import TunnelProtocol

@testable import TunnelServer

/// Tunnel clients that come with tokens of their own invention, more of them than are remembered.
@Suite(.timeLimit(.minutes(2))) struct MadeUpTokenTests {
    private static let remembered = 100

    /// A session that is up for a moment, of protocol v1.
    private static func visit(_ port: Int, _ token: String, password: String = "none") throws {
        let authorization = BasicAuthorization.encode(user: token, password: password)
        try WebSocketConnection(
            port: port, target: "/_tunnel", fields: [("Origin", token), ("Authorization", authorization)]
        ).close()
    }

    private static func ask(_ port: Int, _ token: String) throws -> HTTPConnection {
        let caller = try HTTPConnection(port: port)
        try caller.send("GET", "/asked", fields: [("X-Token", token)])
        return caller
    }

    @Test func theyPushOutNeitherAListedTokenNorOneThatIsServed() async throws {
        let configuration = ServerWorld.configuration {
            $0.trust.passwords = [TestTokens.first: [Secret("right")]]
        }
        var limits = ListenerLimits()
        limits.tokens = Self.remembered
        try await ServerWorld.run { [limits] world in
            let (server, socket) = try await world.startServer(configuration, limits: limits)
            let served = try await world.connect(TestTokens.second, to: server)
            let waiting = try await onThread {
                let (port, listed) = (socket.port, TestTokens.first.secret)
                try Self.visit(port, listed, password: "right")
                for number in 0..<Self.remembered * 10 {
                    try Self.visit(port, "made-up-token-number-\(number)")
                }
                // When the oldest of them is not known any more, the listed one would not be either.
                var status = 0
                repeat {
                    let caller = try Self.ask(port, "made-up-token-number-0")
                    caller.socket.finishWriting()
                    status = (try? caller.readResponse().status) ?? 0
                } while status != 404
                #expect(
                    try Self.ask(port, TestTokens.second.secret).readResponse().text == "/asked")
                return try Self.ask(port, listed)
            }
            let back = try await world.connect(TestTokens.first, password: "right", to: server)
            let text = try await onThread { try waiting.readResponse().text }
            #expect(text == "/asked")
            withExtendedLifetime((served, back)) {}
        }
    }
}
