import Foundation
import TestSupport
import Testing

/// Tunnels and servers that are paused and resumed.
@Suite(.timeLimit(.minutes(1))) struct PauseTests {
    private static let token = TunnelPair.token

    private static func tunnel(_ port: Int, _ origin: String, _ more: String = "connections: 2") -> String {
        Configuration.client(tunnel: "ws://127.0.0.1:\(port)", to: origin, token: token, options: [more])
    }

    /// Two clients serve a token; one of them is paused, changed and resumed.
    @Test func aTunnelIsPausedWithoutLosingARequest() throws {
        let origins = try [HoldingOrigin("one"), HoldingOrigin("two")]
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        let one = try ReloadedAgent(Self.tunnel(port, origins[0].url))
        let two = try ReloadedAgent(Self.tunnel(port, origins[1].url))
        try one.waitForTunnel()
        try two.waitForTunnel()
        let callers = Callers(port: port, token: Self.token)
        let held = try (0..<8).map { _ in try HoldingOrigin.hold(at: origins, port: port, token: Self.token) }
        try callers.answered.wait(for: 50, within: .seconds(20), what: "requests")

        let pause = try one.agent.command("pause", "web")
        #expect(pause.exit == .code(0) && pause.output == "tunnel web: paused\n")
        #expect(try one.agent.command("pause", "web").output == "tunnel web: was paused already\n")
        try one.waitForStatus("paused") { $0.tunnels.map(\.state) == ["paused"] }
        for _ in 0..<30 { #expect(try HTTPConnection.ask(port: port, token: Self.token) == "two") }
        // What it had in hand is finished.
        var answers: Set<String> = []
        for request in held { answers.insert(try request.finish()) }
        #expect(answers == ["one", "two"])
        try one.waitForStatus("drained") { $0.tunnels.map(\.connections.count) == [0] }

        // A reload that needs another client leaves it paused, and so does one in place.
        #expect(
            try one.applied(Self.tunnel(port, origins[0].url, "connections: 3"))
                == ["replace tunnel web: connections"])
        try one.write(Self.tunnel(port, origins[1].url, "connections: 3"))
        #expect(try one.agent.command("plan").output.contains("tunnel web is paused, and stays so\n"))
        #expect(try one.hangUp() == .applied)
        try one.waitForStatus("one tunnel") { $0.tunnels.map(\.state) == ["paused"] }
        #expect(try one.status().tunnels.map(\.connections.count) == [0])
        let status = try one.agent.command("status")
        #expect(status.exit == .code(0))
        #expect(status.output.contains("tunnel web is paused, since "))
        #expect(status.output.contains(" by user \(getuid())\n"))
        #expect(status.output.contains("all others up, 1 paused"))

        #expect(try one.agent.command("resume", "web").output == "tunnel web: resumed\n")
        try one.waitForTunnel()
        try callers.answered.wait(for: callers.answered.value + 50, within: .seconds(20), what: "requests")
        let faults = try callers.stop()
        #expect(faults.isEmpty, "\(faults)")
        try one.agent.waitForLog(
            "Admin action",
            [
                "admin.action": "POST /api/tunnels/web/resume", "admin.by": "user \(getuid())",
                "admin.status": "200",
            ])
        try one.agent.waitForLog("Paused", ["tunnel.name": "web", "admin.by": "user \(getuid())"])
    }

    @Test func aPausedServerRefusesCallersAndKeepsItsTunnels() throws {
        let origin = try HoldingOrigin("origin")
        let world = try ReloadedAgent(Configuration.server())
        let port = try world.agent.port(ofServer: "public")
        let client = try ReloadedAgent(Self.tunnel(port, origin.url))
        let sessions = try client.waitForTunnel()
        let held = try origin.hold(port: port, token: Self.token)
        let kept = try HTTPConnection(port: port)
        let fields = [("X-Token", Self.token)]
        #expect(try kept.exchange("GET", "/", fields: fields).status == 200)

        #expect(try world.agent.command("pause", "public").errors.contains("no tunnel of that name"))
        #expect(try world.agent.command("pause", "--server", "public").output == "server public: paused\n")
        for _ in 0..<2 {
            let refused = try kept.exchange("GET", "/", fields: fields)
            #expect(refused.status == 503 && refused.text.contains("paused"))
            #expect(refused.head.has("Retry-After", "10"))
        }
        #expect(try HTTPConnection(port: port).exchange("GET", "/_health_check").status == 200)
        #expect(try world.status().servers.map(\.state) == ["paused"])
        let explanation = try wstunnel([
            "explain", "GET", "http://127.0.0.1:\(port)/", "-H", "X-Token: \(Self.token)", "--running",
            "--config", world.agent.configurationPath,
        ])
        #expect(try explanation.waitForExit() == .code(69))
        #expect(explanation.standardOutput.text.contains("the server is paused"))
        // A reload that changes the server, also its listener, leaves it so.
        let newPort = try freePort()
        let moved = Configuration.server(["queue-timeout: 3s"]).replacing("port: 0", with: "port: \(newPort)")
        #expect(try world.apply(moved) == .applied)
        #expect(try HTTPConnection.ask(port: newPort, token: Self.token) == "503")
        #expect(try held.finish() == "origin")
        #expect(try client.waitForTunnel() == sessions, "the sessions stay")

        #expect(try world.agent.command("resume", "--server", "public").exit == .code(0))
        #expect(try HTTPConnection.ask(port: newPort, token: Self.token) == "origin")
        #expect(try world.status().servers.map(\.state) == ["listening"])
        #expect(try client.status().connections(of: "web") == sessions)
    }

    /// With what it has paused an agent hands on what it has blocked.
    @Test func aSuccessorGoesOnWithIt() throws {
        let port = try freePort()
        let (blocked, other) = ("blocked-test-token-01", "another-test-token-01")
        let first = try AgentProcess(
            configuration: """
                servers: [{ name: public, host: 127.0.0.1, port: \(port), reuse-port: true }]
                tunnels:
                  - { name: idle, tunnel: "ws://127.0.0.1:\(port)", server: "builtin:echo", token: \(other) }
                  - { name: busy, tunnel: "ws://127.0.0.1:\(port)", server: "builtin:echo", token: \(Self.token) }

                """, files: ["bad.token": blocked + "\n"])
        try first.waitForSession(ofTunnel: "busy")
        #expect(try first.command("pause", "idle").exit == .code(0))
        let block = try first.command(
            "block-token", "--token-file", first.folder.path(of: "bad.token"), "--for", "10m")
        #expect(
            block.exit == .code(0) && block.output.contains("blocked-...") && !block.output.contains(blocked))
        let next = try wstunnel(["--config", first.configurationPath, "--takeover"])
        try next.standardError.waitForLine(containing: "Agent running")
        #expect(try first.process.waitForExit() == .code(0))
        #expect(try first.command("status").output.contains("tunnel idle is paused, since "))
        #expect(try HTTPConnection.ask(port: port, token: blocked) == "403")
        #expect(try first.command("block-token").output.contains("blocked-..."))
        #expect(try first.command("unblock-token", "--all").output == "1 token unblocked\n")
        #expect(try first.command("block-token").output == "no token is blocked\n")
        #expect(try first.command("resume", "idle").output == "tunnel idle: resumed\n")
        next.send(signal: SIGTERM)
        #expect(try next.waitForExit() == .code(0))
        for log in [first.log.joined(), next.standardError.text] { #expect(!log.contains(blocked)) }
    }

    /// Over the admin listener: who asked stands in the log, and what happened among the events.
    @Test func programsAreToldOfIt() throws {
        let (port, secret) = (try freePort(), "pause-test-admin-token-1")
        let agent = try AgentProcess(
            configuration:
                "admin: { listen: \"127.0.0.1:\(port)\", token: \(secret), hosts: [caller.test] }\n"
                + Configuration.server())
        let fields = [("Authorization", "Bearer \(secret)")]
        let connection = try HTTPConnection(port: port)
        for verb in ["pause", "pause", "resume"] {
            let answer = try connection.exchange("POST", "/api/servers/public/\(verb)", fields: fields)
            #expect(answer.status == 200, "\(answer.text)")
        }
        try agent.waitForLog(
            "Admin action",
            [
                "admin.action": "POST /api/servers/public/pause", "admin.by": "administer from 127.0.0.1",
                "admin.status": "200",
            ])
        try connection.send("GET", "/api/events", fields: fields + [("Last-Event-ID", "0")])
        #expect(try connection.readHead().status == 200)
        var text = ""
        while !text.contains("event: resumed"), let chunk = try connection.socket.readChunk() {
            text += String(decoding: chunk, as: UTF8.self)
        }
        connection.close()
        #expect(text.matches(of: /event: paused/).count == 1, "paused once: \(text)")
        #expect(text.contains("\"server\":\"public\""))
        #expect(text.contains("the server was resumed by administer from 127.0.0.1"))
    }

    @Test func aReloadOverHTTPIsHeldToThePlan() throws {
        let (port, secret) = (try freePort(), "plan-test-admin-token-01")
        let text =
            "admin: { listen: \"127.0.0.1:\(port)\", token: \(secret), hosts: [caller.test] }\n"
            + Configuration.server()
        let world = try ReloadedAgent(text)
        let fields = [("Authorization", "Bearer \(secret)")]
        let ask = { (method: String, target: String, more: [(String, String)]) in
            let connection = try HTTPConnection(port: port)
            defer { connection.close() }
            return try connection.exchange(method, target, fields: fields + more)
        }
        try world.write(text + "    queue-timeout: 3s\n")
        let tag = try #require(try ask("GET", "/api/plan", []).head.values("ETag").first)
        try world.write(text + "    queue-timeout: 4s\n")
        #expect(try ask("POST", "/api/reload", [("If-Match", tag)]).status == 412)
        try world.write(text + "    queue-timeout: 3s\n")
        #expect(try ask("POST", "/api/reload", [("If-Match", tag)]).status == 200)
        #expect(try ask("POST", "/api/reload", [("If-Match", tag)]).status == 412)
        #expect(try world.status().generation == 2)
        #expect(try ask("POST", "/api/rollback", []).status == 200)
        #expect(try world.status().generation == 3)
    }
}
