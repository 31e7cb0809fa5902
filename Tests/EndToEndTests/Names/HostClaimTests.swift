import Foundation
import TestSupport
import Testing

/// Names that tunnel clients ask for.
@Suite(.timeLimit(.minutes(2))) struct HostClaimTests {
    private static func token(_ name: some CustomStringConvertible) -> String { "claimed-name-token-\(name)" }

    /// A server that gives out names below `t.test`, and the tunnels' side of a test.
    private struct World {
        let server: ReloadedAgent
        let port: Int
        let origin: PathOrigin

        init(_ claims: String = "{ domain: t.test }", _ options: [String] = []) throws {
            port = try freePort()
            origin = try PathOrigin()
            server = try ReloadedAgent(Self.text(port: port, claims, options))
        }

        static func text(port: Int, _ claims: String, _ options: [String] = []) -> String {
            ([
                "servers:", "  - name: public", "    host: 127.0.0.1", "    port: \(port)",
                "    host-claims: \(claims)",
            ]
                + options.map { "    \($0)" }).joined(separator: "\n") + "\n"
        }

        /// The tunnels' side: names of tunnels, and what each asks for.
        func tunnels(_ claims: KeyValuePairs<String, String>) -> String {
            "tunnels:\n"
                + claims.map { name, hosts in
                    Configuration.entry(
                        name: name, tunnel: "ws://127.0.0.1:\(port)", to: origin.url(name),
                        token: HostClaimTests.token(name), options: ["connections: 1", "hosts: \(hosts)"])
                }.joined()
        }

        func get(_ host: String, _ path: String = "/") throws -> HTTPResponse {
            try HTTPConnection.get(path, host: host, port: port)
        }
    }

    @Test func aTunnelGetsTheNamesThatItAsksForAndBothEndsSayWhich() throws {
        let world = try World("{ domain: t.test, allow: [\"*\", app.example.com], reserved: [www] }")
        let client = try ReloadedAgent(world.tunnels(["a": "[app, App.example.com, www, x.y.z]"]))
        let granted = "http://app.t.test:\(world.port)/"
        try client.agent.waitForLog("Host name granted", ["host.claim": "app", "host.name": granted])
        try client.agent.waitForLog("Host name granted", ["host.claim": "app.example.com"])
        try client.agent.waitForLog(
            "Host name refused",
            ["host.claim": "www", "error.message": "the server reserves it for others"])
        try client.agent.waitForLog("Host name refused", ["host.claim": "x.y.z"])
        try world.server.agent.waitForLog("Host name granted", ["host.name": granted])
        try world.server.agent.waitForLog("Host names refused")
        for host in ["app.t.test", "APP.T.test:80", "app.example.com"] {
            #expect(try world.get(host, "/x").text == "/a/x", "\(host)")
        }
        #expect(try world.get("www.t.test").status == 400)

        let urls = try wstunnel(["urls", "--config", client.agent.configurationPath])
        #expect(try urls.waitForExit() == .code(69))
        #expect(urls.standardOutput.lines == ["http://app.example.com:\(world.port)/", granted])
        #expect(urls.standardError.text.contains("www: the server reserves it for others"))
        let served = try wstunnel(["urls", "--config", world.server.agent.configurationPath])
        #expect(try served.waitForExit() == .code(0))
        #expect(served.standardOutput.lines == ["http://app.example.com:\(world.port)/", granted])
        let status = try wstunnel(["status", "--config", client.agent.configurationPath])
        _ = try status.waitForExit()
        #expect(status.standardOutput.text.contains(granted) && status.standardOutput.text.contains("x.y.z"))
        #expect(try client.agent.stop() == .code(0))
        #expect(try world.server.agent.stop() == .code(0))
    }

    @Test func aServerWithoutClaimsSaysSo() throws {
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(port)", to: "builtin:echo", options: ["hosts: app"]))
        let line = try client.waitForLog("Host name refused", ["host.claim": "app"])
        #expect(line["error.message"]?.contains("no host-claims") == true)
    }

    /// Whom the public URL is for stands before the server.
    @Test func theURLIsThatOfTheProxyInFront() throws {
        let world = try World("{ domain: t.test }", ["base-path: /w", "public-url: https://t.test"])
        let client = try ReloadedAgent(
            world.tunnels(["a": "app"]).replacing(":\(world.port)\n", with: ":\(world.port)/w\n"))
        try client.agent.waitForLog("Host name granted", ["host.name": "https://app.t.test/w/"])
        #expect(try world.get("app.t.test", "/w/x").text == "/a/x")
    }

    @Test func aRandomNameOutlivesItsServer() throws {
        let world = try World()
        let client = try ReloadedAgent(world.tunnels(["a": "random", "b": "random"]))
        let first = try client.agent.waitForLog("Host name granted", ["tunnel.name": "a"])["host.name"] ?? ""
        let host = try #require(URL(string: first)?.host)
        #expect(host.hasSuffix(".t.test") && host.count == 12 + ".t.test".count)
        #expect(try world.get(host).text == "/a/")
        #expect(try world.server.agent.stop() == .code(0))
        let second = try ReloadedAgent(World.text(port: world.port, "{ domain: t.test }"))
        // Its session asks for the name when it has joined.
        try second.agent.waitForLog("Host name granted", ["host.name": first])
        #expect(try world.get(host).text == "/a/")
        #expect(try client.agent.stop() == .code(0))
    }

    /// The owner is killed: nobody else gets its name, and requests wait for it.
    @Test func aNameWaitsForItsOwner() throws {
        let world = try World()
        let owner = try ReloadedAgent(world.tunnels(["a": "app"]))
        try owner.agent.waitForLog("Host name granted")
        let other = try ReloadedAgent(world.tunnels(["b": "app"]))
        try other.agent.waitForLog("Host name refused", ["error.message": "another tunnel has it"])
        owner.agent.process.send(signal: SIGKILL)
        _ = try owner.agent.process.waitForExit()
        try world.server.agent.waitForLog("Session left")
        let caller = try HTTPConnection(port: world.port)
        try caller.send("GET /late HTTP/1.1\r\nHost: app.t.test\r\n\r\n")
        try world.server.waitForStatus("one waits") { $0.servers.first?.waiting == 1 }
        let again = try ReloadedAgent(world.tunnels(["a": "app"]))
        try again.agent.waitForLog("Host name granted")
        #expect(try caller.readResponse().text == "/a/late")
        #expect(try again.agent.stop() == .code(0))
        // It has left in order, so who waits is next.
        try other.agent.waitForLog("Host name granted")
        #expect(try world.get("app.t.test").text == "/b/")
    }

    /// The reload of a client's file that gives a name to another tunnel.
    @Test func aNameMovesFromTunnelToTunnelWithoutALostRequest() throws {
        let world = try World()
        let client = try ReloadedAgent(world.tunnels(["a": "app", "b": "other"]))
        try client.agent.waitForLog("Host name granted", ["host.claim": "app"])
        let stop = Gate()
        let callers = (0..<4).map { _ in
            Background { () -> Set<String> in
                var seen: Set<String> = []
                let caller = try HTTPConnection(port: world.port)
                while !stop.isOpen {
                    let answer = try caller.get(host: "app.t.test")
                    guard answer.status == 200 else { throw TestFailure("\(answer.status) \(answer.text)") }
                    seen.insert(answer.text)
                }
                return seen
            }
        }
        for round in 0..<4 {
            let (before, after) = round % 2 == 0 ? ("a", "b") : ("b", "a")
            let start = client.agent.log.count
            #expect(try client.apply(world.tunnels([before: "other", after: "app"])) == .applied)
            try client.agent.waitForLog(
                "Host name granted", ["host.claim": "app", "tunnel.name": after], from: start)
            #expect(try world.get("app.t.test").text == "/\(after)/")
        }
        stop.open()
        var seen: Set<String> = []
        for caller in callers { seen.formUnion(try caller.value()) }
        #expect(seen == ["/a/", "/b/"])
        #expect(try client.agent.stop() == .code(0))
    }

    @Test func aReloadOfTheServerTakesAndGivesNames() throws {
        let world = try World()
        let client = try ReloadedAgent(world.tunnels(["a": "[app, api]"]))
        try client.agent.waitForLog("Host name granted", ["host.claim": "api"])
        var start = client.agent.log.count
        let narrower = World.text(port: world.port, "{ domain: t.test, reserved: [app] }")
        #expect(try world.server.applied(narrower) == ["update server public: host-claims"])
        try client.agent.waitForLog("Host name refused", ["host.claim": "app"], from: start)
        #expect(try world.get("app.t.test").status == 400)
        #expect(try world.get("api.t.test").text == "/a/")
        start = client.agent.log.count
        let own = World.text(
            port: world.port, "{ domain: t.test, reserved: [app] }",
            ["passwords: [{ token: \(Self.token("a")), password: x, host-claims: { allow: [app] } }]"])
        // A password that the client does not have: its session has to leave.
        #expect(try world.server.apply(own) == .applied)
        try world.server.agent.waitForLog("Session left")
        #expect(try world.server.apply(World.text(port: world.port, "{ domain: t.test }")) == .applied)
        try client.agent.waitForLog("Host name granted", ["host.claim": "app"], from: start)
        #expect(try world.get("app.t.test").text == "/a/")
    }

    /// Many tunnels fight for few names, while the server reloads and owners leave: a name has one owner at a time, and its
    /// requests are answered.
    @Test func whoeverFightsForNamesThereIsOneOwner() throws {
        let isLong = ProcessInfo.processInfo.environment["WSTUNNEL_SLOW_TESTS"] != nil
        let (clients, names) = isLong ? (1000, 100) : (60, 6)
        let world = try World("{ domain: t.test }")
        let text = { (gone: Set<Int>) in
            "tunnels:\n"
                + (0..<clients).filter { !gone.contains($0) }.map { number in
                    Configuration.entry(
                        name: "c\(number)", tunnel: "ws://127.0.0.1:\(world.port)",
                        to: world.origin.url("\(number)"), token: Self.token(number),
                        options: ["connections: 1", "hosts: n\(number % names)"])
                }.joined()
        }
        let client = try ReloadedAgent(text([]))
        try world.server.waitForStatus("all are up", within: .seconds(60)) {
            $0.servers.first?.sessions == clients
        }
        func owners() throws -> [Int] {
            let caller = try HTTPConnection(port: world.port)
            return try (0..<names).map { name in
                let answer = try caller.get(host: "n\(name).t.test")
                let number = Int(answer.text.split(separator: "/").first ?? "")
                guard let number, number % names == name else {
                    throw TestFailure("n\(name): \(answer.status) \(answer.text)")
                }
                return number
            }
        }
        var gone: Set<Int> = []
        var current = try owners()
        for round in 0..<3 {
            let claims =
                round % 2 == 0 ? "{ domain: t.test, per-token: 5 }" : "{ domain: t.test, reserved: [x] }"
            #expect(try world.server.apply(World.text(port: world.port, claims)) == .applied)
            #expect(try owners() == current, "a reload of the server changes no owner")
            // Owners leave, one in three: their names go to others, without a request that is lost meanwhile.
            let leaving = Set(current.enumerated().filter { $0.offset % 3 == round }.map(\.element))
            gone.formUnion(leaving)
            let remaining = text(gone)
            let reload = Background { try client.apply(remaining) }
            var last = current
            while !reload.isOver {
                let now = try owners()
                for (name, owner) in now.enumerated() where owner != last[name] {
                    #expect(leaving.contains(last[name]), "n\(name) left \(last[name]), who stays")
                }
                last = now
            }
            #expect(try reload.value() == .applied)
            try world.server.waitForStatus("they have left", within: .seconds(60)) {
                $0.servers.first?.sessions == clients - gone.count
            }
            current = try owners()
            #expect(current.allSatisfy { !gone.contains($0) })
        }
        #expect(try client.agent.stop() == .code(0))
        #expect(try world.server.agent.stop() == .code(0))
    }
}
