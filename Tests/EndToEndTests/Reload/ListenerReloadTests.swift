import Foundation
import TestSupport
import Testing

/// Servers that move, swap and are renamed while they are in use.
@Suite(.timeLimit(.minutes(1))) struct ListenerReloadTests {
    private static let token = "listener-test-token1"

    /// Servers in an agent of their own, the tunnel's client in another.
    private static func servers(_ list: [(name: String, host: String, port: Int)]) -> String {
        let entries = list.map { "  - { name: \($0.name), host: \($0.host), port: \($0.port) }\n" }
        return "shutdown-grace: 20s\nservers:\n" + entries.joined()
    }

    /// Asks on new connections until nobody listens any more.
    private static func askUntilClosed(_ port: Int) -> Background<Int> {
        Background {
            var answers = 0
            while let caller = try? HTTPConnection(port: port) {
                let answer = try caller.exchange("POST", "/echo", fields: [("X-Token", token)], body: [7])
                guard answer.status == 200 else { throw TestFailure("\(answer.status) after \(answers)") }
                answers += 1
                caller.close()
            }
            return answers
        }
    }

    @Test func aServerMovesUnderLoadAndKeepsItsTunnelsAndRequests() throws {
        let origin = try HoldingOrigin("origin")
        let (old, new) = (try freePort(), try freePort())
        let world = try ReloadedAgent(Self.servers([("public", "127.0.0.1", old)]))
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(old)", to: origin.url, token: Self.token,
                options: ["connections: 2"]))
        try world.agent.waitForSessions(2)
        let held = try origin.hold(port: old, token: Self.token)
        let stream = try origin.stream(port: old, token: Self.token)
        let callers = (0..<3).map { _ in Self.askUntilClosed(old) }
        #expect(
            try world.applied(Self.servers([("public", "127.0.0.1", new)])) == ["replace server public: port"]
        )
        let load = SteadyLoad(port: new, token: Self.token)
        for caller in callers { #expect(try caller.value() > 0) }
        #expect(try held.finish() == "origin")
        try stream.finish()
        #expect(try HTTPConnection.ask(port: new, token: Self.token) == "origin")
        // Every address, on the same port; then back.
        for host in ["0.0.0.0", "127.0.0.1"] {
            #expect(
                try world.applied(Self.servers([("public", host, new)])) == ["replace server public: host"])
            #expect(try HTTPConnection.ask(port: new, token: Self.token) == "origin", "\(host)")
        }
        let (faults, _) = try load.stop()
        #expect(faults.isEmpty)
        // The sessions are the first ones.
        #expect(client.log.count { $0.contains(#"message="Session ready""#) } == 2)
        #expect(try world.status().servers.map(\.sessions) == [2])
        #expect(try client.stop() == .code(0))
        #expect(try world.agent.stop() == .code(0))
    }

    @Test func twoServersSwapPortsAndOneIsRenamedUnderLoad() throws {
        let origin = try HoldingOrigin("origin")
        let (one, two) = (try freePort(), try freePort())
        let world = try ReloadedAgent(Self.servers([("a", "127.0.0.1", one), ("b", "127.0.0.1", two)]))
        // A tunnel at each, so that either port always has one whichever server is behind it.
        let client = try ReloadedAgent(
            "tunnels:\n"
                + [one, two].map { port in
                    Configuration.entry(
                        name: "at-\(port)", tunnel: "ws://127.0.0.1:\(port)", to: origin.url,
                        token: Self.token,
                        options: ["connections: 1", "reconnect-delay: 1s"])
                }.joined())
        try client.waitForTunnel("at-\(one)")
        try client.waitForTunnel("at-\(two)")
        let before = try client.status()
        let loads = [one, two].map {
            SteadyLoad(port: $0, token: Self.token, [.short, .kept, .upload, .download])
        }
        let held = try [one, two].map { try origin.hold(port: $0, token: Self.token) }
        #expect(
            try world.applied(Self.servers([("a", "127.0.0.1", two), ("b", "127.0.0.1", one)]))
                == ["replace server a: port", "replace server b: port"])
        for port in [one, two] { #expect(try HTTPConnection.ask(port: port, token: Self.token) == "origin") }
        for request in held { #expect(try request.finish() == "origin") }
        for tunnel in before.tunnels.map(\.name) {
            #expect(try client.status().connections(of: tunnel) == before.connections(of: tunnel))
        }
        #expect(try world.status().servers.map(\.address) == ["127.0.0.1:\(two)", "127.0.0.1:\(one)"])

        let first = Self.servers([("a", "127.0.0.1", one), ("b", "127.0.0.1", two)])
        #expect(try world.applied(first) == ["replace server a: port", "replace server b: port"])

        // A name is an identity: the server of the new name waits for the tunnels of the old one, and so do callers.
        #expect(
            try world.applied(Self.servers([("renamed", "127.0.0.1", one), ("b", "127.0.0.1", two)]))
                == ["start server renamed", "stop server a"])
        #expect(try HTTPConnection.ask(port: one, token: Self.token) == "origin")
        for load in loads {
            let (faults, _) = try load.stop()
            #expect(faults.isEmpty)
        }
        #expect(try world.agent.stop() == .code(0))
    }
}
