import Foundation
import TestSupport
import Testing

/// `--takeover`: one agent takes the place of another.
@Suite(.timeLimit(.minutes(1))) struct TakeoverTests {
    private static let token = "takeover-test-token-1"

    private static func server(_ port: Int, _ more: String = "", isShared: Bool = true) -> String {
        """
        \(more)
        servers: [{ name: public, host: 127.0.0.1, port: \(port), reuse-port: \(isShared) }]

        """
    }

    private static func tunnel(_ name: String, _ port: Int, _ token: String, _ origin: String) -> String {
        """
        tunnels: [{ name: \(name), tunnel: "ws://127.0.0.1:\(port)", server: "\(origin)", token: \(token) }]

        """
    }

    /// Starts another agent with the first one's file, to take its place.
    private static func successor(_ agent: AgentProcess) throws -> ChildProcess {
        try wstunnel(["--config", agent.configurationPath, "--takeover"])
    }

    private static func status(_ agent: AgentProcess) throws -> AgentStatusReport {
        let program = try wstunnel(["status", "--config", agent.configurationPath, "--format", "json"])
        guard try program.waitForExit() == .code(0) else { throw TestFailure(program.standardError.text) }
        return try JSONDecoder().decode(AgentStatusReport.self, from: Data(program.standardOutput.bytes))
    }

    @Test func whoIsShutOutStaysSo() throws {
        let port = try freePort()
        let text = Self.server(port).replacingOccurrences(
            of: "reuse-port: true", with: "reuse-port: true, ban: { after: 20, never: [127.0.0.1] }")
        let first = try AgentProcess(configuration: text)
        try first.waitForLog("Agent running")
        let ask = { (source: UInt8) in
            let connection = try HTTPConnection(port: port, from: source)
            defer { connection.close() }
            do {
                return try connection.exchange("GET", "/_health_check").status
            } catch is StreamEnd {
                return 0
            }
        }
        for number in 0..<30 {
            let connection = try HTTPConnection(port: port, from: 2)
            defer { connection.close() }
            _ = try? connection.exchange("GET", "/", fields: [("X-Token", "guess-of-the-test-\(number)")])
        }
        #expect(try ask(2) == 0)
        let next = try Self.successor(first)
        try next.standardError.waitForLine(containing: "Agent running")
        #expect(try first.process.waitForExit() == .code(0))
        #expect(try ask(2) == 0 && ask(3) == 200)
        let bans = try wstunnel(["bans", "--config", first.configurationPath])
        #expect(try bans.waitForExit() == .code(0))
        #expect(bans.standardOutput.text.contains("127.0.0.2"))
        next.send(signal: SIGTERM)
        #expect(try next.waitForExit() == .code(0))
    }

    @Test(.timeLimit(.minutes(2))) func fiveTakeoversUnderLoadLoseNoRequest() throws {
        let port = try freePort()
        let origin = try SteadyLoad.origin()
        let ownToken = "takeover-test-token-2"
        // One tunnel's client runs in the agent that is replaced, the other's in a process of its own.
        let first = try AgentProcess(
            configuration: Self.server(port, "pidfile: agent.pid")
                + Self.tunnel("own", port, ownToken, origin.url))
        let client = try AgentProcess(configuration: Self.tunnel("web", port, Self.token, origin.url))
        try first.waitForSession(ofTunnel: "web")
        try first.waitForSession(ofTunnel: "own")
        let callers = [Self.token, ownToken].map { Callers(port: port, token: $0, count: 3) }
        var running = first.process
        for number in 1...5 {
            for callers in callers {
                let count = callers.answered.value
                try callers.answered.wait(for: count + 20, within: .seconds(30), what: "requests")
            }
            // A request that takes longer than the takeover is finished by the old one.
            let slow = try HTTPConnection(port: port)
            try slow.send("GET", "/slow-download", fields: [("X-Token", Self.token)])
            #expect(try slow.readHead().status == 200)
            let next = try Self.successor(first)
            try next.standardError.waitForLine(containing: "Agent running")
            #expect(try slow.socket.read(200_000).count == 200_000)
            slow.close()
            #expect(try running.waitForExit() == .code(0), "takeover \(number)")
            #expect(try first.folder.text(of: "agent.pid") == "\(next.processID)\n")
            #expect(try Self.status(first).processID == Int(next.processID))
            running = next
        }
        for callers in callers {
            let count = callers.answered.value
            try callers.answered.wait(for: count + 20, within: .seconds(30), what: "requests")
            let faults = try callers.stop()
            #expect(faults.isEmpty, "\(faults)")
        }
        #expect(client.process.exit == nil)
        running.send(signal: SIGTERM)
        #expect(try running.waitForExit() == .code(0))
    }

    @Test func whereNobodyRunsItStartsWithAWarning() throws {
        let agent = try AgentProcess(
            configuration: Self.server(try freePort()), arguments: ["--takeover"])
        #expect(agent.log.contains { $0.contains("there is no agent to take over from") })
        #expect(try Self.status(agent).phase == "running")
    }

    /// The reasons why a new agent cannot start; what runs must not notice.
    @Test(arguments: [
        ("nonsense: 1", "nonsense", Int32(78)),
        ("pidfile: /proc/agent.pid", "cannot write /proc/agent.pid", 1),
        ("control-socket: tunnels.yaml", "is no socket", 1),
        ("admin: { listen: \"192.0.2.1:80\", token: takeover-admin-token }", "admin.listen", 1),
    ])
    func aNewOneThatCannotStartLeavesTheOldOneAlone(more: String, fault: String, code: Int32) throws {
        let port = try freePort()
        let agent = try AgentProcess(
            configuration: Self.server(port) + Self.tunnel("web", port, Self.token, "builtin:echo"))
        try agent.waitForSession(ofTunnel: "web")
        try agent.folder.write(Self.server(port, more), to: "tunnels.yaml")
        let callers = Callers(port: port, token: Self.token)
        let next = try Self.successor(agent)
        #expect(try next.waitForExit() == .code(code))
        #expect(next.standardError.text.contains(fault))
        try callers.answered.wait(for: callers.answered.value + 10, within: .seconds(20), what: "requests")
        let faults = try callers.stop()
        #expect(faults.isEmpty, "\(faults)")
        #expect(!agent.log.contains { $0.contains("Handing over") })
        #expect(agent.process.exit == nil)
    }

    @Test func withoutASharedPortItIsToldWhatToDo() throws {
        let port = try freePort()
        let agent = try AgentProcess(configuration: Self.server(port, isShared: false))
        for isShared in [false, true] {
            try agent.folder.write(Self.server(port, isShared: isShared), to: "tunnels.yaml")
            let next = try Self.successor(agent)
            #expect(try next.waitForExit() == .code(1))
            #expect(next.standardError.text.contains("--takeover needs reuse-port: true in both"))
        }
        // As the message says: first the one that runs.
        #expect(try wstunnel(["reload", "--config", agent.configurationPath]).waitForExit() == .code(0))
        let next = try Self.successor(agent)
        try next.standardError.waitForLine(containing: "Agent running")
        #expect(try agent.process.waitForExit() == .code(0))
    }

    @Test func oneThatIsStuckIsLeftAlone() throws {
        let port = try freePort()
        let agent = try AgentProcess(
            configuration: Self.server(port) + Self.tunnel("web", port, Self.token, "builtin:echo"))
        try agent.waitForSession(ofTunnel: "web")
        agent.process.send(signal: SIGSTOP)
        let next = try Self.successor(agent)
        // Who calls meanwhile waits for the one that is stuck.
        let caller = try HTTPConnection(port: port, limit: .seconds(30))
        try caller.send("GET", "/", fields: [("X-Token", Self.token)])
        #expect(try next.waitForExit() == .code(1))
        #expect(next.standardError.text.contains("cannot take over from the agent that runs"))
        #expect(next.standardError.text.contains("does not answer"))
        agent.process.send(signal: SIGCONT)
        #expect(try caller.readResponse().status == 200)
        #expect(try Self.status(agent).phase == "running")
    }

    @Test func theAdminPortGoesToTheNewOne() throws {
        let (port, admin) = (try freePort(), try freePort())
        let more = "admin: { listen: \"127.0.0.1:\(admin)\", token: takeover-admin-token }"
        let agent = try AgentProcess(configuration: Self.server(port, more))
        var running = agent.process
        for _ in 0..<3 {
            let next = try Self.successor(agent)
            try next.standardError.waitForLine(containing: "Agent running")
            let warnings = next.standardError.lines.filter { $0.contains("level=warning") }
            #expect(warnings.allSatisfy { $0.contains("No token needs a password") })
            let status = try curl(
                "-H", "Authorization: Bearer takeover-admin-token", "http://127.0.0.1:\(admin)/api/status")
            #expect(status.status == 200)
            #expect(status.text.contains("\"processID\":\(next.processID)"))
            #expect(try running.waitForExit() == .code(0))
            running = next
        }
    }

    @Test func theSocketThatTheFileNamedBeforeLeadsToTheOldOne() throws {
        let port = try freePort()
        let agent = try AgentProcess(configuration: Self.server(port))
        try agent.folder.write(Self.server(port, "control-socket: new.sock"), to: "tunnels.yaml")
        let next = try Self.successor(agent)
        try next.standardError.waitForLine(containing: "Agent running")
        #expect(try agent.process.waitForExit() == .code(0))
        #expect(try Self.status(agent).processID == Int(next.processID))
    }
}
