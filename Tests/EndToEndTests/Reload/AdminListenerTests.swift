import Foundation
import TestSupport
import Testing

/// The admin listener, added, changed and removed while it is used.
@Suite(.timeLimit(.minutes(1))) struct AdminListenerTests {
    private static let servers = "servers: [{ name: public, host: 127.0.0.1, port: 0 }]\n"
    private static let tokens = ["admin-listener-token-1", "admin-listener-token-2"]

    private static func text(_ port: Int, _ token: String = tokens[0]) -> String {
        "admin: { listen: \"127.0.0.1:\(port)\", token: \(token) }\n" + servers
    }

    /// What curl gets.
    private static func ask(
        _ port: Int, _ token: String = tokens[0], _ method: String = "GET", _ target: String = "/api/status"
    ) throws -> CurlResult {
        try curl(
            "-X", method, "-H", "Authorization: Bearer \(token)", "http://127.0.0.1:\(port)\(target)")
    }

    @Test func itComesChangesMovesAndGoesByReloads() throws {
        let world = try ReloadedAgent(Self.servers)
        let (first, second) = (try freePort(), try freePort())
        #expect(try world.apply(Self.text(first)) == .applied)
        let status = try Self.ask(first)
        #expect(status.status == 200)
        let report = try JSONDecoder().decode(AgentStatusReport.self, from: Data(status.standardOutput))
        #expect(report.generation == 2 && report.processID == Int(world.agent.process.processID))
        #expect(!status.text.contains(Self.tokens[0]))
        #expect(try Self.ask(first, Self.tokens[1]).status == 401)

        // Each of these is asked over the listener that it changes, and answered.
        try world.write(Self.text(first, Self.tokens[1]))
        #expect(try Self.ask(first, Self.tokens[0], "POST", "/api/reload").status == 200)
        #expect(try Self.ask(first, Self.tokens[0]).status == 401)
        #expect(try Self.ask(first, Self.tokens[1]).status == 200)

        try world.write(Self.text(second, Self.tokens[1]))
        #expect(try Self.ask(first, Self.tokens[1], "POST", "/api/reload").status == 200)
        #expect(try Self.ask(first, Self.tokens[1]).exitCode == 7)
        #expect(try Self.ask(second, Self.tokens[1]).status == 200)

        try world.write(Self.text(second, Self.tokens[1]) + "nonsense: 1\n")
        #expect(try Self.ask(second, Self.tokens[1], "GET", "/api/plan").status == 422)
        let refused = try Self.ask(second, Self.tokens[1], "POST", "/api/reload")
        #expect(refused.status == 422 && refused.text.contains("nonsense"))

        try world.write(Self.servers)
        #expect(try Self.ask(second, Self.tokens[1], "POST", "/api/reload").status == 200)
        #expect(try Self.ask(second, Self.tokens[1]).exitCode == 7)
        #expect(try world.status().generation == 5)
        #expect(try world.agent.stop() == .code(0))
    }

    @Test func aPortThatIsTakenRefusesTheReloadAndTheOldOneStays() throws {
        let held = try HeldSocket()
        let port = try freePort()
        let world = try ReloadedAgent(Self.text(port))
        #expect(try world.apply(Self.text(held.port)) == .refused)
        #expect(
            world.agent.log.contains { $0.contains("admin.listen: cannot listen on 127.0.0.1:\(held.port)") })
        #expect(try Self.ask(port).status == 200)
    }

    @Test func theAgentIsNotHandedOverThere() throws {
        let port = try freePort()
        let world = try ReloadedAgent(Self.text(port))
        #expect(try Self.ask(port, Self.tokens[0], "POST", "/api/handover").status == 404)
        #expect(try world.status().phase == "running")
    }

    @Test func requestsThatComeDuringAReloadAreOneMore() throws {
        let port = try freePort()
        let world = try ReloadedAgent(Self.text(port))
        let answers = try inThreads(20) { _ in
            try Self.ask(port, Self.tokens[0], "POST", "/api/reload").status
        }
        #expect(answers == Array(repeating: 200, count: 20))
        #expect(try world.status().generation == 1)
        let read = world.agent.log.filter {
            $0.contains("message=Reload ") || $0.contains("message=\"Reload\"")
        }
        #expect((1...20).contains(read.count))
    }
}
