import AgentStatus
import Foundation
import TestSupport
import Testing

/// `GET /api/diag`.
@Suite(.timeLimit(.minutes(1))) struct DiagnosticOperationTests {
    /// What only looks like a secret must not make the answer unreadable.
    @Test func wordsOfOursStayThoughTheyAreSomebodysPassword() async throws {
        let tunnel = TunnelSnapshot(
            name: "web", state: .connected, server: "ws://s", tokenHint: "t...", wanted: 1)
        var answers = FakeAgent.Answers(tunnels: [tunnel])
        answers.secrets = ["agent", "connected", "running", "error"]
        try await AdminWorld(answers).run { world in
            world.agent.tell("the agent said so")
            let answer = try world.ask("GET", "/api/diag")
            let told = try JSONDecoder().decode(DiagnosticSnapshot.self, from: Data(answer.body))
            #expect(told.events.map(\.kind) == [.error] && told.status.tunnels.map(\.state) == [.connected])
            #expect(told.events.map(\.message) == ["the *** said so"])
        }
    }

    @Test func secretsAreTakenOutOfEveryText() async throws {
        let tunnel = TunnelSnapshot(
            name: "web", state: .gaveUp, server: "ws://user:word@s", tokenHint: "t...", wanted: 1)
        try await AdminWorld(.init(tunnels: [tunnel])).run { world in
            world.agent.tell("it said \"secret-of-the-tests\\\" and Bearer abc\"")
            let answer = try world.ask("GET", "/api/diag")
            #expect(answer.status == 200)
            let told = try JSONDecoder().decode(DiagnosticSnapshot.self, from: Data(answer.body))
            #expect(told.events.map(\.message) == ["it said \"***\\\" and Bearer ***\""])
            #expect(told.status.tunnels.map(\.server) == ["ws://***@s"])
            #expect(told.configuration == "version: 1\n" && told.plan.warnings == ["a warning"])
            #expect(told.process.openFiles == 3 && told.readiness.isReady)
        }
    }
}
