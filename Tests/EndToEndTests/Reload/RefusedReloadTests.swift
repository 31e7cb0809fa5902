import Foundation
import TestSupport
import Testing

/// Files that cannot be applied: what ran before runs on, and everybody is told what is wrong.
@Suite struct RefusedReloadTests {
    private static let token = "refused-test-token-1"

    /// An agent whose connections must stay whatever its file says.
    private struct World {
        let origin: HoldingOrigin
        let port: Int
        let good: String
        let agent: ReloadedAgent
        let connections: Set<UInt64>

        init() throws {
            origin = try HoldingOrigin("origin")
            port = try freePort()
            good = """
                version: 1
                servers: [{ name: public, host: 127.0.0.1, port: \(port) }]
                tunnels:
                  - { name: web, tunnel: "ws://127.0.0.1:\(port)", server: "\(origin.url)", token: \(token), connections: 2 }

                """
            agent = try ReloadedAgent(good)
            connections = try agent.waitForTunnel()
        }

        /// Has the file applied, which must be refused.
        ///
        /// - Returns: the errors that the status tells.
        @discardableResult
        func refused(_ what: String) throws -> [String] {
            let start = agent.agent.log.count
            #expect(try agent.hangUp() == .refused, "\(what)")
            let report = try agent.status()
            let reload = try #require(report.lastReload)
            #expect(reload.outcome == "refused" && reload.trigger == "SIGHUP", "\(what)")
            #expect(reload.generation == 1 && !reload.errors.isEmpty, "\(what)")
            #expect(report.phase == "running", "\(what)")
            // The log tells the same errors.
            let logged = agent.agent.log[start...].compactMap { text -> String? in
                guard let line = try? LogfmtLine(text), line["level"] == "error" else { return nil }
                return line["error.message"]
            }
            #expect(logged == reload.errors, "\(what)")
            try expectAsBefore(what)
            return reload.errors
        }

        func expectAsBefore(_ what: String) throws {
            #expect(try agent.status().connections(of: "web") == connections, "\(what)")
            #expect(try HTTPConnection.ask(port: port, token: token) == "origin", "\(what)")
        }

        /// All is well with it afterwards.
        func end() throws {
            try agent.write(good)
            #expect(try agent.hangUp() == .unchanged)
            #expect(try agent.applied(good + "shutdown-grace: 7s\n") == ["update agent: shutdown-grace"])
            try expectAsBefore("a good file")
            #expect(try agent.agent.stop() == .code(0))
        }
    }

    /// Each of its more than a hundred reloads has a limit of its own.
    @Test(.timeLimit(.minutes(15))) func everyFixtureThatIsBadIsRefusedWithItsPlaces() throws {
        let world = try World()
        let held = try world.origin.hold(port: world.port, token: Self.token)
        let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("TunnelConfigurationTests/Fixtures")
        let target = world.agent.folder.path
        let names = try FileManager.default.contentsOfDirectory(atPath: fixtures.path).sorted()
        // What they include and refer to lies beside them.
        for name in names where !name.hasSuffix(".expected") {
            try FileManager.default.copyItem(
                atPath: fixtures.appendingPathComponent(name).path, toPath: target + "/" + name)
        }
        let bad = names.filter { $0.hasSuffix(".bad.yaml") }
        #expect(bad.count > 80)
        for name in bad {
            let copy = target + "/tunnels.yaml.new"
            try FileManager.default.copyItem(atPath: target + "/" + name, toPath: copy)
            guard rename(copy, world.agent.agent.configurationPath) == 0 else { throw TestFailure(name) }
            // Each with the file, line and column.
            let place = #/\.yaml:\d+:\d+: /#
            for error in try world.refused(name) {
                #expect(error.firstMatch(of: place) != nil, "\(name): \(error)")
            }
        }
        #expect(try held.finish() == "origin")
        try world.end()
    }

    @Test(.timeLimit(.minutes(1))) func aFileThatIsThereInPartIsRefusedOrIsAGoodShorterOne() throws {
        let port = try freePort()
        let text = """
            version: 1
            log: { level: info }
            shutdown-grace: 9s
            servers:
              - { name: public, host: 127.0.0.1, port: \(port) }
            tunnels:
              - name: web
                tunnel: "ws://127.0.0.1:\(port)"
                server: "builtin:echo"
                token: \(Self.token)
                connections: 2

            """
        let world = try ReloadedAgent(text)
        let bytes = Array(text.utf8)
        var refused = 0
        for length in stride(from: 0, to: bytes.count, by: 9) {
            try world.folder.write(Array(bytes[..<length]), to: "tunnels.yaml")
            let generation = try world.status().generation
            if try world.hangUp() == .refused {
                refused += 1
                #expect(try world.status().generation == generation)
            } else {
                // It says something, and that is what runs.
                let check = try wstunnel(["check", "--config", world.agent.configurationPath])
                #expect(try check.waitForExit() == .code(0), "\(length) bytes")
            }
        }
        #expect(refused > 20)
        #expect(try world.apply(text) != .refused)
        try world.waitForTunnel()
        #expect(try HTTPConnection.ask(port: port, token: Self.token).isEmpty == false)
        #expect(try world.agent.stop() == .code(0))
    }

