import Foundation
import TestSupport
import Testing

/// The life of tunnels that go by long polling: stops, reloads, limits, certificates; all as with WebSockets.
@Suite struct LongPollLifeTests {
    private static let options = ["transport: longpoll", "connections: 1"]

    @Test(.timeLimit(.minutes(1)), arguments: [true, false])
    func whatIsInFlightIsFinishedWhenOneEndStops(isServer: Bool) throws {
        let origin = try HoldingOrigin("held")
        let pair = try TunnelPair(to: origin.url, clientOptions: ["transport: longpoll"], connections: 1)
        let request = try origin.hold(port: pair.port, token: TunnelPair.token)
        let stream = try origin.stream(port: pair.port, token: TunnelPair.token)
        let (leaving, other) = isServer ? (pair.server, pair.client) : (pair.client, pair.server)
        leaving.process.send(signal: SIGTERM)
        if isServer { _ = try other.waitForLog("Server is leaving") }
        #expect(try request.finish() == "held")
        try stream.finish()
        #expect(try leaving.process.waitForExit() == .code(0))
    }

    @Test(.timeLimit(.minutes(1))) func aReloadMovesATunnelFromOneTransportToTheOther() throws {
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        let origin = try HoldingOrigin("one")
        func text(_ transport: String) -> String {
            Configuration.client(
                tunnel: "ws://127.0.0.1:\(port)", to: origin.url,
                options: ["connections: 1", "transport: \(transport)"])
        }
        let client = try ReloadedAgent(text("longpoll"))
        try server.waitForSessions(1)
        let load = SteadyLoad(port: port, token: TunnelPair.token, [.short, .kept, .upload, .download])
        for transport in ["websocket", "longpoll", "websocket"] {
            let start = server.log.count
            try client.apply(text(transport))
            try server.waitForLog("Session joined", ["transport": transport], from: start)
        }
        let (faults, counts) = try load.stop()
        #expect(faults.isEmpty, "\(faults.prefix(3))")
        #expect(counts.values.allSatisfy { $0 > 0 })
    }

    @Test(.timeLimit(.minutes(1))) func aServerMayRefuseIt() throws {
        let server = try AgentProcess(configuration: Configuration.server(["longpoll: false"]))
        let port = try server.port(ofServer: "public")
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(port)", to: "builtin:echo", options: Self.options))
        let words = try client.waitForLog("Cannot connect")["error.message"] ?? ""
        #expect(words.contains("Long polling is switched off here"), "\(words)")
    }

    @Test(.timeLimit(.minutes(1))) func passwordsAndLimitsCount() throws {
        let server = try AgentProcess(
            configuration: Configuration.server([
                "max-clients-per-token: 1",
                "passwords: [{ token: \(TunnelPair.token), password: right-password }]",
            ]))
        let port = try server.port(ofServer: "public")
        func client(_ password: String) throws -> AgentProcess {
            try AgentProcess(
                configuration: Configuration.client(
                    tunnel: "ws://127.0.0.1:\(port)", to: "builtin:echo",
                    options: Self.options + ["password: \(password)"]))
        }
        let wrong = try client("wrong-password")
        #expect(try wrong.waitForLog("Cannot connect")["error.message"]?.contains("401") == true)
        let right = try client("right-password")
        try server.waitForSessions(1)
        let second = try client("right-password")
        let words = try second.waitForLog("Cannot connect")["error.message"] ?? ""
        #expect(words.contains("Too many clients for this rendez-vous token"), "\(words)")
        #expect(try right.stop() == .code(0))
    }

    @Test(.timeLimit(.minutes(1))) func certificatesCountForEveryRequest() throws {
        let authority = try CertificateAuthority()
        let world = try SecureWorld(
            authority, try authority.issue("server", name: "server"),
            tls: ["client-ca: \(authority.path)", "tunnel-certificates: required"])
        let edge = try authority.issue("edge", name: "edge-7", alternatives: "DNS:seven.edge.test")
        let shown = ["client-certificate: \(edge.path)", "client-key: \(edge.keyPath)"]
        let without = try world.client(["transport: longpoll"])
        #expect(
            try without.waitForLog("Cannot connect")["error.message"]?.contains("client-certificate") == true)
        try world.connectClient(["transport: longpoll"] + shown)
        #expect(try world.server.waitForLog("Session joined")["certificate.name"] == "edge-7")
        #expect(try world.curl("/").status == 200)
        // A session that was opened with a certificate is nobody's without it.
        let url = "https://127.0.0.1:\(world.port)/_tunnel/poll"
        let post = ["-sS", "-i", "--cacert", authority.path, "-X", "POST", "--data-binary", "x"]
        let opened = try curl(
            post + ["--cert", edge.path, "--key", edge.keyPath, "-H", "Origin: \(TunnelPair.token)", url])
        let name = opened.text.split(separator: "\r\n").first {
            $0.lowercased().hasPrefix("x-tunnel-session: ")
        }
        let session = try #require(name.map(String.init))
        #expect(try curl(post + ["-H", session, url]).status == 410)
        // It is known to who shows it: what is sent is no frame.
        #expect(
            try curl(post + ["--cert", edge.path, "--key", edge.keyPath, "-H", session, url]).status == 400)
    }

    @Test(.timeLimit(.minutes(1))) func aPageInItsPlaceIsNamedAndSurvived() throws {
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        let relay = try FaultyRelay(to: port)
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(relay.port)", to: "builtin:echo", options: Self.options))
        try server.waitForSessions(1)
        relay.change { $0.blockPage = true }
        let line = try client.waitForLog("Something else answered in place of the tunnel server")
        #expect(line["error.message"]?.contains("<") == true, "\(line)")
        let status = try wstunnel(["status", "--config", client.configurationPath])
        try status.waitForExit()
        #expect(status.standardOutput.text.contains("not-a-tunnel-server"), "\(status.standardOutput.text)")
        relay.mend()
        let answer = try HTTPConnection(port: port).exchange(
            "POST", "/", fields: [("X-Token", TunnelPair.token)], body: Array("hello".utf8))
        #expect(answer.text == "hello")
        #expect(!server.log.contains { $0.contains("Session left") })
    }
}
