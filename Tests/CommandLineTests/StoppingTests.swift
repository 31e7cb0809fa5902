import Foundation
import TestSupport
import Testing

/// The end of the process: signals, what is finished, what is cut.
@Suite(.timeLimit(.minutes(1))) struct StoppingTests {
    private static let token = "stopping-test-token-1"

    @Test(arguments: [SIGTERM, SIGINT]) func anIdleAgentEndsAtOnce(_ signal: Int32) throws {
        let agent = try AgentProcess(
            configuration: pairConfiguration(port: freePort(), origin: "builtin:echo", token: Self.token))
        try agent.waitForSession(ofTunnel: "web")
        let start = ContinuousClock.now
        agent.process.send(signal: signal)
        #expect(try agent.process.waitForExit() == .code(0))
        // The grace would be 30 s.
        #expect(ContinuousClock.now - start < .seconds(8))
        #expect(agent.log.contains { $0.contains("Agent stopped") })
    }

    @Test func anIdleKeepAliveConnectionDoesNotHoldTheEndUp() throws {
        let agent = try AgentProcess(configuration: serverAlone)
        let caller = try HTTPConnection(port: agent.port(ofServer: "public"))
        #expect(try caller.exchange("GET", "/_health_check").status == 200)
        let silent = try StreamSocket(port: agent.port(ofServer: "public"))
        let start = ContinuousClock.now
        #expect(try agent.stop() == .code(0))
        #expect(ContinuousClock.now - start < .seconds(8))
        #expect(caller.waitForEnd() != .timedOut)
        #expect(silent.waitForEnd() != .timedOut)
    }

    @Test(arguments: 0..<6) func aSignalDuringTheStartEndsCleanly(_ tenths: Int) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            "pidfile: agent.pid\n"
                + pairConfiguration(port: freePort(), origin: "builtin:echo", token: Self.token),
            to: "tunnels.yaml")
        let program = try wstunnel(["--config", path])
        usleep(UInt32(tenths) * 15_000)
        program.send(signal: SIGTERM)
        let exit = try program.waitForExit(within: .seconds(10))
        #expect(exit == .code(0) || exit == .signal(SIGTERM))
        #expect(!FileManager.default.fileExists(atPath: folder.path(of: "agent.pid")))
    }

    /// A download that is half done, and an event stream, both through one process.
    private struct Busy {
        let agent: AgentProcess
        let origin: ScriptedOrigin
        let port: Int
        let download: HTTPConnection
        let events: HTTPConnection
        /// Lets the second half of the download go.
        let secondHalf = Gate()
        static let half = [UInt8](repeating: 7, count: 300_000)

        init(grace: String, isInTwoProcesses: Bool = false) throws {
            let secondHalf = secondHalf
            origin = try ScriptedOrigin { connection in
                guard let request = try connection.readRequest() else { return }
                if request.target == "/events" {
                    try connection.startEventStream()
                    try connection.sendEvent("first")
                    _ = connection.waitForEnd(within: .seconds(40))
                } else {
                    try connection.writeHead(200, fields: [("Content-Length", String(2 * Self.half.count))])
                    try connection.socket.write(Self.half)
                    try secondHalf.wait(within: .seconds(30))
                    try connection.socket.write(Self.half)
                }
            }
            port = try freePort()
            agent = try AgentProcess(
                configuration: pairConfiguration(
                    port: port, origin: origin.url, token: StoppingTests.token,
                    general: "shutdown-grace: \(grace)"))
            try agent.waitForSession(ofTunnel: "web")
            download = try HTTPConnection(port: port)
            try download.send("GET", "/file", fields: [("X-Token", StoppingTests.token)])
            #expect(try download.readHead().status == 200)
            events = try HTTPConnection(port: port)
            try events.send("GET", "/events", fields: [("X-Token", StoppingTests.token)])
            #expect(try events.readHead().status == 200)
            let firstEvent = try events.socket.readChunk()
            #expect(firstEvent == Array("data: first\n\n".utf8))
        }

        func stop() throws {
            agent.process.send(signal: SIGTERM)
            try agent.waitForLog("Stopping: requests in flight are finished; a second signal ends them")
        }
    }

    @Test func whatIsInFlightIsFinishedAndWhatHasNoEndIsCutAtTheGrace() throws {
        let busy = try Busy(grace: "3s")
        let start = ContinuousClock.now
        try busy.stop()
        busy.secondHalf.open()
        #expect(try busy.download.socket.read(2 * Busy.half.count) == Busy.half + Busy.half)
        #expect(busy.download.waitForEnd() == .closed)
        #expect(throws: TestFailure.self) { try StreamSocket(port: busy.port) }
        #expect(busy.agent.process.exit == nil)
        // The event stream has no last chunk: it must not look whole.
        #expect(throws: StreamEnd.self) { while try busy.events.socket.readChunk() != nil {} }
        #expect(try busy.agent.process.waitForExit() == .code(0))
        let took = ContinuousClock.now - start
        #expect(took >= .seconds(3) && took < .seconds(12))
    }

    @Test func theEndComesAsSoonAsTheLastRequestIsFinished() throws {
        let busy = try Busy(grace: "30s")
        busy.events.close()
        try busy.origin.waitForEnds(1)
        try busy.stop()
        #expect(busy.agent.process.exit == nil)
        busy.secondHalf.open()
        let start = ContinuousClock.now
        #expect(try busy.download.socket.read(2 * Busy.half.count) == Busy.half + Busy.half)
        busy.download.close()
        #expect(try busy.agent.process.waitForExit() == .code(0))
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    /// The exchange is over for the server while part of the answer still waits in it for the caller: the kernel takes
    /// 128 KiB that are not sent yet, and the server keeps up to 64 KiB behind them.
    @Test func anAnswerThatASlowCallerIsReadingIsFinished() throws {
        let size = 160 << 10
        let origin = try ScriptedOrigin { connection in
            while try connection.readRequest() != nil {
                try connection.respond(body: [UInt8](repeating: 7, count: size))
            }
        }
        let port = try freePort()
        let agent = try AgentProcess(
            configuration: pairConfiguration(port: port, origin: origin.url, token: Self.token))
        try agent.waitForSession(ofTunnel: "web")
        let caller = try HTTPConnection(port: port, receiveBuffer: 4096)
        try caller.send("GET", "/", fields: [("X-Token", Self.token)])
        #expect(try caller.readHead().status == 200)
        try agent.waitForLog("Request", ["outcome": "ok"])
        let lines = agent.log.count
        agent.process.send(signal: SIGTERM)
        try agent.process.standardError.waitForLine(containing: "Stopping", from: lines)
        #expect(try caller.socket.read(size).count == size)
        #expect(caller.waitForEnd() == .closed)
        #expect(try agent.process.waitForExit() == .code(0))
    }

    @Test func aSecondSignalEndsAtOnce() throws {
        let busy = try Busy(grace: "30s")
        try busy.stop()
        let start = ContinuousClock.now
        busy.agent.process.send(signal: SIGINT)
        #expect(try busy.agent.process.waitForExit() == .code(1))
        #expect(ContinuousClock.now - start < .seconds(8))
        // Less than was promised, so the end is visible whichever way it comes.
        #expect(throws: StreamEnd.self) { try busy.download.socket.read(2 * Busy.half.count) }
        busy.secondHalf.open()
    }

    @Test func requestsThatWaitForATunnelAreAnsweredWhenTheServerStops() throws {
        let server = try AgentProcess(configuration: serverAlone)
        let port = try server.port(ofServer: "public")
        let client = try AgentProcess(
            configuration: """
                tunnels:
                  - { name: web, tunnel: "ws://127.0.0.1:\(port)", server: "builtin:echo", token: "\(Self.token)" }
                """)
        try client.waitForSession(ofTunnel: "web", at: server)
        #expect(try client.stop() == .code(0))
        let caller = try HTTPConnection(port: port)
        try caller.send("GET", "/", fields: [("X-Token", Self.token)])
        // Its bytes come before the health check's on another connection, or the answer is the same.
        #expect(try HTTPConnection(port: port).exchange("GET", "/_health_check").status == 200)
        server.process.send(signal: SIGTERM)
        let answer = try? caller.readResponse()
        #expect(answer == nil || answer?.status == 503)
        #expect(try server.process.waitForExit() == .code(0))
    }

    @Test func aClosedStandardErrorIsNoReasonToEndOrToSpin() throws {
        let folder = try TemporaryFolder()
        let port = try freePort()
        let path = try folder.write(
            "log: { level: trace }\n"
                + pairConfiguration(port: port, origin: "builtin:echo", token: Self.token),
            to: "tunnels.yaml")
        let program = try Self.wstunnelBehind(
            "exec 2>&1; exec \"$0\" --config \(path) 2> >(exec true)")
        try Self.waitForHealth(port, program)
        let caller = try HTTPConnection(port: port)
        for _ in 0..<100 { _ = try caller.exchange("GET", "/", fields: [("X-Token", Self.token)]) }
        #expect(program.exit == nil)
        #expect(try program.processorShare(over: 1) < 0.1)
        program.send(signal: SIGTERM)
        #expect(try program.waitForExit() == .code(0))
    }

    @Test func closedDescriptorsAreNoReasonToFail() throws {
        let folder = try TemporaryFolder()
        let port = try freePort()
        let path = try folder.write(
            pairConfiguration(port: port, origin: "builtin:echo", token: Self.token), to: "tunnels.yaml")
        let program = try Self.wstunnelBehind("exec \"$0\" --config \(path) <&- >&- 2>&-")
        try Self.waitForHealth(port, program)
        #expect(try HTTPConnection(port: port).exchange("GET", "/_health_check").status == 200)
        #expect(try program.processorShare(over: 1) < 0.1)
        program.send(signal: SIGTERM)
        #expect(try program.waitForExit() == .code(0))
    }

    /// Their server refuses them all. What it costs to call off so many waits must not grow with their square.
    @Test func theGraceHoldsWhateverTunnelsThereAre() throws {
        let port = try freePort()
        let tunnels = (0..<2000).map { number in
            let token = "a-token-of-many-\(1000 + number)"
            return
                "  - { name: t\(number), tunnel: \"ws://127.0.0.1:\(port)\", server: \"builtin:echo\", token: \(token) }"
        }
        let agent = try AgentProcess(
            configuration: "shutdown-grace: 5s\ntunnels:\n" + tunnels.joined(separator: "\n"))
        for number in [0, 700, 1999] { try agent.waitForLog("Cannot connect", ["tunnel.name": "t\(number)"]) }
        let start = ContinuousClock.now
        #expect(try agent.stop() == .code(0))
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    @Test func aLimitOnFilesThatIsTooLowIsToldOf() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(serverAlone, to: "tunnels.yaml")
        let program = try Self.wstunnelBehind("ulimit -n 20; exec \"$0\" --config \(path)")
        #expect(try program.waitForExit() == .code(1))
        #expect(program.standardError.text.contains("more files can be opened"))
        #expect(program.standardError.lines.count == 1)
    }

    /// Runs a line of bash whose `$0` is the built program.
    private static func wstunnelBehind(_ line: String) throws -> ChildProcess {
        try ChildProcess(["bash", "-c", line, wstunnelPath()])
    }

    /// A process whose log cannot be read is asked until it answers.
    private static func waitForHealth(_ port: Int, _ program: ChildProcess) throws {
        let deadline = Date(timeIntervalSinceNow: 20)
        while (try? HTTPConnection(port: port).exchange("GET", "/_health_check").status) != 200 {
            guard Date() < deadline, program.exit == nil else {
                throw TestFailure("no answer; exit \(String(describing: program.exit))")
            }
            usleep(10_000)
        }
    }
}
