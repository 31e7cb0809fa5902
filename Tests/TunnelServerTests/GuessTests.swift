import HostSystem
import TestSupport
import Testing
import TunnelConfiguration

@testable import TunnelServer

/// What counts as a guess, of what callers send.
@Suite(.timeLimit(.minutes(1))) struct GuessTests {
    /// More than are forgiven, however slow the machine: one each second.
    private static let many = 250

    private static func statuses(_ port: Int, _ fields: [(String, String)]) throws -> [Int] {
        let caller = try HTTPConnection(port: port)
        return try (0..<many).map { _ in try caller.exchange("GET", "/", fields: fields).status }
    }

    /// Its callers did not guess anything: they are told that their tunnel is not there, and slow nobody down.
    @Test func requestsForATokenOfTheConfigurationAreNone() async throws {
        let configuration = ServerWorld.configuration {
            $0.trust.passwords = [TestTokens.first: [Secret("right")]]
            $0.routes.hosts = [PublicName(host: .exact("caller.test")): TestTokens.second]
        }
        try await ServerWorld.run { world in
            let (_, socket) = try await world.startServer(configuration)
            try await onThread {
                for fields in [TestTokens.firstField, []] {
                    #expect(try Self.statuses(socket.port, fields).allSatisfy { $0 == 404 })
                }
                let guesser = try HTTPConnection(port: socket.port)
                let fields = [("X-Token", "guess-test-unknown-token")]
                #expect(try guesser.exchange("GET", "/", fields: fields).status == 404)
                var answer = try guesser.exchange("GET", "/", fields: fields)
                for _ in 0..<Self.many where answer.status == 404 {
                    answer = try guesser.exchange("GET", "/", fields: fields)
                }
                #expect(answer.status == 429 && answer.head["Retry-After"] == "5")
            }
        }
    }
}
