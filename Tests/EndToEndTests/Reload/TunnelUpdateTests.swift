import Foundation
import TestSupport
import Testing

/// Settings of a tunnel that a reload swaps while its connections stay.
@Suite(.timeLimit(.minutes(1))) struct TunnelUpdateTests {
    private static let token = "update-test-token-01"

    private static func configuration(port: Int, _ options: [String]) -> String {
        """
        servers: [{ name: public, host: 127.0.0.1, port: \(port) }]
        tunnels:
          - { name: web, tunnel: "ws://127.0.0.1:\(port)", token: \(token), connections: 2, \
        \(options.joined(separator: ", ")) }

        """
    }

    @Test func settingsAreSwappedOnTheConnectionsThatAreUpAndRequestsInFlightEndWhereTheyBegan() throws {
        let (first, second) = (try HoldingOrigin("first"), try HoldingOrigin("second"))
        let port = try freePort()
        var options = ["server": "\"\(first.url)\""]
        func text() -> String { Self.configuration(port: port, options.map { "\($0): \($1)" }) }
        let world = try ReloadedAgent(text())
        let connections = try world.waitForTunnel()
        let statusFile = world.folder.path(of: "web.status")
        var current = first
        func change(_ key: String, _ value: String?, to next: HoldingOrigin? = nil) throws {
            let held = try current.hold(port: port, token: Self.token)
            let stream = try current.stream(port: port, token: Self.token)
            options[key] = value
            #expect(try world.applied(text()) == ["update tunnel web: \(key)"])
            let before = current
            current = next ?? current
            #expect(try HTTPConnection.ask(port: port, token: Self.token) == current.name, "\(key)")
            #expect(try held.finish() == before.name, "\(key)")
            try stream.finish()
            #expect(try world.waitForTunnel() == connections, "\(key)")
        }
        try change("server", "\"\(second.url)\"", to: second)
        try change("reconnect-delay", "5s")
        try change("max-retries", "9")
        try change("insecure", "true")

        try change("regexp", "'http://127\\.0\\.0\\.1:.*'")
        let caller = try HTTPConnection(port: port)
        let named = [("X-Token", Self.token), ("X-Host", first.url)]
        #expect(try caller.exchange("GET", "/", fields: named).text == "first")
        try change("regexp", nil)
        #expect(try caller.exchange("GET", "/", fields: named).status == 403)

        // Until now the server was pinged each 10 s. The file is rewritten whenever it answered.
        try change("statusfile", "web.status")
        try change("timeout", "3s")
        try Self.waitForFile(statusFile)
        try FileManager.default.removeItem(atPath: statusFile)
        try Self.waitForFile(statusFile, within: 6)
        try change("statusfile", nil)
        #expect(try world.apply(text()) == .unchanged)
        #expect(world.agent.log.count { $0.contains(#"message="Session joined""#) } == 2)
        #expect(try world.agent.stop() == .code(0))
    }

    /// A file tells nobody that it is there.
    private static func waitForFile(_ path: String, within seconds: Double = 20) throws {
        let deadline = Date(timeIntervalSinceNow: seconds)
        while !FileManager.default.fileExists(atPath: path) {
            guard Date() < deadline else { throw TestFailure("no \(path)") }
            usleep(20_000)
        }
    }

    @Test func whomATunnelTrustsIsSwappedOnAConnectionThroughTLS() throws {
        let (ours, others) = (try Certificate(), try Certificate())
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        let front = try NginxFront.terminator(certificate: ours, to: port)
        let origin = try NginxFront(certificate: others, "location / { return 200 secure; }")
        func text(_ option: String) -> String {
            Configuration.client(
                tunnel: "wss://127.0.0.1:\(front.port)", to: "https://127.0.0.1:\(origin.port)",
                options: ["connections: 2", option])
        }
        func pem(_ certificates: Certificate...) throws -> String {
            try certificates.map { try String(contentsOfFile: $0.path, encoding: .utf8) }.joined()
        }
        let world = try ReloadedAgent(text("certfile: ca.pem"), files: ["ca.pem": try pem(ours)])
        let connections = try world.waitForTunnel()
        try server.waitForSessions(2)
        func ask() throws -> String { try HTTPConnection.ask(port: port, token: TunnelPair.token) }
        #expect(try ask() == "502")

        #expect(try world.applied(text("insecure: true")) == ["update tunnel web: insecure certfile"])
        #expect(try ask() == "secure")
        #expect(try world.applied(text("certfile: ca.pem")) == ["update tunnel web: insecure certfile"])
        #expect(try ask() == "502")

        // The same file with other contents.
        try world.folder.write(try pem(ours, others), to: "ca.pem")
        #expect(try world.applied(text("certfile: ca.pem")) == ["update tunnel web: certfile"])
        #expect(try ask() == "secure")
        #expect(try world.hangUp() == .unchanged)

        for (broken, complaint) in [
            ("-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n", "tunnels[web]"),
            ("nonsense", "tunnels[web]"), (nil, "tunnels[web].certfile"),
        ] {
            if let broken {
                try world.folder.write(broken, to: "ca.pem")
            } else {
                try FileManager.default.removeItem(atPath: world.folder.path(of: "ca.pem"))
            }
            #expect(try world.hangUp() == .refused)
            let reload = try #require(try world.status().lastReload)
            #expect(reload.outcome == "refused")
            #expect(reload.errors.count == 1 && reload.errors[0].contains(complaint), "\(reload.errors)")
            #expect(reload.errors.first?.contains("ca.pem") == true, "\(reload.errors)")
            #expect(try ask() == "secure")
        }
        #expect(try world.waitForTunnel() == connections)
        #expect(try world.agent.stop() == .code(0))
    }

    @Test func aTunnelThatGaveUpTriesAgainWhenItsSettingsChangeAndLeavesNothingWhenItGoes() throws {
        let (port, away) = (try freePort(), try freePort())
        func text(_ tunnel: String) -> String {
            "servers: [{ name: public, host: 127.0.0.1, port: \(port) }]\ntunnels: [\(tunnel)]\n"
        }
        func tunnel(at port: Int, retries: Int) -> String {
            """
            { name: web, tunnel: "ws://127.0.0.1:\(port)", token: \(Self.token), server: "builtin:echo", \
            connections: 1, reconnect-delay: 1s, max-retries: \(retries) }
            """
        }
        let world = try ReloadedAgent(text(tunnel(at: away, retries: 9)))
        try world.waitForStatus("a failed try") { $0.tunnels.first?.lastFault != nil }
        // Fewer tries than there were already.
        #expect(try world.applied(text(tunnel(at: away, retries: 1))) == ["update tunnel web: max-retries"])
        try world.waitForStatus("given up") { $0.tunnels.map(\.state) == ["gave-up"] }
        #expect(try world.hangUp() == .unchanged)
        #expect(try world.applied(text(tunnel(at: away, retries: 2))) == ["update tunnel web: max-retries"])
        try world.agent.waitForLog("Gave up: the tunnel server was not reached", ["limit": "2"])
        try world.waitForStatus("given up again") { $0.tunnels.map(\.state) == ["gave-up"] }
        #expect(try world.applied(text(tunnel(at: port, retries: 2))) == ["replace tunnel web: tunnel"])
        try world.waitForTunnel()
        #expect(
            try world.applied(text(tunnel(at: away, retries: 1))) == [
                "replace tunnel web: tunnel max-retries"
            ])
        try world.waitForStatus("given up once more") { $0.tunnels.contains { $0.state == "gave-up" } }
        #expect(try world.applied(text("")) == ["stop tunnel web"])
        try world.waitForStatus("nothing of it is left") { $0.tunnels.isEmpty }
    }
}
