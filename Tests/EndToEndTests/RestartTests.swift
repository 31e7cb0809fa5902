import Glibc
import TestSupport
import Testing

/// A server is killed and started again, with nothing handed over.
@Suite(.timeLimit(.minutes(1))) struct RestartTests {
    private static let host = "web.restart.test"
    private static let ofHost = "restart-host-token-1"
    private static let secret = "restart-secret-token-1"
    private static let unnamed = "restart-unnamed-token"

    private static func startServer(port: Int) throws -> AgentProcess {
        let lines = [
            "version: 1", "servers:", "  - name: public", "    host: 127.0.0.1", "    port: \(port)",
            "    passwords: [{ token: \(secret), password: s3cret }]",
            "    hosts: [{ host: \(host), token: \(ofHost) }]",
        ]
        return try AgentProcess(configuration: lines.joined(separator: "\n") + "\n")
    }

    private static func startClient(port: Int, to origin: String) throws -> AgentProcess {
        let url = "ws://127.0.0.1:\(port)"
        let entries = [(ofHost, []), (secret, ["password: s3cret"]), (unnamed, [])].enumerated().map {
            Configuration.entry(
                name: "t\($0)", tunnel: url, to: origin, token: $1.0, options: ["connections: 1"] + $1.1)
        }
        return try AgentProcess(configuration: "version: 1\ntunnels:\n" + entries.joined())
    }

    @Test func requestsForTunnelsThatTheConfigurationNamesWaitForThem() throws {
        let origin = try ScriptedOrigin.echo()
        let port = try freePort()
        let first = try Self.startServer(port: port)
        let oldClient = try Self.startClient(port: port, to: origin.url)
        try first.waitForSessions(3)
        for agent in [first, oldClient] {
            agent.process.send(signal: SIGKILL)
            _ = try agent.process.waitForExit()
        }

        let second = try Self.startServer(port: port)
        let named = try [[("X-Token", Self.secret)], [("Host", Self.host)]].map { fields in
            let caller = try HTTPConnection(port: port)
            let lines = fields + (fields[0].0 == "Host" ? [] : [("Host", "any.test")])
            try caller.socket.writeHead("GET /waits HTTP/1.1", lines)
            return caller
        }
        // Of any other it is not known whether there ever was one.
        let stranger = try HTTPConnection(port: port)
        #expect(try stranger.exchange("GET", "/", fields: [("X-Token", Self.unnamed)]).status == 404)

        let client = try Self.startClient(port: port, to: origin.url)
        for caller in named { #expect(try caller.readResponse().status == 200) }
        try second.waitForSessions(3)
        #expect(try stranger.exchange("GET", "/", fields: [("X-Token", Self.unnamed)]).status == 200)
        #expect(client.process.exit == nil)
    }
}
