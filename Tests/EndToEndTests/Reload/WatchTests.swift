import Foundation
import TestSupport
import Testing

/// `watch: true`: changes of files are applied by themselves.
@Suite(.timeLimit(.minutes(1))) struct WatchTests {
    private static func text(_ timeout: Int, isWatching: Bool = true, more: String = "") -> String {
        """
        watch: \(isWatching)
        \(more)
        servers:
          - { name: public, host: 127.0.0.1, port: 0, wstimeout: \(timeout)s }

        """
    }

    /// Does something to files and waits for what comes of it.
    private static func outcome(
        _ world: ReloadedAgent, after change: () throws -> Void
    ) throws -> ReloadedAgent.Outcome {
        let start = world.agent.log.count
        try change()
        return try world.outcome(from: start)
    }

    private static func writeInPlace(_ text: String, _ path: String) throws {
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        fputs(text, file)
    }

    @Test func everyWayToChangeAFileIsNoticed() throws {
        let world = try ReloadedAgent(Self.text(10))
        let path = world.agent.configurationPath
        #expect(try Self.outcome(world) { try world.write(Self.text(11)) } == .applied)
        #expect(try Self.outcome(world) { try Self.writeInPlace(Self.text(12), path) } == .applied)
        // A new watch stands on what was renamed over it.
        #expect(try Self.outcome(world) { try world.write(Self.text(13)) } == .applied)
        #expect(try Self.outcome(world) { try world.write(Self.text(14) + "nonsense: 1\n") } == .refused)
        #expect(try Self.outcome(world) { try world.write(Self.text(14)) } == .applied)
        #expect(try Self.outcome(world) { try FileManager.default.removeItem(atPath: path) } == .refused)
        #expect(try Self.outcome(world) { try Self.writeInPlace(Self.text(15), path) } == .applied)
        let status = try world.status()
        #expect(status.generation == 6 && status.lastReload?.trigger == "watch")
    }

    /// Who logs errors alone, and read that a change was refused, reads that it is over: also when the file says again
    /// what runs.
    @Test func aRecoveryIsToldAtTheLevelOfTheRefusal() throws {
        let world = try ReloadedAgent(Self.text(10))
        let log = world.agent.process.standardError
        for text in [Self.text(10), Self.text(11)] {
            let start = world.agent.log.count
            try world.write(Self.text(10) + "nonsense: 1\n")
            try log.waitForLine(containing: "Configuration not applied", "level=error", from: start)
            try world.write(text)
            try log.waitForLine(
                containing: "The configuration is good again", "level=error", "reload.trigger=watch",
                from: start)
        }
    }

    @Test func aBurstOfWritesIsFewReloads() throws {
        let world = try ReloadedAgent(Self.text(10))
        for timeout in 11...60 { try Self.writeInPlace(Self.text(timeout), world.agent.configurationPath) }
        try world.write(Self.text(61))
        #expect(try world.outcome(from: 0) == .applied)
        // What was written last is in force, at the latest now.
        _ = try world.hangUp()
        #expect(try world.hangUp() == .unchanged)
        let reloads = world.agent.log.filter { $0.contains("reload.trigger=watch") }.count
        #expect((1...5).contains(reloads))
    }

    @Test func aSwappedLinkIsNoticedAsKubernetesDoesIt() throws {
        let folder = try TemporaryFolder()
        let manager = FileManager.default
        try folder.write(Self.text(10), to: "..one/tunnels.yaml")
        try folder.write(Self.text(11), to: "..two/tunnels.yaml")
        try manager.createSymbolicLink(atPath: folder.path(of: "..data"), withDestinationPath: "..one")
        try manager.createSymbolicLink(
            atPath: folder.path(of: "tunnels.yaml"), withDestinationPath: "..data/tunnels.yaml")
        let agent = try wstunnel(["--config", folder.path(of: "tunnels.yaml")])
        try agent.standardError.waitForLine(containing: "Agent running")
        for (target, generation) in [("..two", 2), ("..one", 3)] {
            let start = agent.standardError.lines.count
            try manager.createSymbolicLink(atPath: folder.path(of: "..new"), withDestinationPath: target)
            #expect(rename(folder.path(of: "..new"), folder.path(of: "..data")) == 0)
            try agent.standardError.waitForLine(
                containing: "Configuration applied", "config.generation=\(generation)", from: start)
        }
        agent.send(signal: SIGTERM)
        #expect(try agent.waitForExit() == .code(0))
    }

    @Test func aPasswordThatRotatesReplacesItsTunnel() throws {
        let port = try freePort()
        let (token, passwords) = ("watch-test-token-0123", ["first-password", "second-password"])
        let world = try ReloadedAgent(
            """
            watch: true
            servers:
              - name: public
                host: 127.0.0.1
                port: \(port)
                passwords: [{ token: \(token), passwords: [\(passwords[0]), \(passwords[1])] }]
            tunnels:
              - name: web
                tunnel: ws://127.0.0.1:\(port)
                server: builtin:echo
                token: \(token)
                password-file: secrets/password
                connections: 1
            """, files: ["secrets/password": passwords[0] + "\n"])
        try world.agent.waitForSession(ofTunnel: "web")
        let before = try world.status().connections(of: "web")
        let start = world.agent.log.count
        try world.folder.write(passwords[1] + "\n", to: "secrets/password")
        #expect(try world.outcome(from: start) == .applied)
        #expect(world.agent.log[start...].contains { $0.contains("replace tunnel web") })
        try world.waitForStatus("a new connection") { report in
            let now = report.connections(of: "web")
            return now.count == 1 && now.isDisjoint(with: before)
        }
        #expect(!world.agent.log.joined().contains(passwords[1]))
    }

    /// An editor that was interrupted must not open every token.
    @Test func aPasswordsFileThatIsEmptiedChangesNothing() throws {
        let world = try ReloadedAgent(
            """
            watch: true
            servers:
              - { name: public, host: 127.0.0.1, port: 0, passwords-file: passwords.txt }
            """, files: ["passwords.txt": "watch-test-token-0123:first-password\n"])
        let path = world.folder.path(of: "passwords.txt")
        for content in ["", "# nobody\n"] {
            #expect(try Self.outcome(world) { try Self.writeInPlace(content, path) } == .refused)
        }
        #expect(world.agent.log.contains { $0.contains("holds no token:password") })
        let stranger = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(try world.agent.port(ofServer: "public"))", to: "builtin:echo",
                token: "watch-test-token-0123", options: ["connections: 1"]))
        try stranger.waitForLog("Cannot connect", ["error.code": "rejected"])
        let good = "watch-test-token-0123:second-password\n"
        #expect(try Self.outcome(world) { try Self.writeInPlace(good, path) } == .applied)
    }

    @Test func aNewFileInAnIncludedFolderIsNoticed() throws {
        let world = try ReloadedAgent(
            Self.text(10, more: "include: conf.d/*.yaml"), files: ["conf.d/readme.txt": "nothing"])
        let more = "servers: [{ name: second, host: 127.0.0.1, port: 0 }]\n"
        #expect(try Self.outcome(world) { try world.folder.write(more, to: "conf.d/more.yaml") } == .applied)
        #expect(try world.status().servers.map(\.name) == ["public", "second"])
        #expect(
            try Self.outcome(world) {
                try FileManager.default.removeItem(atPath: world.folder.path(of: "conf.d/more.yaml"))
            } == .applied)
        try world.waitForStatus("one server") { $0.servers.map(\.name) == ["public"] }
    }

    @Test func watchingIsSwitchedOnAndOffByReloads() throws {
        let world = try ReloadedAgent(Self.text(10, isWatching: false))
        let start = world.agent.log.count
        try world.write(Self.text(11))
        // Nobody watches yet, and whoever watches would need half a second: this one is the signal's.
        #expect(try world.hangUp() == .applied)
        #expect(!world.agent.log[start...].contains { $0.contains("reload.trigger=watch") })
        #expect(try Self.outcome(world) { try world.write(Self.text(12)) } == .applied)
        #expect(try world.status().lastReload?.trigger == "watch")
        #expect(try Self.outcome(world) { try world.write(Self.text(13, isWatching: false)) } == .applied)
        let end = world.agent.log.count
        try world.write(Self.text(14, isWatching: false))
        // More than the watcher waits for quiet.
        usleep(900_000)
        #expect(!world.agent.log[end...].contains { $0.contains("Reload") })
    }
}
