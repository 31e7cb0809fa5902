import Foundation
import TestSupport
import Testing

/// The agent's own settings, and entries that come and go.
@Suite(.timeLimit(.minutes(1))) struct AgentReloadTests {
    private static let token = "agent-reload-token-1"

    private static func entry(_ name: String, port: Int, _ options: String = "") -> String {
        """
          - { name: \(name), tunnel: "ws://127.0.0.1:\(port)", server: "builtin:echo", token: \(token)-\(name), \
        connections: 1\(options) }

        """
    }

    @Test func theAgentsOwnSettingsAreSwappedTheNewOneFirst() throws {
        let port = try freePort()
        let base =
            "servers: [{ name: public, host: 127.0.0.1, port: \(port) }]\ntunnels:\n"
            + Self.entry("web", port: port)
        let world = try ReloadedAgent(base)
        let connections = try world.waitForTunnel()
        let folder = world.folder
        func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: folder.path(of: name)) }

        #expect(try world.applied("log: { level: debug }\n" + base) == ["update agent: log.level"])
        _ = try HTTPConnection.ask(port: port, token: "\(Self.token)-web")
        #expect(try world.applied("pidfile: a.pid\n" + base) == ["update agent: log.level pidfile"])
        #expect(try folder.text(of: "a.pid") == "\(world.agent.process.processID)\n")
        #expect(try world.applied("pidfile: b.pid\n" + base) == ["update agent: pidfile"])
        #expect(try folder.text(of: "b.pid") == "\(world.agent.process.processID)\n" && !exists("a.pid"))
        #expect(try world.applied(base) == ["update agent: pidfile"])
        #expect(!exists("b.pid"))

        #expect(try world.applied("control-socket: a.sock\n" + base) == ["update agent: control-socket"])
        #expect(exists("a.sock"))
        #expect(try world.applied("control-socket: b.sock\n" + base) == ["update agent: control-socket"])
        #expect(exists("b.sock") && !exists("a.sock"))
        #expect(try world.applied(base) == ["update agent: control-socket"])
        #expect(!exists("b.sock"))

        // Another port, then another token on the same port.
        let (one, other) = (try freePort(), try freePort())
        func admin(_ port: Int, _ token: String) -> String {
            "admin: { listen: \"127.0.0.1:\(port)\", token: \(token), hosts: [caller.test] }\n" + base
        }
        func ask(_ port: Int, _ token: String) throws -> Int {
            try HTTPConnection(port: port).exchange(
                "GET", "/api/status", fields: [("Authorization", "Bearer \(token)")]
            ).status
        }
        #expect(try world.applied(admin(one, "admin-token-first")) == ["update agent: admin"])
        #expect(try ask(one, "admin-token-first") == 200)
        #expect(try world.applied(admin(other, "admin-token-first")) == ["update agent: admin"])
        #expect(try ask(other, "admin-token-first") == 200)
        #expect(throws: TestFailure.self) { try StreamSocket(port: one) }
        #expect(try world.applied(admin(other, "admin-token-second")) == ["update agent: admin"])
        #expect(try ask(other, "admin-token-first") == 401)
        #expect(try ask(other, "admin-token-second") == 200)
        #expect(try world.applied(base) == ["update agent: admin"])
        #expect(throws: TestFailure.self) { try StreamSocket(port: other) }

        #expect(try world.apply("log: { syslog: user }\n" + base) == .unchanged)
        let warning = try world.agent.waitForLog("A change takes a restart", ["level": "warning"])
        #expect(warning["error.message"]?.contains("log.syslog") == true)
        #expect(try world.status().lastReload?.plan.notes.first?.contains("log.syslog") == true)

        let lines = world.agent.log.count
        try world.write("log: { format: json }\n" + base)
        world.agent.process.send(signal: SIGHUP)
        try world.agent.process.standardError.waitForLine(
            containing: #"{"time":"#, #""message":"Configuration applied""#, from: lines)

        // To a file. From here on standard error is silent.
        try world.write("log: { file: agent.log, format: logfmt }\n" + base)
        world.agent.process.send(signal: SIGHUP)
        try world.waitForStatus("the log in a file") { _ in
            (try? folder.text(of: "agent.log"))?.contains("Configuration applied") == true
        }
        let silent = world.agent.log.count
        _ = try HTTPConnection.ask(port: port, token: "\(Self.token)-web")
        #expect(try world.status().connections(of: "web") == connections)
        #expect(try world.agent.stop() == .code(0))
        #expect(world.agent.log.count == silent)
        #expect(try folder.text(of: "agent.log").contains("Agent stopped"))
    }

    @Test func entriesComeAndGoAndOthersDoNotNotice() throws {
        let (port, second) = (try freePort(), try freePort())
        func text(_ servers: String, _ tunnels: String..., include: Bool = false) -> String {
            (include ? "include: conf.d/*.yaml\n" : "") + "servers:\n" + servers + "tunnels:\n"
                + tunnels.joined()
        }
        let first = "  - { name: public, host: 127.0.0.1, port: \(port) }\n"
        let other = "  - { name: second, host: 127.0.0.1, port: \(second) }\n"
        let (web, more) = (Self.entry("web", port: port), Self.entry("more", port: second))
        let world = try ReloadedAgent(text(first, web))
        let connections = try world.waitForTunnel()
        let load = SteadyLoad(port: port, token: "\(Self.token)-web", [.short, .kept])
        func served(_ name: String, at port: Int) throws -> Bool {
            try HTTPConnection(port: port).exchange(
                "POST", "/", fields: [("X-Token", "\(Self.token)-\(name)")], body: [1]
            ).body == [1]
        }
        #expect(
            try world.applied(text(first + other, more, web)) == ["start server second", "start tunnel more"])
        try world.waitForTunnel("more")
        #expect(try served("more", at: second))
        // The order of entries, and comments.
        #expect(try world.apply("# words\n" + text(other + first, web, more)) == .unchanged)

        let off = Self.entry("more", port: second, ", enabled: false")
        #expect(try world.applied(text(first + other, off, web)) == ["stop tunnel more"])
        try world.waitForStatus("it is gone") { $0.tunnels.map(\.name) == ["web"] }
        #expect(try world.applied(text(first + other, more, web)) == ["start tunnel more"])
        try world.waitForTunnel("more")
        #expect(try served("more", at: second))

        try world.folder.write("tunnels:\n" + Self.entry("included", port: port), to: "conf.d/one.yaml")
        #expect(try world.applied(text(first + other, more, web, include: true)) == ["start tunnel included"])
        try world.waitForTunnel("included")
        try world.folder.write("tunnels:\n" + Self.entry("also", port: port), to: "conf.d/two.yaml")
        #expect(try world.hangUp() == .applied)
        try world.waitForTunnel("also")
        try world.folder.write("tunnels: [{ name: broken }]\n", to: "conf.d/three.yaml")
        #expect(try world.hangUp() == .refused)
        let errors = try #require(try world.status().lastReload).errors
        #expect(!errors.isEmpty && errors.allSatisfy { $0.contains("conf.d/three.yaml:1:") }, "\(errors)")

        try FileManager.default.removeItem(atPath: world.folder.path(of: "conf.d"))
        #expect(
            try world.applied(text(first, web))
                == ["stop server second", "stop tunnel also", "stop tunnel included", "stop tunnel more"])
        try world.waitForStatus("they are gone") {
            $0.tunnels.map(\.name) == ["web"] && $0.servers.count == 1
        }
        #expect(throws: TestFailure.self) { try StreamSocket(port: second) }
        let (faults, _) = try load.stop()
        #expect(faults.isEmpty)
        #expect(try world.status().connections(of: "web") == connections)
        #expect(try world.agent.stop() == .code(0))
    }
}
