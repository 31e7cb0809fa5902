import Foundation
import TestSupport
import Testing

/// The control socket in the life of an agent.
@Suite(.timeLimit(.minutes(1))) struct ControlSocketTests {
    private static func sockets(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    }

    private static func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test func itIsItsOwnersAloneAndGoesWithTheAgent() throws {
        let folder = try TemporaryFolder()
        let agent = try AgentProcess(
            configuration: serverAlone, environment: ["RUNTIME_DIRECTORY": folder.path])
        let names = try Self.sockets(folder.path)
        #expect(names.count == 2 && names.allSatisfy { $0.hasPrefix("tunnels-") })
        for name in names { #expect(try Self.mode(folder.path(of: name)) == 0o600) }
        #expect(try agent.stop() == .code(0))
        #expect(try Self.sockets(folder.path) == [])
    }

    @Test func whatAKilledAgentLeftIsReplaced() throws {
        let agent = try AgentProcess(configuration: "control-socket: agent.sock\n" + serverAlone)
        agent.process.kill()
        #expect(FileManager.default.fileExists(atPath: agent.folder.path(of: "agent.sock")))
        let refused = try runProgram("status", "--config", agent.configurationPath)
        #expect(refused.exit == .code(1) && refused.errors.contains("no agent runs by"))
        let next = try wstunnel(["--config", agent.configurationPath])
        try next.standardError.waitForLine(containing: "Agent running")
        #expect(try runProgram("status", "--config", agent.configurationPath).exit == .code(0))
        next.send(signal: SIGTERM)
        #expect(try next.waitForExit() == .code(0))
        #expect(try Self.sockets(agent.folder.path) == ["tunnels.yaml"])
    }

    @Test func aSecondAgentByTheSameFileIsRefusedAndTheFirstUntouched() throws {
        let agent = try AgentProcess(configuration: serverAlone)
        let second = try runProgram("--config", agent.configurationPath)
        #expect(second.exit == .code(1))
        for text in [
            "another wstunnel runs by this configuration file (process \(agent.process.processID))",
            "wstunnel reload", "--takeover",
        ] { #expect(second.errors.contains(text), "\(text)") }
        #expect(try runProgram("status", "--config", agent.configurationPath).exit == .code(0))
        #expect(try agent.stop() == .code(0))
    }

    @Test func withoutARuntimeFolderTheAgentRuns() throws {
        let agent = try AgentProcess(
            configuration: serverAlone, environment: ["RUNTIME_DIRECTORY": "/proc/none"])
        try agent.waitForLog("Configuration warning")
        #expect(agent.log.contains { $0.contains("control-socket: /proc/none: cannot make the folder") })
        #expect(try agent.stop() == .code(0))
    }

    @Test func oneThatIsAskedForAndCannotBeMadeIsRefused() throws {
        let result = try runProgram(withConfiguration: "control-socket: tunnels.yaml\n" + serverAlone)
        #expect(result.exit == .code(1))
        #expect(result.errors.contains("tunnels.yaml is there and is no socket"))
    }

    @Test func aReloadMovesIt() throws {
        let agent = try AgentProcess(configuration: "control-socket: one.sock\n" + serverAlone)
        let files = { try Self.sockets(agent.folder.path).filter { $0.hasSuffix(".sock") } }
        for (name, exit) in [("two.sock", Int32(0)), ("none/three.sock", 78), ("four.sock", 0)] {
            let before = try files()
            try agent.folder.write("control-socket: \(name)\n" + serverAlone, to: "tunnels.yaml")
            let reload = try runProgram("reload", "--socket", agent.folder.path(of: before[0]))
            #expect(reload.exit == .code(exit), "\(name): \(reload.errors)")
            #expect(try files() == (exit == 0 ? [name] : before))
        }
        #expect(try runProgram("status", "--config", agent.configurationPath).exit == .code(0))
    }

    /// As `wstunnel show` prints it.
    @Test func itMayBeNamedByTheVeryPathThatItHasByItself() throws {
        let folder = try TemporaryFolder()
        let agent = try AgentProcess(
            configuration: serverAlone, environment: ["RUNTIME_DIRECTORY": folder.path])
        let path = folder.path(of: try #require(try Self.sockets(folder.path).first))
        try agent.folder.write("control-socket: \(path)\n" + serverAlone, to: "tunnels.yaml")
        for _ in 0..<2 {
            let reload = try runProgram("reload", "--socket", path)
            #expect(reload.exit == .code(0), "\(reload.errors)")
        }
        try agent.folder.write(serverAlone, to: "tunnels.yaml")
        #expect(try runProgram("reload", "--socket", path).exit == .code(0))
        #expect(try runProgram("status", "--socket", path).exit == .code(0))
    }
}
