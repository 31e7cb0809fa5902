import Foundation
import TestSupport
import Testing

/// The commands that ask a running agent: `status`, `plan`, `reload`.
@Suite(.timeLimit(.minutes(1))) struct AgentCommandsTests {
    private static let token = "agent-commands-token-1"
    private static let password = "agent-commands-password"
    private static let adminToken = "agent-commands-admin-token"

    private let agent: AgentProcess
    private let text: String

    init() throws {
        let port = try freePort()
        text = pairConfiguration(
            port: port, origin: "builtin:echo", token: Self.token,
            general: "admin: { listen: \"127.0.0.1:0\", token: \(Self.adminToken) }",
            server: "passwords: [{ token: \(Self.token), password: \(Self.password) }]",
            tunnel: "password: \(Self.password), connections: 1")
        agent = try AgentProcess(configuration: text)
        try agent.waitForSession(ofTunnel: "web")
    }

    /// Runs a command with the agent's configuration.
    private func ask(_ command: String, _ more: String...) throws -> ProgramResult {
        let program = try wstunnel([command, "--config", agent.configurationPath] + more)
        let exit = try program.waitForExit()
        let result = ProgramResult(
            exit: exit, output: program.standardOutput.text, errors: program.standardError.text)
        for secret in [Self.token, Self.password, Self.adminToken] {
            #expect(!(result.output + result.errors).contains(secret), "\(command) tells a secret")
        }
        return result
    }

    private func write(_ text: String) throws { try agent.folder.write(text, to: "tunnels.yaml") }

    @Test func statusIsATableOfWhatRuns() throws {
        let status = try ask("status")
        #expect(status.exit == .code(0) && status.errors.isEmpty)
        for text in [
            "process \(agent.process.processID)", "generation 1", "SERVER", "public", "TUNNEL", "1/1",
            "1 server with 1 connected token, 1 tunnel: all up", "CONNECTED TO", "127.0.0.1",
        ] {
            #expect(status.output.contains(text), "\(text)")
        }
    }

    @Test func withNothingToGoBackToARollbackIsToldSo() throws {
        for result in [try ask("rollback"), try ask("rollback", "--yes")] {
            #expect(result.exit == .code(1))
            #expect(result.errors.contains("nothing to go back to"), "\(result.errors)")
            #expect(!result.errors.contains("not understood"))
        }
        #expect(try ask("rollback", "--format", "json").output.contains(#""errors""#))
    }

    /// For monitors: what is down, in words and in the exit status.
    @Test func whatIsDownIsToldAndInTheExitStatus() throws {
        #expect(try ask("status", "--problems").exit == .code(0))
        #expect(try ask("status", "--tunnel", "web").exit == .code(0))
        let none = try ask("status", "--tunnel", "other")
        #expect(none.exit == .code(69) && none.errors == "wstunnel: no tunnel of that name is up here\n")
        #expect(none.output.isEmpty)
        let port = try freePort()
        try write(
            text + """

                  - { name: away, tunnel: "ws://127.0.0.1:\(port)", server: "builtin:echo", token: "\(Self.token)-2" }
                """)
        #expect(try ask("reload").exit == .code(0))
        try agent.waitForLog("Cannot connect", ["tunnel.name": "away"])
        let problems = try ask("status", "--problems")
        #expect(problems.exit == .code(69))
        #expect(problems.output.contains("tunnel away") && problems.output.contains("connection refused"))
        #expect(!problems.output.contains("SERVER"))
        let json = try ask("status", "--problems", "--format", "json")
        let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
        #expect((object?["tunnels"] as? [[String: Any]])?.map { $0["name"] as? String } == ["away"])
        #expect((object?["servers"] as? [Any])?.isEmpty == true)
        #expect(try ask("status").exit == .code(69))
        #expect(try ask("status", "--tunnel", "web").exit == .code(0))
    }

    @Test func statusForProgramsIsJSON() throws {
        let status = try ask("status", "--format", "json")
        #expect(status.exit == .code(0))
        let object = try JSONSerialization.jsonObject(with: Data(status.output.utf8)) as? [String: Any]
        #expect(object?["processID"] as? Int == Int(agent.process.processID))
        #expect((object?["tunnels"] as? [[String: Any]])?.first?["state"] as? String == "connected")
        let server = (object?["servers"] as? [[String: Any]])?.first
        let connected = (server?["connected"] as? [[String: Any]])?.first
        #expect(connected?["name"] as? String == "web" && connected?["sessions"] as? Int == 1)
        #expect((connected?["tokenTag"] as? String)?.count == 6)
        let plan = try ask("plan", "--format", "json")
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(plan.output.utf8)) }
    }

    @Test func watchingGoesOnUntilItIsInterrupted() throws {
        let watch = try wstunnel(["status", "--watch", "-c", agent.configurationPath])
        try watch.standardOutput.waitForLine(containing: "generation 1")
        let seen = watch.standardOutput.lines.count
        try watch.standardOutput.waitForLine(containing: "generation 1", from: seen)
        // No terminal: nothing is wiped.
        #expect(!watch.standardOutput.text.contains("\u{1b}"))
        watch.send(signal: SIGINT)
        #expect(try watch.waitForExit() == .signal(SIGINT))
        #expect(watch.standardError.text.isEmpty)
    }

    @Test func watchingEndsWithTheAgent() throws {
        let watch = try wstunnel(["status", "--watch", "-c", agent.configurationPath])
        try watch.standardOutput.waitForLine(containing: "generation 1")
        #expect(try agent.stop() == .code(0))
        #expect(try watch.waitForExit() == .code(1))
        #expect(watch.standardError.text.contains("no agent runs by \(agent.configurationPath)"))
    }

    @Test func aPlanSeesAPortThatAReloadWouldNotGet() throws {
        let other = try ScriptedOrigin { _ in }
        try write(
            text.replacing(
                "servers:\n", with: "servers:\n  - { name: more, host: 127.0.0.1, port: \(other.port) }\n"))
        let plan = try ask("plan")
        #expect(plan.exit == .code(78) && plan.output == "a reload would be refused\n")
        #expect(
            plan.errors.contains(
                "servers[more]: cannot listen on 127.0.0.1:\(other.port): the address is in use"))
        #expect(try ask("reload").errors == plan.errors)
        try write(text)
        #expect(try ask("plan").output == "no changes\n")
    }

    @Test func aReloadTellsWhatItDidAndItsExitCodeHowItEnded() throws {
        let unchanged = try ask("reload")
        #expect(unchanged.exit == .code(0) && unchanged.output == "no changes\n")

        try write(text.replacingOccurrences(of: "connections: 1", with: "connections: 2"))
        let plan = try ask("plan")
        #expect(plan.exit == .code(0))
        #expect(plan.output.contains("tunnel  web") && plan.output.contains("connections"))
        let applied = try ask("reload")
        #expect(applied.exit == .code(0))
        #expect(
            applied.output == plan.output.replacing(/plan g1-[0-9a-f]{32}\n/, with: "")
                + "in force: generation 2\n")
        #expect(try ask("plan").output == "no changes\n")

        try write(text + "\nnonsense: 1\n")
        let refusal = try ask("plan")
        #expect(refusal.exit == .code(78) && refusal.output == "a reload would be refused\n")
        let refused = try ask("reload")
        #expect(refused.exit == .code(78))
        #expect(refused.output == "not applied; still running generation 2\n")
        #expect(refused.errors == refusal.errors)
        for text in ["unknown key \"nonsense\"", "\(agent.configurationPath):"] {
            #expect(refused.errors.contains(text))
        }
        // A broken file still leads to the agent, and so does one that is gone.
        #expect(try ask("status").output.contains("refused"))
        try FileManager.default.removeItem(atPath: agent.configurationPath)
        #expect(try ask("status").exit == .code(0))
        #expect(try ask("reload").exit == .code(78))
    }

    @Test func aPlanAgainstAFileAsksNobody() throws {
        let folder = try TemporaryFolder()
        let old = try folder.write(text, to: "old.yaml")
        let new = try folder.write(
            text.replacingOccurrences(of: "connections: 1", with: "timeout: 20s"), to: "new.yaml")
        let same = try runProgram("plan", "--config", old, "--against", agent.configurationPath)
        #expect(same.exit == .code(0) && same.output == "no changes\n")
        let plan = try runProgram("plan", "--config", new, "--against", old)
        #expect(plan.exit == .code(0))
        #expect(plan.output.contains("tunnel  web") && plan.output.contains("timeout"))
        let broken = try folder.write("nonsense: 1\n", to: "broken.yaml")
        for files in [[broken, old], [old, broken], [folder.path(of: "none.yaml"), old]] {
            let refused = try runProgram("plan", "--config", files[0], "--against", files[1])
            #expect(refused.exit == .code(78), "\(files)")
            #expect(!refused.errors.isEmpty, "\(files)")
        }
    }

    @Test func theAgentIsFoundByEveryWayToItsFile() throws {
        let path = agent.configurationPath
        let folder = try TemporaryFolder()
        let link = folder.path(of: "link")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: agent.folder.path)
        for (config, from) in [
            ("tunnels.yaml", agent.folder.path), ("./x/../tunnels.yaml", agent.folder.path),
            ("tunnels.yaml", link), ("\(link)/tunnels.yaml", "/"), ("./link/tunnels.yaml", folder.path),
            (String(path.dropFirst()), "/"),
        ] {
            let program = try ChildProcess(
                [
                    "sh", "-c", "cd \"$1\" && exec \"$0\" status --config \"$2\"", wstunnelPath(), from,
                    config,
                ],
                environment: programEnvironment())
            #expect(try program.waitForExit() == .code(0), "\(config) from \(from)")
        }
    }

    @Test func aSocketThatIsNamedIsAsked() throws {
        let path = agent.folder.path(of: "own.sock")
        try write("control-socket: own.sock\n" + text)
        #expect(try ask("reload").exit == .code(0))
        #expect(try runProgram("status", "--socket", path).exit == .code(0))
        #expect(try ask("status").exit == .code(0))
        // Back to where it was; the command asks where the file says that it is, before and after.
        try write(text)
        #expect(try runProgram("reload", "--socket", path).exit == .code(0))
        #expect(!FileManager.default.fileExists(atPath: path))
        #expect(!FileManager.default.fileExists(atPath: path + ".lock"))
        #expect(try ask("status").exit == .code(0))
        let gone = try runProgram("status", "--socket", path)
        #expect(gone.exit == .code(1) && gone.errors == "wstunnel: no agent listens at \(path)\n")
    }

    @Test func aStuckAgentIsToldOf() throws {
        agent.process.send(signal: SIGSTOP)
        defer { agent.process.send(signal: SIGCONT) }
        let status = try ask("status")
        #expect(status.exit == .code(1))
        #expect(status.errors.contains("does not answer"))
    }
}

