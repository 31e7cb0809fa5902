import Foundation
import TestSupport
import Testing

/// `examples/server` and `examples/client`, with the changes that their heads ask for.
@Suite struct StarterFileTests {
    private static func text(_ name: String, _ changes: [String: String]) throws -> String {
        let file = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("examples/\(name)/tunnels.yaml")
        return try changes.reduce(String(contentsOf: file, encoding: .utf8)) { text, change in
            #expect(text.contains(change.key))
            return text.replacingOccurrences(of: change.key, with: change.value)
        }
    }

    @Test(.timeLimit(.minutes(1))) func theTwoOfThemMakeATunnel() throws {
        let origin = try ScriptedOrigin.echo()
        let port = try freePort()
        let secrets = ["web.token": "starter-test-token-1", "web.password": "starter-test-password"]
        let server = try AgentProcess(
            configuration: Self.text("server", ["port: 8080": "port: \(port)"]), files: secrets)
        let client = try AgentProcess(
            configuration: Self.text(
                "client",
                ["ws://localhost:8080": "ws://127.0.0.1:\(port)", "http://localhost:3000": origin.url]),
            files: secrets)
        try client.waitForSession(ofTunnel: "web", at: server)
        let answer = try curl("http://127.0.0.1:\(port)/_token/starter-test-token-1/hello")
        #expect(answer.status == 200)
        let status = try runProgram("status", "--config", server.configurationPath)
        #expect(status.exit == .code(0) && status.output.contains("1 server with 1 connected token: all up"))
        #expect(try client.stop() == .code(0))
        #expect(try server.stop() == .code(0))
    }
}
