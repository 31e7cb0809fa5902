import Foundation
import TestSupport
import Testing

/// SIGHUP and SIGTERM, often and at bad moments.
@Suite(.timeLimit(.minutes(1))) struct ReloadSignalTests {
    private static let token = "signal-test-token-01"

    private static func configuration(port: Int, _ origin: String) -> String {
        """
        version: 1
        shutdown-grace: 20s
        servers: [{ name: public, host: 127.0.0.1, port: \(port) }]
        tunnels:
          - { name: web, tunnel: "ws://127.0.0.1:\(port)", server: "\(origin)", token: \(token), connections: 2 }

        """
    }

    @Test func aThousandHangupsInARowChangeNothing() throws {
        let origin = try SteadyLoad.origin()
        let port = try freePort()
        let world = try ReloadedAgent(Self.configuration(port: port, origin.url))
        let connections = try world.waitForTunnel()
        #expect(try world.hangUp() == .unchanged)
        let process = world.agent.process
        let files = try process.openFileCount()
        let load = SteadyLoad(port: port, token: Self.token)
        for _ in 0..<1000 { process.send(signal: SIGHUP) }
        let (faults, _) = try load.stop()
        #expect(faults.isEmpty)
        // They are all obeyed: one more is the last.
        #expect(try world.hangUp() == .unchanged)
        let report = try world.waitForStatus("rest") { $0.phase == "running" }
        #expect(report.generation == 1 && report.connections(of: "web") == connections)
        #expect(!world.agent.log.contains { $0.contains("level=error") })
        #expect(try process.processorShare(over: 1) < 0.2)
        // The origin keeps some connections of the load.
        #expect(try process.openFileCount() <= files + 8)
        #expect(try world.agent.stop() == .code(0))
    }

    @Test func hangupsDuringTheStartAreObeyedAfterIt() throws {
        let folder = try TemporaryFolder()
        // The command tells that it runs, and ends when it is let.
        try folder.write(
            """
            #!/bin/sh
            : >"$(dirname "$0")/begun"
            while ! [ -e "$(dirname "$0")/go" ]; do sleep 0.02; done
            echo \(Self.token)
            """, to: "command", mode: 0o700)
        let path = try folder.write(
            """
            tunnels:
              - { name: web, tunnel: "ws://127.0.0.1:1", server: "builtin:echo", token-command: ["\(folder.path)/command"] }
            """, to: "tunnels.yaml")
        let program = try wstunnel(["--config", path])
        let deadline = ContinuousClock.now + .seconds(20)
        while !FileManager.default.fileExists(atPath: folder.path(of: "begun")),
            ContinuousClock.now < deadline
        {
            usleep(10_000)
        }
        for _ in 0..<100 { program.send(signal: SIGHUP) }
        try folder.write("", to: "go")
        try program.standardError.waitForLine(containing: "Agent running")
        try program.standardError.waitForLine(containing: "No changes in the configuration")
        program.send(signal: SIGTERM)
        #expect(try program.waitForExit() == .code(0))
    }

    /// Signals are caught as soon as the program runs; what comes before `main` ends a process as ever.
    @Test(arguments: 0..<4) func hangupsFromTheFirstMomentEndNothingThatHasBegun(_ step: UInt32) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            Self.configuration(port: try freePort(), "builtin:echo"), to: "tunnels.yaml")
        let program = try wstunnel(["--config", path])
        // A spread of moments, none of which is waited for.
        usleep(step * 20_000)
        for _ in 0..<20 { program.send(signal: SIGHUP) }
        guard program.exit == nil,
            (try? program.standardError.waitForLine(containing: "Agent running")) != nil
        else {
            #expect(try program.waitForExit() == .signal(SIGHUP))
            return
        }
        program.send(signal: SIGTERM)
        let exit = try program.waitForExit()
        #expect(exit == .code(0), "\(program.standardError.text.prefix(3000))")
    }

    @Test func hangupsDuringTheEndChangeNothingOfIt() throws {
        let origin = try HoldingOrigin("origin")
        let port = try freePort()
        let world = try ReloadedAgent(Self.configuration(port: port, origin.url))
        try world.waitForTunnel()
        let held = try origin.hold(port: port, token: Self.token)
        let stream = try origin.stream(port: port, token: Self.token)
        let start = ContinuousClock.now
        world.agent.process.send(signal: SIGTERM)
        try world.agent.waitForLog("Stopping: requests in flight are finished; a second signal ends them")
        try world.write(Self.configuration(port: try freePort(), "builtin:echo"))
        for _ in 0..<200 { world.agent.process.send(signal: SIGHUP) }
        #expect(try held.finish() == "origin")
        #expect(world.agent.process.exit == nil)
        try stream.finish()
        #expect(try world.agent.process.waitForExit() == .code(0))
        // As soon as the last request was finished, before the grace is over.
        #expect(ContinuousClock.now - start < .seconds(20))
        #expect(!world.agent.log.contains { $0.contains("config.generation=") })
    }

    @Test func whatAReloadReplacedIsFinishedBeforeTheEndToo() throws {
        let origin = try HoldingOrigin("origin")
        let port = try freePort()
        let text = Self.configuration(port: port, origin.url)
        let world = try ReloadedAgent(text)
        try world.waitForTunnel()
        let held = try origin.hold(port: port, token: Self.token)
        #expect(
            try world.applied(text.replacingOccurrences(of: "connections: 2", with: "connections: 1"))
                == ["replace tunnel web: connections"])
        world.agent.process.send(signal: SIGTERM)
        try world.agent.waitForLog("Stopping: requests in flight are finished; a second signal ends them")
        #expect(try held.finish() == "origin")
        #expect(try world.agent.process.waitForExit() == .code(0))
    }

    @Test(arguments: [true, false]) func anEndThatHasNoEndComesAtTheGraceOrAtTheSecondSignal(isSecond: Bool)
        throws
    {
        let origin = try HoldingOrigin("origin")
        let port = try freePort()
        let text = Self.configuration(port: port, origin.url)
        // The grace is the one of the last reload.
        let world = try ReloadedAgent(text)
        try world.waitForTunnel()
        let grace = isSecond ? "60s" : "6s"
        #expect(
            try world.applied(text.replacingOccurrences(of: "grace: 20s", with: "grace: \(grace)"))
                == ["update agent: shutdown-grace"])
        let stream = try origin.stream(port: port, token: Self.token)
        let held = try origin.hold(port: port, token: Self.token)
        let start = ContinuousClock.now
        world.agent.process.send(signal: SIGTERM)
        try world.agent.waitForLog("Stopping: requests in flight are finished; a second signal ends them")
        if isSecond {
            world.agent.process.send(signal: SIGTERM)
            #expect(try world.agent.process.waitForExit() == .code(1))
        } else {
            #expect(try held.finish() == "origin")
            #expect(try world.agent.process.waitForExit() == .code(0))
            #expect(ContinuousClock.now - start >= .seconds(6))
        }
        #expect(ContinuousClock.now - start < .seconds(40))
        #expect(throws: StreamEnd.self) { while try stream.caller.socket.readChunk() != nil {} }
    }

    /// In its strict mode NIO ends a process that gives work to an event loop which has ended.
    @Test(arguments: 0..<6) func whoAsksTheAdminAPIWhileTheAgentEndsFindsNoEventLoopThatHasEnded(_ round: Int)
        throws
    {
        let port = try freePort()
        let agent = try AgentProcess(
            configuration: """
                servers: [{ name: public, host: 127.0.0.1, port: 0 }]
                admin: { listen: "127.0.0.1:\(port)", token: admin-token-0123456 }
                """, environment: ["SWIFTNIO_STRICT": "1"])
        let askers = (0..<3).map { _ in
            Background {
                while let caller = try? HTTPConnection(port: port) {
                    try? caller.send("GET", "/api/status")
                    caller.close()
                }
            }
        }
        // Asked for a while; nothing is waited for.
        usleep(100_000)
        #expect(try agent.stop() == .code(0))
        for asker in askers { try asker.value() }
    }
}
