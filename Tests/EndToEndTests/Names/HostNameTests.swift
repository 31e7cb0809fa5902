import Foundation
import TestSupport
import Testing

/// Names that a server lists: patterns, paths, and every other host.
@Suite(.timeLimit(.minutes(1))) struct HostNameTests {
    private static func token(_ name: String) -> String { "listed-name-token-\(name)" }

    private static func server(port: Int, _ hosts: [String]) -> String {
        "servers:\n  - { name: public, host: 127.0.0.1, port: \(port), hosts: [\(hosts.joined(separator: ", "))] }\n"
    }

    private static func tunnels(port: Int, _ names: [String], at origin: PathOrigin) -> String {
        "tunnels:\n"
            + names.map { name in
                Configuration.entry(
                    name: name, tunnel: "ws://127.0.0.1:\(port)", to: origin.url(name), token: token(name),
                    options: ["connections: 1"])
            }.joined()
    }

    @Test func theMostExactNameAndTheLongestPathDecide() throws {
        let origin = try PathOrigin()
        let port = try freePort()
        let names = ["app", "api", "any", "rest"]
        let entry = { (host: String, path: String, name: String) in
            "{ host: \"\(host)\", path: \"\(path)\", token: \(Self.token(name)) }"
        }
        let hosts = [
            entry("App.example.com", "", "app"), entry("app.example.com", "/api", "api"),
            entry("*.example.com", "", "any"), entry("*", "", "rest"),
        ]
        let world = try ReloadedAgent(
            Self.server(port: port, hosts) + Self.tunnels(port: port, names, at: origin))
        for name in names { try world.waitForTunnel(name) }
        let caller = try HTTPConnection(port: port)
        for (host, path, expected) in [
            ("app.example.com", "/x", "/app/x"), ("APP.example.com:8080", "/api/x?y", "/api/api/x?y"),
            ("app.example.com", "/apiary", "/app/apiary"), ("app.example.com.", "/api/%78", "/api/api/%78"),
            ("other.example.com", "/api", "/any/api"), ("a.b.example.com", "/", "/rest/"),
            ("127.0.0.1:\(port)", "/", "/rest/"), ("[::1]", "/", "/rest/"),
        ] {
            #expect(try caller.get(path, host: host).text == expected, "\(host)\(path)")
        }
        // Which name this is depends on the origin.
        let ambiguous = try caller.get("/x/../api", host: "app.example.com")
        #expect(ambiguous.status == 400 && ambiguous.text.contains("in more than one way"))
        // A token counts more than a name.
        let byToken = try caller.exchange("GET", "/y", fields: [("X-Token", Self.token("any"))])
        #expect(byToken.text == "/any/y")
        let urls = try wstunnel(["urls", "--config", world.agent.configurationPath])
        #expect(try urls.waitForExit() == .code(0))
        #expect(
            urls.standardOutput.lines == [
                "http://*.example.com:\(port)/", "http://*:\(port)/", "http://app.example.com:\(port)/",
                "http://app.example.com:\(port)/api",
            ])
        #expect(try world.agent.stop() == .code(0))
    }

    /// A request that waits for the tunnel of a name goes where the name leads when that changes.
    @Test func aNameThatMovesTakesItsWaitingRequestsAlong() throws {
        let origin = try PathOrigin()
        let port = try freePort()
        let text = { (name: String) in
            Self.server(port: port, ["{ host: app.test, token: \(Self.token(name)) }"])
                + Self.tunnels(port: port, ["new"], at: origin)
        }
        let world = try ReloadedAgent(text("old"))
        try world.waitForTunnel("new")
        let waiting = try (0..<8).map { _ in try HTTPConnection(port: port) }
        for caller in waiting { try caller.send("GET /w HTTP/1.1\r\nHost: app.test\r\n\r\n") }
        try world.waitForStatus("eight wait") { $0.servers.first?.waiting == 8 }
        #expect(try world.applied(text("new")) == ["update server public: hosts"])
        for caller in waiting { #expect(try caller.readResponse().text == "/new/w") }
        #expect(try world.agent.stop() == .code(0))
    }

    /// A name goes to and fro between two tunnels while callers use it: each request is answered by one of the two.
    @Test func aNameMovesUnderLoadWithoutALostRequest() throws {
        let origin = try PathOrigin()
        let port = try freePort()
        let text = { (name: String) in
            Self.server(port: port, ["{ host: app.test, token: \(Self.token(name)) }"])
                + Self.tunnels(port: port, ["one", "two"], at: origin)
        }
        let world = try ReloadedAgent(text("one"))
        for name in ["one", "two"] { try world.waitForTunnel(name) }
        let stop = Gate()
        let callers = (0..<4).map { _ in
            Background { () -> Set<String> in
                var seen: Set<String> = []
                let caller = try HTTPConnection(port: port)
                while !stop.isOpen {
                    let answer = try caller.get(host: "app.test")
                    guard answer.status == 200 else { throw TestFailure("\(answer.status) \(answer.text)") }
                    seen.insert(answer.text)
                }
                return seen
            }
        }
        for _ in 0..<4 {
            #expect(try world.apply(text("two")) == .applied)
            #expect(try HTTPConnection.get(host: "app.test", port: port).text == "/two/")
            #expect(try world.apply(text("one")) == .applied)
            #expect(try HTTPConnection.get(host: "app.test", port: port).text == "/one/")
        }
        stop.open()
        var seen: Set<String> = []
        for caller in callers { seen.formUnion(try caller.value()) }
        #expect(seen == ["/one/", "/two/"])
        #expect(try world.agent.stop() == .code(0))
    }
}
