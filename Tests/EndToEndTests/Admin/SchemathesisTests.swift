import Foundation
import TestSupport
import Testing

/// schemathesis (PyPI) asks an agent whatever its OpenAPI document allows, and what it does not.
@Suite(.timeLimit(.minutes(5)), .enabled(if: PythonProgram.has("st"), "\(PythonProgram.missing)"))
struct SchemathesisTests {
    private static let token = "schemathesis-token-0123456789"

    @Test func itFindsNothing() throws {
        let (admin, port) = (try freePort(), try freePort())
        let agent = try AgentProcess(
            configuration: """
                admin: { listen: "127.0.0.1:\(admin)", token: \(Self.token) }
                servers: [{ name: public, host: 127.0.0.1, port: \(port) }]
                tunnels:
                  - { name: web, tunnel: "ws://127.0.0.1:\(port)", server: "builtin:echo", token: \(TunnelPair.token) }

                """)
        try agent.waitForSessions(1)
        let base = "http://127.0.0.1:\(admin)"
        let authorization = "Authorization: Bearer \(Self.token)"
        let document = try curl("-H", authorization, "\(base)/api/openapi.json")
        #expect(document.status == 200)
        let file = try agent.folder.write(document.text, to: "openapi.json")
        // An answer without an end is not for it.
        let endless = try Self.endlessPaths(in: document.standardOutput)
        // Always the same cases, unless there is time to look for others.
        let isSlow = ProcessInfo.processInfo.environment["WSTUNNEL_SLOW_TESTS"] == "1"
        let program = try PythonProgram.run(
            "st",
            [
                "run", file, "--url", base, "--header", authorization, "--checks", "all", "--max-examples",
                "25", "--no-color",
            ] + (isSlow ? [] : ["--seed", "7"]) + endless.flatMap { ["--exclude-path", $0] }, in: agent.folder
        )
        let exit = try program.waitForExit(within: .seconds(240))
        #expect(exit == .code(0), "\(program.standardOutput.text.suffix(8000))")
        #expect(try agent.stop() == .code(0))
    }

    private static func endlessPaths(in document: [UInt8]) throws -> [String] {
        let root = try JSONSerialization.jsonObject(with: Data(document)) as? [String: Any]
        let paths = try #require(root?["paths"] as? [String: [String: [String: Any]]])
        return paths.filter { _, operations in
            operations.values.contains { operation in
                let responses = operation["responses"] as? [String: [String: Any]]
                let content = responses?["200"]?["content"] as? [String: Any]
                return content?["text/event-stream"] != nil
            }
        }.keys.sorted()
    }
}
