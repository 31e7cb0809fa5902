import Foundation
import Synchronization
import TestSupport
import Testing

/// Secrets are planted wherever there may be some; then everything that an agent tells is searched for them: each endpoint
/// that it describes, each command, its files, its log, and what it sends to others.
@Suite(.timeLimit(.minutes(3))) struct PlantedSecretsTests {
    private static let token = "planted-token-of-the-tunnel"
    /// The first 8 characters of a token may be seen.
    private static let secrets =
        [
            "token-of-the-tunnel", "planted-password", "planted-admin-token-1", "planted-operate-token-1",
            "planted-look-token-1", "planted-hook-secret-1", "planted-hook-path", "planted-hook-user",
            "planted-collector-key", "planted-url-password", "planted-bearer-1", "planted-set-field",
            "planted-basic", "planted-cookie", "planted-query", "planted-body", "planted-answer",
        ] + [Data("user:planted-basic".utf8).base64EncodedString()]

    /// Takes whatever is posted, and keeps the bodies.
    private final class Sink: Sendable {
        let bodies = ChildText()
        let origin: ScriptedOrigin

        init() throws {
            let bodies = bodies
            origin = try ScriptedOrigin { connection in
                while let request = try connection.readRequest() {
                    bodies.add(String(decoding: try connection.readBody(of: request), as: UTF8.self))
                    try connection.respond(200, text: "{}")
                }
            }
        }
    }

    private final class ChildText: Sendable {
        private let state = Mutex("")
        private let count = WaitableCounter()

        func add(_ text: String) {
            state.withLock { $0 += text + "\n" }
            count.add(1)
        }

        var all: String { state.withLock { $0 } }

        func wait(for count: Int) throws {
            try self.count.wait(for: count, within: .seconds(30), what: "bodies")
        }
    }

    private static func configuration(
        port: Int, origin: Int, hooks: Int, spans: Int, admin: Int, folder: String
    ) -> String {
        """
        log: { level: trace }
        control-socket: \(folder)/agent.sock
        admin: { listen: "127.0.0.1:\(admin)", token: planted-admin-token-1, operate-token: planted-operate-token-1, look-token: planted-look-token-1 }
        history: { file: \(folder)/history.db }
        tracing: { collector: "http://127.0.0.1:\(spans)", headers: [{ name: X-Key, value: planted-collector-key }] }
        webhooks:
          - { name: pager, url: "http://me:planted-hook-user@127.0.0.1:\(hooks)/planted-hook-path", secret: planted-hook-secret-1 }
        servers:
          - name: public
            host: 127.0.0.1
            port: \(port)
            passwords: [{ token: \(token), password: planted-password }]
            callers: { bearer: [planted-bearer-1], headers: { request: { set: { X-Secret: planted-set-field } } } }
        tunnels:
          - { name: web, tunnel: "ws://127.0.0.1:\(port)", server: "http://127.0.0.1:\(origin)", token: \(token), password: planted-password, connections: 1 }
          - { name: away, tunnel: "ws://user:planted-url-password@127.0.0.1:\(port)", server: "builtin:echo", token: \(token)-2 }

        """
    }

    private static func search(_ text: String, _ place: String) {
        #expect(!text.isEmpty, "\(place)")
        for secret in secrets { #expect(!text.contains(secret), "\(secret) in \(place)") }
    }

    @Test func nothingOfThemIsTold() throws {
        let folder = try TemporaryFolder()
        let (hooks, spans) = (try Sink(), try Sink())
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                _ = try connection.readBody(of: request)
                try connection.respond(
                    500, fields: [("Set-Cookie", "id=planted-cookie")], text: "planted-answer")
            }
        }
        let (port, admin) = (try freePort(), try freePort())
        let agent = try AgentProcess(
            configuration: Self.configuration(
                port: port, origin: origin.port, hooks: hooks.origin.port, spans: spans.origin.port,
                admin: admin, folder: folder.path))
        try agent.waitForSession(ofTunnel: "web")
        let caller = try HTTPConnection(port: port)
        let fields = [
            ("X-Token", Self.token), ("Authorization", "Bearer planted-bearer-1"),
            ("Cookie", "id=planted-cookie"),
        ]
        for target in ["/a?key=planted-query", "/b"] {
            #expect(
                try caller.exchange("POST", target, fields: fields, body: Array("planted-body".utf8)).status
                    == 500)
        }
        let basic = Data("user:planted-basic".utf8).base64EncodedString()
        #expect(
            try HTTPConnection(port: port).exchange(
                "GET", "/c?key=planted-query",
                fields: [("X-Token", Self.token), ("Authorization", "Basic \(basic)")]
            ).status == 401)
        try agent.waitForSession(ofTunnel: "away")
        try hooks.bodies.wait(for: 2)
        try spans.bodies.wait(for: 1)

        try Self.searchEndpoints(at: folder.path(of: "agent.sock"))
        for arguments in [
            ["status"], ["status", "--format", "json"], ["plan"], ["show"], ["urls"], ["events"], ["top"],
            ["history"], ["history", "--requests"], ["history", "--minutes"], ["doctor"], ["check"], ["bans"],
            ["diag", "--output", "-"], ["diag", "--offline", "--output", "-"], ["logs"],
        ] {
            let process = try wstunnel(arguments + ["--config", agent.configurationPath])
            if arguments == ["top"] {
                try process.standardOutput.waitForLine(containing: "web", within: .seconds(20))
                process.kill()
            } else {
                _ = try process.waitForExit()
            }
            let text = process.standardOutput.text + process.standardError.text
            // Some have nothing to tell.
            Self.search("-" + text, arguments.joined(separator: " "))
        }
        #expect(try agent.stop() == .code(0))
        Self.search(hooks.bodies.all, "webhooks")
        Self.search(spans.bodies.all, "spans")
        // The log tells of a request with its query, as access logs do.
        let log = agent.process.standardError.text.replacing("planted-query", with: "")
        Self.search(log, "the log")
        for file in try FileManager.default.contentsOfDirectory(atPath: folder.path)
        where file.hasPrefix("history.db") {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.path(of: file)))
            Self.search("-" + String(decoding: bytes, as: UTF8.self), file)
        }
    }

    /// Asks everything that the API says can be asked without changing anything.
    private static func searchEndpoints(at socket: String) throws {
        func get(_ target: String) throws -> HTTPResponse {
            try HTTPConnection(path: socket).exchange("GET", target)
        }
        let description = try get("/api/openapi.json")
        let document = try #require(
            JSONSerialization.jsonObject(with: Data(description.body)) as? [String: Any])
        let paths = try #require(document["paths"] as? [String: [String: Any]])
        var asked = 0
        for (path, methods) in paths where methods["get"] != nil {
            let name = path.contains("/servers/") ? "public" : "web"
            var target = path.replacing("{name}", with: name)
            // Those that do not end by themselves.
            if path == "/api/requests" { continue }
            if ["/api/events", "/api/logs"].contains(path) { target += "?follow=no" }
            let answer = try get(target)
            #expect(answer.status < 500, "\(target)")
            search("\(answer.head)" + answer.text, target)
            asked += 1
        }
        #expect(asked > 20)
    }
}
