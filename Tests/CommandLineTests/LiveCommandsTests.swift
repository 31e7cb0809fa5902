import Foundation
import TestSupport
import Testing

/// The commands that print what happens while it happens: `logs`, `requests`, `events`; and `status` for monitors.
@Suite(.timeLimit(.minutes(1))) struct LiveCommandsTests {
    private static let token = "live-commands-token-1"
    private static let brokenToken = "broken-commands-token-1"

    private let agent: AgentProcess
    private let port: Int

    init() throws {
        port = try freePort()
        let text = pairConfiguration(
            port: port, origin: "builtin:echo", token: Self.token, tunnel: "connections: 1")
        agent = try AgentProcess(
            configuration: text + """

                  - { name: broken, tunnel: "ws://127.0.0.1:\(port)", server: "http://127.0.0.1:\(try freePort())", \
                token: \(Self.brokenToken), connections: 1 }
                  - { name: away, tunnel: "ws://127.0.0.1:\(try freePort())", server: "builtin:echo", \
                token: \(Self.token)-2 }
                """)
        for name in ["web", "broken"] { try agent.waitForSession(ofTunnel: name) }
    }

    private func start(_ command: String...) throws -> ChildProcess {
        try wstunnel(command + ["--config", agent.configurationPath])
    }

    /// Sends requests until each has been told of in an output: when a command begins to listen, nobody knows.
    private func request(_ paths: [(path: String, token: String, output: ChildOutput)]) throws {
        while let (path, token, _) = paths.first(where: { !$0.output.text.contains($0.path) }) {
            _ = try HTTPConnection(port: port).exchange(
                "GET", path + "?secret-query=1", fields: [("X-Token", token)])
        }
    }

    @Test func requestsArePrintedAsTheyEndUntilCtrlC() throws {
        let all = try start("requests", "--follow")
        let wrong = try start("requests", "--json", "--errors", "--server", "public", "--tunnel", "broken")
        try request([
            ("/first", Self.token, all.standardOutput), ("/wrong", Self.brokenToken, wrong.standardOutput),
        ])
        for process in [all, wrong] {
            process.send(signal: SIGINT)
            #expect(try process.waitForExit() == .signal(SIGINT))
            #expect(process.standardError.text.isEmpty)
            #expect(!process.standardOutput.text.contains("secret-query"))
            #expect(!process.standardOutput.text.contains(Self.token))
        }
        let line = try #require(all.standardOutput.lines.first { $0.contains("/first") })
        #expect(line.contains(" 200 GET /first  ") && line.contains(" ms") && line.contains("server public"))
        let objects = try wrong.standardOutput.lines.map { line in
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        }
        #expect(!objects.isEmpty && objects.allSatisfy { $0?["status"] as? Int == 502 })
        #expect(!wrong.standardOutput.text.contains("/first"))
        let none = try runProgram("requests", "--tunnel", "none", "--config", agent.configurationPath)
        #expect(none.exit == .code(69))
    }

    /// Also when there is nothing to print.
    @Test func whoseReaderHasGoneEndsQuietly() throws {
        for command in ["requests", "events --follow", "logs --follow"] {
            let shell = try ChildProcess(
                [
                    "bash", "-c",
                    "set -o pipefail; \"$0\" $1 --config \"$2\" | head -c 0; exit $?", try wstunnelPath(),
                    command,
                    agent.configurationPath,
                ], environment: try programEnvironment())
            #expect(try shell.waitForExit() == .code(0), "\(command)")
            #expect(shell.standardError.text.isEmpty, "\(command)")
        }
    }

    /// With a level that the agent's own log leaves out.
    @Test func theLogIsPrintedAsItIsWritten() throws {
        let away = try start("logs", "--follow", "--level", "debug", "--tunnel", "away")
        let server = try start("logs", "--follow", "--json", "--server", "public")
        try server.standardOutput.waitForLine(containing: #""server.name":"public""#)
        try away.standardOutput.waitForLine(containing: " WARNING  client: Cannot connect ")
        // Each further try is told at that level.
        try away.standardOutput.waitForLine(containing: " DEBUG    client: Cannot connect ")
        for process in [away, server] {
            process.send(signal: SIGINT)
            #expect(try process.waitForExit() == .signal(SIGINT))
        }
        #expect(away.standardOutput.lines.allSatisfy { $0.contains("tunnel.name=away") })
        #expect(!agent.log.contains { $0.contains("level=debug") })
        let latest = try runProgram("logs", "--json", "--config", agent.configurationPath)
        #expect(latest.exit == .code(0) && latest.output.contains(#""level":"warning""#))
        #expect(!latest.output.contains(#""level":"info""#))
    }

    @Test func aFollowerWaitsForAnAgentThatComesBack() throws {
        let logs = try start("logs", "--follow")
        // The warnings of before come first: it is connected.
        try logs.standardOutput.waitForLine(containing: "No token needs a password")
        _ = try agent.stop()
        try logs.standardError.waitForLine(containing: "waiting for it to come back")
        logs.send(signal: SIGINT)
        #expect(try logs.waitForExit() == .signal(SIGINT))
        let none = try runProgram("events", "--config", agent.configurationPath)
        #expect(none.exit == .code(1) && none.errors.contains("no agent runs by"))
    }

    @Test func aCheckHasTheExitCodesOfMonitors() throws {
        let config = agent.configurationPath
        let well = try runProgram("status", "--check", "--filter", "W*", "--config", config)
        #expect(well.exit == .code(0) && well.output.hasPrefix("up: 1 server"))
        let all = try runProgram("status", "--check", "--config", config)
        #expect(all.exit == .code(1) && all.output.hasPrefix("down: 1 server"))
        #expect(all.output.contains("1 problem: tunnel away connecting") && all.output.hasSuffix("\n"))
        let one = try runProgram("status", "--filter", "we*", "--config", config)
        #expect(one.exit == .code(0) && one.output.contains("\nweb") && !one.output.contains("broken"))
        #expect(try runProgram("status", "--down", "--config", config).exit == .code(69))
        #expect(try runProgram("status", "--check", "--filter", "none*", "--config", config).exit == .code(1))
        _ = try agent.stop()
        let away = try runProgram("status", "--check", "--config", config)
        #expect(away.exit == .code(2) && away.output.hasPrefix("unknown: no agent runs by"))
        let object = try runProgram("status", "--check", "--format", "json", "--config", config)
        #expect(object.exit == .code(2) && object.output.isEmpty)
        #expect(object.errors.hasPrefix("wstunnel: no agent runs by"))
        #expect(try runProgram("status", "--config", config).exit == .code(1))
    }
}
