import TestSupport
import Testing

/// `/_stats`, as operators of the Go program read it.
@Suite(.timeLimit(.minutes(1))) struct StatsTests {
    private static func lines(_ port: Int, _ path: String = "/_stats", fields: [(String, String)] = [])
        throws -> [Substring]
    {
        let answer = try HTTPConnection(port: port).exchange("GET", path, fields: fields)
        #expect(answer.status == 200 && answer.head["Content-Type"]?.hasPrefix("text/plain") == true)
        return answer.text.split(separator: "\n")
    }

    @Test func aCallerOnThisMachineSeesTunnelsAndClients() throws {
        let (arrived, hold) = (Gate(), Gate())
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                if request.target == "/held" {
                    arrived.open()
                    try hold.wait()
                }
                try connection.respond(text: "done")
            }
        }
        let pair = try TunnelPair(
            to: origin.url, serverOptions: ["max-clients-per-token: 3"], basePath: "/base")
        let token = TunnelPair.token
        let caller = try pair.connect()
        try caller.send("GET", "/base/held", fields: [("X-Token", token)])
        try arrived.wait()
        let lines = try Self.lines(pair.port, "/base/_stats")
        let hint = "\(token.prefix(8))..."
        #expect(lines.first == "tunnels=1")
        for line in [
            "max_requests_per_tunnel=20", "max_clients_per_token=3", "token_clients_\(hint)=1",
            "total_clients=1", "tunnel00_token=\(hint)", "tunnel00_req_pending=1",
            "tunnel00_client_version=wstunnel 0.1.0",
            "tunnel00_cli_addr=127.0.0.1", "req_pending=1", "dead_tunnels=0",
        ] {
            #expect(lines.contains { $0 == line }, "\(line) is not in \(lines)")
        }
        #expect(lines.contains { $0.hasPrefix("tunnel00_idle_secs=") })
        #expect(lines.contains { $0.wholeMatch(of: /tunnel00_tun_addr=127\.0\.0\.1:\d+/) != nil })
        #expect(!lines.contains { $0.contains(token) })
        hold.open()
        #expect(try caller.readResponse(toMethod: "GET").status == 200)
    }

    /// It is dead when nothing was heard of it for a minute, not as soon as it is away.
    @Test func aTunnelThatLeftIsStillTheOneItWas() throws {
        let pair = try TunnelPair(to: "builtin:echo", connections: 1)
        #expect(try pair.client.stop() == .code(0))
        try pair.server.waitForLog("Session left")
        let lines = try Self.lines(pair.port)
        #expect(lines.contains("tunnels=1") && lines.contains("dead_tunnels=0"), "\(lines)")
        #expect(lines.contains("tunnel00_client_version=wstunnel 0.1.0"))
        #expect(lines.contains { $0.hasPrefix("tunnel00_tun_addr=127.0.0.1:") })
        #expect(lines.contains { $0.wholeMatch(of: /tunnel00_idle_secs=[0-9]+\.[0-9]/) != nil })
        #expect(!lines.contains { $0.hasPrefix("total_clients") || $0.hasPrefix("token_clients") })
    }

    /// Who is behind a proxy on this machine is not on this machine, whatever it says.
    @Test(arguments: ["192.0.2.1", "127.0.0.1", "127.0.0.1, 127.0.0.1"])
    func othersSeeHowManyThereAre(forwardedFor: String) throws {
        let server = try AgentProcess(
            configuration: "servers: [{ name: public, host: 127.0.0.1, port: 0 }]")
        let port = try server.port(ofServer: "public")
        let lines = try Self.lines(port, fields: [("X-Forwarded-For", forwardedFor)])
        #expect(lines == ["tunnels=0", "More stats available when called from localhost..."])
    }

    @Test func aTrustedProxyIsBelieved() throws {
        let server = try AgentProcess(
            configuration: """
                servers: [{ name: public, host: 127.0.0.1, port: 0, trusted-proxies: [127.0.0.1] }]
                """)
        let port = try server.port(ofServer: "public")
        #expect(try Self.lines(port, fields: [("X-Forwarded-For", "127.0.0.1, 192.0.2.1")]).count == 2)
        #expect(try Self.lines(port, fields: [("X-Forwarded-For", "192.0.2.1, 127.0.0.1")]).count == 2)
        #expect(try Self.lines(port, fields: [("X-Forwarded-For", "127.0.0.1")]).count > 2)
        _ = try HTTPConnection(port: port).exchange(
            "GET", "/_stats", fields: [("X-Forwarded-For", "203.0.113.7, 192.0.2.1")])
        let line = try server.waitForLog("Request", ["path": "/_stats", "caller.address": "192.0.2.1"])
        #expect(line["status"] == "200")
    }
}
