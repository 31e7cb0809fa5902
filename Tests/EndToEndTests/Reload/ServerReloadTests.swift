import Foundation
import TestSupport
import Testing

/// Settings of a server that a reload swaps while its tunnels and requests stay.
@Suite(.timeLimit(.minutes(1))) struct ServerReloadTests {
    private static let token = "server-reload-test-1"

    @Test func settingsAreSwappedAndTunnelsAndRequestsInFlightStay() throws {
        let origin = try HoldingOrigin("origin")
        let port = try freePort()
        var options: [String: String] = [:]
        func text() -> String {
            let list = options.sorted { $0.key < $1.key }.map { ", \($0.key): \($0.value)" }.joined()
            return """
                servers: [{ name: public, host: 127.0.0.1, port: \(port)\(list) }]
                tunnels:
                  - { name: web, tunnel: "ws://127.0.0.1:\(port)", server: "\(origin.url)", token: \(Self.token), connections: 2 }
                """
        }
        let world = try ReloadedAgent(text())
        let connections = try world.waitForTunnel()
        // In flight through all of it; its time limits are those that it began with.
        let old = try origin.hold(port: port, token: Self.token)
        let stream = try origin.stream(port: port, token: Self.token)
        func change(_ key: String, _ value: String?) throws {
            let held = try origin.hold(port: port, token: Self.token)
            options[key] = value
            #expect(try world.applied(text()) == ["update server public: \(key)"])
            #expect(try held.finish() == "origin", "\(key)")
            #expect(try world.status().connections(of: "web") == connections, "\(key)")
        }
        func ask(_ target: String = "/") throws -> String {
            try HTTPConnection.ask(port: port, token: Self.token, target)
        }
        try change("wstimeout", "20s")
        try change("queue-timeout", "1s")
        try change("max-requests-per-tunnel", "1")
        try change("max-clients-per-token", "1")
        try change("trusted-proxies", "[127.0.0.0/8]")
        #expect(try ask() == "origin")

        try change("hosts", "[{ host: caller.test, token: \(Self.token) }]")
        let unnamed = try HTTPConnection(port: port)
        #expect(try unnamed.exchange("GET", "/").text == "origin")
        try change("hosts", nil)
        #expect(try unnamed.exchange("GET", "/").status == 400)

        try change("passwords", "[{ token: another-token-0123456, password: secret }]")
        #expect(try ask() == "origin")
        try change("passwords", nil)

        try change("httptimeout", "1s")
        let late = try origin.hold(port: port, token: Self.token)
        #expect(try late.caller.readResponse().status == 504)
        late.abandon()

        options["base-path"] = "/below"
        #expect(try world.applied(text()) == ["update server public: base-path"])
        #expect(try ask("/below/") == "origin")
        #expect(try ask() == "404")
        #expect(try old.finish() == "origin")
        try stream.finish()
        #expect(try world.status().connections(of: "web") == connections)
        #expect(try world.agent.stop() == .code(0))
    }

    @Test func aPasswordIsRotatedWithoutAMomentAtWhichAClientIsShutOut() throws {
        let origin = try HoldingOrigin("origin")
        let port = try freePort()
        func server(_ passwords: String) -> String {
            """
            shutdown-grace: 20s
            servers:
              - { name: public, host: 127.0.0.1, port: \(port), passwords: [{ token: \(Self.token), \(passwords) }] }
            """
        }
        func client(_ password: String) -> String {
            Configuration.client(
                tunnel: "ws://127.0.0.1:\(port)", to: origin.url, token: Self.token,
                options: ["connections: 2", "password: \(password)"])
        }
        let servers = try ReloadedAgent(server("password: old"))
        let clients = try ReloadedAgent(client("old"))
        let before = try clients.waitForTunnel()
        let load = SteadyLoad(port: port, token: Self.token, [.short, .kept, .upload, .download])
        #expect(try servers.applied(server("passwords: [new, old]")) == ["update server public: passwords"])
        #expect(try clients.status().connections(of: "web") == before)
        #expect(try clients.applied(client("new")) == ["replace tunnel web: password"])
        let after = try clients.waitForTunnel()
        #expect(after.isDisjoint(with: before))
        #expect(try servers.applied(server("password: new")) == ["update server public: passwords"])
        #expect(try HTTPConnection.ask(port: port, token: Self.token) == "origin")
        let (faults, _) = try load.stop()
        #expect(faults.isEmpty)
        #expect(try clients.status().connections(of: "web") == after)
    }

    @Test(arguments: ["password: other", "only-listed-tokens"])
    func aClientThatWouldNotBeLetInGetsNothingNewAndIsClosedAfterTheGrace(_ change: String) throws {
        let origin = try HoldingOrigin("origin")
        let port = try freePort()
        func text(_ options: String) -> String {
            """
            shutdown-grace: 3s
            servers: [{ name: public, host: 127.0.0.1, port: \(port), queue-timeout: 1s\(options) }]
            """
        }
        let listed = ", passwords: [{ token: \(Self.token), password: right }]"
        let servers = try ReloadedAgent(text(change.hasPrefix("only") ? "" : listed))
        let clients = try ReloadedAgent(
            Configuration.client(
                tunnel: "ws://127.0.0.1:\(port)", to: origin.url, token: Self.token,
                options: ["connections: 1", "password: right", "reconnect-delay: 1s"]))
        try clients.waitForTunnel()
        let held = try origin.hold(port: port, token: Self.token)
        let endless = try origin.stream(port: port, token: Self.token)
        let start = ContinuousClock.now
        let next =
            change.hasPrefix("only")
            ? ", only-listed-tokens: true, passwords: [{ token: another-token-0123456, password: x }]"
            : listed.replacingOccurrences(of: "right", with: "other")
        #expect(try servers.apply(text(next)) == .applied)
        // Nothing is sent through it any more.
        #expect(try HTTPConnection.ask(port: port, token: Self.token) == "504")
        #expect(try held.finish() == "origin")
        #expect(throws: StreamEnd.self) { while try endless.caller.socket.readChunk() != nil {} }
        #expect(ContinuousClock.now - start > .seconds(2.5))
        try clients.waitForStatus("the refusal is told") { report in
            report.tunnels.allSatisfy {
                $0.state == "connecting" && $0.lastFault?.code == "rejected"
            }
        }
        // The way back.
        #expect(try servers.apply(text(change.hasPrefix("only") ? "" : listed)) == .applied)
        try clients.waitForTunnel()
        #expect(try HTTPConnection.ask(port: port, token: Self.token) == "origin")
    }
}
