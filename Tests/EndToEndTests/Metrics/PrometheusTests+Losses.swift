import Foundation
import TestSupport
import Testing

extension PrometheusTests {
    /// Binds where a broken listener was, before its agent has it again.
    private static func takePlace(of socket: HeldSocket) throws -> HeldSocket {
        for _ in 0..<20 {
            socket.breakOff()
            if let other = try? HeldSocket(port: socket.port) { return other }
        }
        throw TestFailure("the agent was always faster")
    }

    @Test func whatIsLostAndRefusedIsToldOf() throws {
        let adminPort = try freePort()
        let (shaky, strict) = (try freePort(), try freePort())
        // The agent's and ours, as a service manager's.
        let socket = try HeldSocket(port: freePort())
        let relay = try FaultyRelay(to: shaky, RelayFaults { $0.cutAfter = .seconds(1) })
        let folder = try TemporaryFolder()
        let text = """
            admin: { listen: "127.0.0.1:\(adminPort)", token: \(WatchedAgent.token) }
            servers:
              - { name: public, host: 127.0.0.1, port: \(socket.port) }
              - { name: shaky, host: 127.0.0.1, port: \(shaky) }
              - name: strict
                host: 127.0.0.1
                port: \(strict)
                max-sessions-per-token: 2
                passwords: [{ token: lossy-agent-stranger, password: the-right-one }]
            defaults:
              tunnel: { server: "builtin:echo", reconnect-delay: 1s, connections: 6 }
            tunnels:
              - name: flapping
                tunnel: ws://127.0.0.1:\(relay.port)
                token: lossy-agent-flapping
                # Long polling would get over it.
                transport: websocket
              - { name: crowd, tunnel: "ws://127.0.0.1:\(strict)", token: lossy-agent-crowded }
              - name: stranger
                tunnel: ws://127.0.0.1:\(strict)
                token: lossy-agent-stranger
                password: a-wrong-one

            """
        try folder.write(text, to: "tunnels.yaml")
        let agent = try ServiceManagerTests.start(folder, [("public", socket)])
        try agent.standardError.waitForLine(containing: "Agent running")
        let prometheus = try Prometheus(scraping: adminPort, token: WatchedAgent.token)
        let usurper = try Self.takePlace(of: socket)
        try prometheus.waitForAlerts([
            "WstunnelServerNotListening", "WstunnelClientsRefused", "WstunnelSessionsLost",
            "WstunnelTunnelFlaps",
        ])
        #expect(try prometheus.subjects(ofAlert: "WstunnelServerNotListening", "server") == ["public"])
        #expect(try prometheus.subjects(ofAlert: "WstunnelClientsRefused", "server") == ["strict"])
        // Who has no room, and who was wrong about the password ten times.
        for reason in ["too-many-sessions-of-token", "throttled"] {
            try prometheus.wait(forResultOf: "ALERTS{reason=\"\(reason)\",alertstate=\"firing\"}")
        }
        #expect(try prometheus.subjects(ofAlert: "WstunnelSessionsLost", "server") == ["shaky"])
        #expect(try prometheus.subjects(ofAlert: "WstunnelTunnelFlaps", "tunnel") == ["flapping"])

        // What is mended is told of no more.
        usurper.breakOff()
        relay.mend()
        try prometheus.wait(
            forResultOf: #"wstunnel_server_listening{server="public"} == 1"#, within: .seconds(60))
        #expect(try HTTPConnection(port: socket.port).exchange("GET", "/_health_check").status == 200)
        for rule in try prometheus.rules() { #expect(rule.health == "ok", "\(rule)") }
        agent.send(signal: SIGTERM)
        #expect(try agent.waitForExit() == .code(0))
    }
}
