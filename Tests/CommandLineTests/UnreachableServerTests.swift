import Foundation
import TestSupport
import Testing

/// A tunnel client whose server is away, or is no tunnel server: it says so, tries again, costs nothing, and
/// ends at once when it is told to.
@Suite(.timeLimit(.minutes(1))) struct UnreachableServerTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let code: String
        /// Part of the message.
        let words: String
        let script: ScriptedOrigin.Script
    }

    static let answers: [Example] = [
        Example(
            testDescription: "unauthorized", code: "rejected",
            words: "the server answered 401: Unauthorized — password missing or wrong, or token not listed",
            script: { connection in
                _ = try connection.readRequest()
                try connection.respond(401, fields: [("WWW-Authenticate", "Basic")], text: "Unauthorized\n")
            }),
        Example(
            testDescription: "not found, on a connection that stays", code: "rejected",
            words: "nothing here — is this a wstunnel server? is the base path right?",
            script: { connection in
                _ = try connection.readRequest()
                try connection.respond(404, text: "nothing here\n")
                _ = connection.waitForEnd()
            }),
        Example(
            testDescription: "a web page", code: "rejected",
            words: "the server answered 200: Scripted — is this a wstunnel server?",
            script: { connection in
                _ = try connection.readRequest()
                let page = "<!DOCTYPE html>\n" + String(repeating: "<p>Welcome</p>\n", count: 10_000)
                try connection.respond(200, fields: [("Content-Type", "text/html")], text: page)
            }),
        Example(
            testDescription: "a redirect", code: "rejected", words: "the server answered 302",
            script: { connection in
                _ = try connection.readRequest()
                try connection.respond(302, fields: [("Location", "/elsewhere")], text: "")
            }),
        Example(
            testDescription: "garbage", code: "not-a-tunnel-server", words: "does not speak HTTP",
            script: { connection in
                try connection.socket.write("SSH-2.0-OpenSSH_9.2\r\n\r\n")
                _ = connection.waitForEnd()
            }),
        Example(
            testDescription: "bytes without end", code: "not-a-tunnel-server", words: "does not speak HTTP",
            script: { connection in
                while true { try connection.socket.write([UInt8](repeating: 65, count: 65_536)) }
            }),
        Example(
            testDescription: "a head without end", code: "not-a-tunnel-server", words: "does not speak HTTP",
            script: { connection in
                try connection.socket.write("HTTP/1.1 101 Switching Protocols\r\n")
                while true {
                    try connection.socket.write("X-Padding: \(String(repeating: "x", count: 1000))\r\n")
                }
            }),
        Example(
            testDescription: "a close at once", code: "unreachable",
            words: "the connection was closed during the handshake",
            script: { connection in _ = try connection.readRequest() }),
        Example(
            testDescription: "a wrong accept", code: "not-a-tunnel-server",
            words: "the server's 101 opens no WebSocket",
            script: { connection in
                _ = try connection.readRequest()
                try connection.writeHead(
                    101,
                    fields: [
                        ("Connection", "Upgrade"), ("Upgrade", "websocket"),
                        ("Sec-WebSocket-Protocol", "wstunnel.v2"),
                        ("Sec-WebSocket-Accept", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
                    ])
            }),
        Example(
            testDescription: "another WebSocket", code: "not-a-tunnel-server",
            words: "the server chose a WebSocket subprotocol that we did not offer",
            script: { connection in
                guard let request = try connection.readRequest() else { return }
                try connection.acceptWebSocket(request, fields: [("Sec-WebSocket-Protocol", "mqtt")])
                _ = connection.waitForEnd()
            }),
    ]

    private static func client(_ url: String) throws -> AgentProcess {
        try AgentProcess(
            configuration: """
                log: { level: debug }
                tunnels:
                  - { name: web, tunnel: "\(url)", server: "builtin:echo", token: "unreachable-token-1", connections: 1 }
                """)
    }

    private static func expectQuickEnd(_ agent: AgentProcess) throws {
        let start = ContinuousClock.now
        #expect(try agent.stop() == .code(0))
        // A dial has 10 s, and the wait before the next may be longer.
        #expect(ContinuousClock.now - start < .seconds(8))
    }

    @Test(arguments: answers) func answersThatAreNoTunnelAreNamedAndTriedAgain(_ example: Example) throws {
        let server = try ScriptedOrigin(example.script)
        let agent = try Self.client("ws://127.0.0.1:\(server.port)")
        let line = try agent.waitForLog("Cannot connect", ["error.code": example.code])
        #expect(line["error.message"]?.contains(example.words) == true, "\(line["error.message"] ?? "")")
        #expect(line["level"] == "warning")
        #expect(line["tunnel.url"] == "ws://127.0.0.1:\(server.port)")
        if line["error.message"]?.contains("401") != true { try server.waitForConnections(3) }
        #expect(try agent.process.residentBytes() < 120 << 20)
        try Self.expectQuickEnd(agent)
    }

    @Test func aRefusedConnectionIsNamedAndTriedAgain() throws {
        let port = try freePort()
        let agent = try Self.client("ws://127.0.0.1:\(port)")
        let line = try agent.waitForLog("Cannot connect", ["error.code": "unreachable"])
        #expect(line["error.message"]?.contains("connection refused") == true)
        let server = try ScriptedOrigin(port: port) { _ in }
        try server.waitForConnections(1)
        try Self.expectQuickEnd(agent)
    }

    @Test func anUnresolvableNameIsNamed() throws {
        let agent = try Self.client("ws://no-such-host.invalid")
        let line = try agent.waitForLog("Cannot connect", ["error.code": "unreachable"])
        #expect(line["error.message"]?.contains("no-such-host.invalid") == true)
        try Self.expectQuickEnd(agent)
    }

    @Test func tlsToAPlainPortIsNamed() throws {
        let server = try AgentProcess(configuration: serverAlone)
        let agent = try Self.client("wss://127.0.0.1:\(server.port(ofServer: "public"))")
        let line = try agent.waitForLog("Cannot connect", ["error.code": "unreachable"])
        #expect(line["error.message"]?.contains("TLS") == true, "\(line["error.message"] ?? "")")
        try Self.expectQuickEnd(agent)
    }

    @Test func aServerThatNeverAnswersHoldsTheEndUpForNoTime() throws {
        let server = try ScriptedOrigin { connection in _ = connection.waitForEnd(within: .seconds(40)) }
        let agent = try Self.client("ws://127.0.0.1:\(server.port)")
        try server.waitForConnections(1)
        try Self.expectQuickEnd(agent)
    }

    @Test func aRefusedPasswordIsTriedSlowly() throws {
        let server = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.respond(401, text: "Unauthorized\n")
        }
        let agent = try Self.client("ws://127.0.0.1:\(server.port)")
        let line = try agent.waitForLog("Cannot connect")
        let delay = line["retry.delay.ms"].flatMap { Double($0) } ?? 0
        #expect(delay >= 22_000 && delay <= 38_000, "\(line.fields)")
        try Self.expectQuickEnd(agent)
    }

    @Test func aServerThatIsAwayIsComplainedOfOnce() throws {
        let server = try ScriptedOrigin { connection in _ = try connection.readRequest() }
        let agent = try Self.client("ws://127.0.0.1:\(server.port)")
        try server.waitForConnections(5)
        let lines = try agent.log.map { try LogfmtLine($0) }.filter { $0["message"] == "Cannot connect" }
        #expect(lines.count { $0["level"] == "warning" } == 1)
        #expect(lines.count { $0["level"] == "debug" } >= 3)
        // The first has nothing to count; each of the others does.
        #expect(lines.prefix(4).map { $0["failure.count"] } == [nil, "2", "3", "4"])
        #expect(Set(lines.prefix(4).dropFirst().map { $0["failure.since"]?.suffix(5) }) == [".000Z"])
        try Self.expectQuickEnd(agent)
    }

    @Test func idlingAndRetryingCostNothing() throws {
        let away = try ScriptedOrigin { _ in }
        let port = try freePort()
        let agent = try AgentProcess(
            configuration: pairConfiguration(port: port, origin: "builtin:echo", token: "unreachable-token-2")
                + """

                  - { name: away, tunnel: "ws://127.0.0.1:\(away.port)", server: "builtin:echo", token: "unreachable-token-3" }
                """)
        try agent.waitForSession(ofTunnel: "web")
        try away.waitForConnections(4)
        #expect(try agent.process.processorShare(over: 3) < 0.03)
        #expect(try agent.stop() == .code(0))
    }
}