    @Test(.timeLimit(.minutes(1))) func whatCannotBeReadOrHadIsRefused() throws {
        let world = try World()
        let path = world.agent.agent.configurationPath
        func expect(_ what: String, says words: String, _ text: String) throws {
            try world.agent.write(text)
            let errors = try world.refused(what)
            #expect(errors.contains { $0.contains(words) }, "\(what): \(errors)")
        }
        func tunnel(_ options: String) -> String {
            world.good
                + "  - { name: more, tunnel: \"ws://127.0.0.1:1\", server: \"builtin:echo\", \(options) }\n"
        }
        try FileManager.default.removeItem(atPath: path)
        #expect(try world.refused("a vanished file")[0].contains("tunnels.yaml"))
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(try world.refused("a folder")[0].contains("tunnels.yaml"))
        try FileManager.default.removeItem(atPath: path)
        try expect("ten mebibytes", says: "MiB", world.good + String(repeating: "# ten\n", count: 1_800_000))
        try expect("a missing secret", says: "tunnels[more].token-file", tunnel("token-file: nowhere"))
        try expect("a folder as secret", says: "tunnels[more].token-file", tunnel("token-file: ."))
        try expect(
            "a missing certificate", says: "tunnels[more].certfile",
            tunnel("token: another-token-0123, certfile: nowhere.pem"))
        try world.agent.folder.write(
            "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n", to: "garbage.pem")
        try expect(
            "a garbled certificate", says: "tunnels[more]",
            tunnel("token: another-token-0123, certfile: garbage.pem"))
        try expect("a command that fails", says: "token-command", tunnel("token-command: [\"false\"]"))
        // Two taken ports: both are told, and the third one, which was free, is free again.
        let (one, other, free) = (try ScriptedOrigin { _ in }, try ScriptedOrigin { _ in }, try freePort())
        let servers = [one.port, free, other.port].map { "{ name: s\($0), host: 127.0.0.1, port: \($0) }" }
        try world.agent.write(
            world.good.replacingOccurrences(
                of: "servers: [", with: "servers: [\(servers.joined(separator: ", ")), "))
        let errors = try world.refused("taken ports")
        #expect(errors.count == 2 && errors.allSatisfy { $0.contains("the address is in use") }, "\(errors)")
        #expect(throws: TestFailure.self) { try StreamSocket(port: free) }
        try expect(
            "a log file that cannot be opened", says: "log", world.good + "log: { file: /proc/none/x }\n")
        try expect("a pidfile that cannot be written", says: "pidfile", world.good + "pidfile: /proc/none\n")
        try expect(
            "a control socket that cannot be made", says: "control-socket",
            world.good + "control-socket: /proc/none\n")
        try expect(
            "an admin port that is taken", says: "admin.listen",
            world.good + "admin: { listen: \"127.0.0.1:\(one.port)\", token: admin-token-0123456 }\n")
        try world.end()
    }

    @Test(.timeLimit(.minutes(1))) func aSecretCommandThatHangsHoldsUpNothingAndEndsTheReloadAtItsLimit()
        throws
    {
        let world = try World()
        let hanging =
            world.good
            + "  - { name: more, tunnel: \"ws://127.0.0.1:1\", server: \"builtin:echo\", token-command: [sleep, \"1000\"] }\n"
        try world.agent.write(hanging)
        let start = world.agent.agent.log.count
        world.agent.agent.process.send(signal: SIGHUP)
        try world.agent.waitForStatus("the reload is under way") { $0.phase == "reloading" }
        let load = SteadyLoad(port: world.port, token: Self.token)
        try world.expectAsBefore("while the command hangs")
        #expect(try world.agent.outcome(from: start) == .refused)
        let errors = try #require(try world.agent.status().lastReload).errors
        #expect(errors.count == 1 && errors[0].contains("tunnels[more].token-command"), "\(errors)")
        let (faults, _) = try load.stop()
        #expect(faults.isEmpty)
        try world.expectAsBefore("afterwards")
        // Again, and the end is asked for meanwhile: nobody waits for the command.
        world.agent.agent.process.send(signal: SIGHUP)
        try world.agent.waitForStatus("the reload is under way") { $0.phase == "reloading" }
        let asked = ContinuousClock.now
        #expect(try world.agent.agent.stop() == .code(0))
        // The command has 10 s.
        #expect(ContinuousClock.now - asked < .seconds(8))
    }

    /// `wstunnel plan` has the words of a reload, before there is one.
    @Test func aPlanSaysWhatAReloadWouldRefuse() throws {
        let text = "servers: [{ name: public, host: 127.0.0.1, port: \(try freePort()) }]\n"
        let world = try ReloadedAgent(text, files: ["usage": "a text"])
        func plan() throws -> (exit: ChildProcess.Exit, text: String) {
            let program = try wstunnel(["plan", "--config", world.agent.configurationPath])
            let exit = try program.waitForExit()
            return (exit, program.standardOutput.text + program.standardError.text)
        }
        try world.write(text + "usage-file: usage\n")
        let fault = "usage-file: \(world.folder.path(of: "usage")) holds"
        let refused = try plan()
        #expect(refused.exit != .code(0) && refused.text.contains(fault), "\(refused)")
        #expect(try world.hangUp() == .refused)
        #expect(try world.status().lastReload?.errors.contains { $0.hasPrefix(fault) } == true)
        // What a history lacks is no reason to refuse; it is told.
        let history = world.folder.path(of: "a-folder")
        try FileManager.default.createDirectory(atPath: history, withIntermediateDirectories: false)
        try world.write(text + "history: { file: \(history) }\n")
        let warned = try plan()
        #expect(warned.exit == .code(0) && warned.text.contains("\(history) holds"), "\(warned)")
        #expect(try world.hangUp() == .applied)
        try world.agent.waitForLog("Configuration warning")
        try world.agent.waitForLog("Cannot write the history: the latest is kept in memory")
    }
}