/// The same commands where no agent runs.
@Suite(.timeLimit(.minutes(1))) struct AgentlessCommandsTests {
    @Test(arguments: ["status", "plan", "reload"]) func nobodyRunsByTheFile(command: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(serverAlone, to: "tunnels.yaml")
        let result = try runProgram(command, "--config", path)
        #expect(result.exit == .code(1) && result.output.isEmpty)
        for text in ["no agent runs by \(path)\n", "wstunnel --config \(path)", "--socket"] {
            #expect(result.errors.contains(text), "\(text)")
        }
        let missing = try runProgram(command, "--config", folder.path(of: "none.yaml"))
        #expect(missing.exit == .code(1) && missing.errors.contains("and there is no such file"))
    }

    @Test(arguments: [
        ["status"], ["plan"], ["reload"], ["show"], ["status", "--socket", ""], ["reload", "--config", ""],
        ["status", "--config", "a", "--format", "xml"], ["plan", "--against", "a", "--socket", "b"],
        ["reload", "--config", "a", "surplus"], ["status", "--config", "a", "--whatever"],
        ["schema", "surplus"],
    ])
    func wrongArgumentsEndWithTheUsage(arguments: [String]) throws {
        let program = try wstunnel(arguments)
        #expect(try program.waitForExit() == .code(64))
        #expect(program.standardError.text.contains("Usage: wstunnel \(arguments[0])"))
    }

    @Test func showHidesSecretsAndLoadsAgain() throws {
        let folder = try TemporaryFolder()
        let secrets = ["show-test-token-0123", "show-test-password", "show-test-admin-0123", "proxy-secret"]
        let path = try folder.write(
            """
            admin: { listen: "127.0.0.1:9400", token: \(secrets[2]) }
            servers:
              - { name: public, port: 8080, passwords: [{ token: \(secrets[0]), password: \(secrets[1]) }] }
            tunnels:
              - name: web
                tunnel: ws://localhost:8080
                server: builtin:echo
                token: \(secrets[0])
                password: \(secrets[1])
                proxy: http://user:\(secrets[3])@localhost:3128
            """, to: "tunnels.yaml")
        let shown = try runProgram("show", "--config", path)
        #expect(shown.exit == .code(0))
        for secret in secrets { #expect(!(shown.output + shown.errors).contains(secret)) }
        // With secrets in the place of the stars it says the same.
        var number = 0
        let lines = shown.output.split(separator: "\n").map { line in
            number += 1
            return line.replacingOccurrences(of: "***", with: "another-secret-\(number)-0123")
        }
        let copy = try folder.write(lines.joined(separator: "\n") + "\n", to: "copy.yaml")
        let check = try runProgram("check", "--config", copy)
        #expect(check.exit == .code(0), "\(check.errors)\n\(shown.output)")
        #expect(try runProgram("show", "--config", copy).output == shown.output)
    }

    @Test func showTellsWhatCountsWhereNothingIsSaid() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            """
            tunnels:
              - { name: a, tunnel: "ws://h", server: "builtin:echo", token: show-test-token-0123 }
              - { name: b, tunnel: "ws://h", server: "builtin:echo", token: show-test-token-0123, protocol: v1 }
            """, to: "tunnels.yaml")
        let shown = try runProgram("show", "--config", path).output
        let cores = ProcessInfo.processInfo.activeProcessorCount
        #expect(shown.contains("connections: \(min(4, cores))\n"), "\(shown)")
        #expect(shown.contains("connections: 1\n    protocol: v1\n"))
        let socket = try #require(shown.firstMatch(of: /control-socket: "(.+)"/)?.1)
        let missing = try runProgram("status", "--config", path).errors
        #expect(missing.contains("It would listen at \(socket)."), "\(missing)")
    }

    @Test func theSchemaIsTheOneInTheRepository() throws {
        let file = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("config/tunnels.schema.json")
        let schema = try runProgram("schema")
        #expect(schema.exit == .code(0))
        #expect(try schema.output == String(contentsOf: file, encoding: .utf8))
    }
}
