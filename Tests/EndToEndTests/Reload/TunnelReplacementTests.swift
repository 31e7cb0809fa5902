import Foundation
import Synchronization
import TestSupport
import Testing

/// Settings of a tunnel that need new connections: those come up first, then the old ones finish and leave.
@Suite(.timeLimit(.minutes(1))) struct TunnelReplacementTests {
    private static let token = "replacement-token-01"

    /// One tunnel, whose settings change from step to step.
    private struct Settings {
        var tunnel: String
        var token = TunnelReplacementTests.token
        var more: [String: String] = ["connections": "2"]
        var origin: String

        var text: String {
            Configuration.client(
                tunnel: tunnel, to: origin, token: token,
                options: more.sorted { $0.key < $1.key }.map { "\($0): \($1)" })
        }
    }

    private struct Page: Decodable {
        var tunnels: [AgentStatusReport.Tunnel]
        var total: Int
    }

    private struct SessionPage: Decodable {
        struct Session: Decodable {
            var tunnel: String
            var isDraining: Bool
        }

        var sessions: [Session]
    }

    @Test func theNewConnectionsAreUpBeforeTheOldOnesLeaveAndNoRequestNoticesIt() throws {
        let origin = try HoldingOrigin("origin")
        let echo = try SteadyLoad.origin()
        // One client of a token at once: those that take each other's place count as one.
        let server = try AgentProcess(configuration: Configuration.server(["max-clients-per-token: 1"]))
        let other = try AgentProcess(configuration: Configuration.server())
        let (port, otherPort) = (try server.port(ofServer: "public"), try other.port(ofServer: "public"))
        let proxy = try Tinyproxy()
        var settings = Settings(tunnel: "ws://127.0.0.1:\(port)", origin: origin.url)
        // A tunnel beside it that nothing happens to.
        let beside = Configuration.entry(
            name: "beside", tunnel: "ws://127.0.0.1:\(port)", to: echo.url, token: TunnelPair.token,
            options: ["connections: 1"])
        let world = try ReloadedAgent(settings.text + beside)
        let besideConnections = try world.waitForTunnel("beside")
        var connections = try world.waitForTunnel()
        let besideLoad = SteadyLoad(port: port, token: TunnelPair.token)

        func change(_ key: String, isFound: Bool = true, _ edit: (inout Settings) -> Void) throws {
            let (oldPort, oldToken) = (
                settings.tunnel.hasSuffix("\(port)") ? port : otherPort, settings.token
            )
            let held = try origin.hold(port: oldPort, token: oldToken)
            let stream = try origin.stream(port: oldPort, token: oldToken)
            // What is asked for under another token, or of another server, goes elsewhere at some moment.
            let load = isFound ? SteadyLoad(port: oldPort, token: oldToken, [.short, .kept]) : nil
            edit(&settings)
            #expect(try world.applied(settings.text + beside) == ["replace tunnel web: \(key)"])
            let newPort = settings.tunnel.hasSuffix("\(port)") ? port : otherPort
            let both = try world.waitForStatus("the successor of \(key)") { report in
                report.tunnels.contains {
                    $0.name == "web" && $0.state == "connected" && $0.wanted == $0.connections.count
                }
            }
            let new = both.connections(of: "web")
            #expect(new.isDisjoint(with: connections), "\(key)")
            // The old ones are there for as long as they have something in flight.
            let leaving = both.tunnels.filter { $0.name == "web" && $0.state == "draining" }
            #expect(leaving.count == 1 && leaving.allSatisfy { !$0.connections.isEmpty }, "\(key)")
            #expect(try HTTPConnection.ask(port: newPort, token: settings.token) == "origin", "\(key)")
            #expect(try held.finish() == "origin", "\(key)")
            try stream.finish()
            #expect(try world.waitForTunnel() == new, "\(key)")
            if let faults = try load?.stop().faults { #expect(faults.isEmpty, "\(key)") }
            connections = new
        }
        try change("connections") { $0.more["connections"] = "3" }
        try change("password") { $0.more["password"] = "new-password" }
        let ports = try (0..<8).map { _ in String(try freePort()) }
        try change("client-ports") { $0.more["client-ports"] = "[\(ports.joined(separator: ", "))]" }
        try change("client-ports") { $0.more["client-ports"] = nil }
        try change("proxy") { $0.more["proxy"] = "\"http://127.0.0.1:\(proxy.port)\"" }
        try change("proxy") { $0.more["proxy"] = nil }
        try change("token", isFound: false) { $0.token = "replacement-token-02" }
        try change("tunnel", isFound: false) { $0.tunnel = "ws://127.0.0.1:\(otherPort)" }
        let besideFaults = try besideLoad.stop().faults
        #expect(besideFaults.isEmpty)
        #expect(try world.status().connections(of: "beside") == besideConnections)
        #expect(try world.agent.stop() == .code(0))
    }

    /// A client of protocol v1 cannot say beforehand that it leaves: requests cross its goodbye.
    @Test func inProtocolOneNoRequestNoticesItEither() throws {
        let origin = try ScriptedOrigin { connection in
            while try connection.readRequest() != nil { try connection.respond(text: "done") }
        }
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        var settings = Settings(tunnel: "ws://127.0.0.1:\(port)", origin: origin.url)
        settings.more = ["protocol": "v1", "connections": "1", "password": "password-0"]
        let world = try ReloadedAgent(settings.text)
        try world.waitForTunnel()
        let isOver = Mutex(false)
        let callers = (0..<4).map { _ in
            Background {
                let caller = try HTTPConnection(port: port)
                while !isOver.withLock(\.self) {
                    let answer = try caller.exchange("GET", "/", fields: [("X-Token", Self.token)])
                    guard answer.text == "done" else { throw TestFailure("\(answer.status) \(answer.text)") }
                }
            }
        }
        for number in 1...6 {
            settings.more["password"] = "password-\(number)"
            #expect(try world.applied(settings.text) == ["replace tunnel web: password"])
            try world.waitForTunnel()
        }
        isOver.withLock { $0 = true }
        for caller in callers { try caller.value(within: .seconds(20)) }
    }

    @Test func whereOnePortIsThereForBothTheOldTunnelFinishesFirstAndRequestsWait() throws {
        let origin = try HoldingOrigin("origin")
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        var settings = Settings(tunnel: "ws://127.0.0.1:\(port)", origin: origin.url)
        settings.more = ["connections": "1", "client-ports": "\(try freePort())"]
        let folder = try TemporaryFolder()
        let socket = "control-socket: \(folder.path(of: "control.sock"))\n"
        let world = try ReloadedAgent(settings.text + socket)
        let connections = try world.waitForTunnel()
        let held = try origin.hold(port: port, token: Self.token)
        settings.more["password"] = "another"
        #expect(try world.applied(settings.text + socket) == ["replace tunnel web: password"])
        // It takes no new requests: there is nothing to send them through yet.
        try world.waitForStatus("the old one drains") { report in
            report.tunnels.contains { $0.state == "draining" && $0.connections.contains(where: \.isDraining) }
        }
        // Lists have the old one behind its successor, on whatever page.
        let admin = try HTTPConnection(path: folder.path(of: "control.sock"))
        func listed<List: Decodable>(_ target: String) throws -> List {
            try JSONDecoder().decode(List.self, from: Data(try admin.exchange("GET", target).body))
        }
        let pages: [Page] = try (0..<3).map { try listed("/api/tunnels?limit=1&offset=\($0)") }
        #expect(pages.map(\.total) == [2, 2, 2])
        #expect(pages.map { $0.tunnels.map(\.state) } == [["connecting"], ["draining"], []])
        let sessions: SessionPage = try listed("/api/sessions")
        #expect(sessions.sessions.map(\.tunnel) == ["web"] && sessions.sessions.allSatisfy(\.isDraining))
        let waiting = try HTTPConnection(port: port)
        try waiting.send("GET", "/", fields: [("X-Token", Self.token)])
        #expect(try held.finish() == "origin")
        #expect(try waiting.readResponse().text == "origin")
        #expect(try world.waitForTunnel().isDisjoint(with: connections))
    }

    @Test func aNameIsAnIdentitySoARenamedTunnelIsNewAndWaitsForRoom() throws {
        let origin = try HoldingOrigin("origin")
        let server = try AgentProcess(configuration: Configuration.server(["max-clients-per-token: 1"]))
        let port = try server.port(ofServer: "public")
        func text(_ name: String) -> String {
            "version: 1\ntunnels:\n"
                + Configuration.entry(
                    name: name, tunnel: "ws://127.0.0.1:\(port)", to: origin.url, token: Self.token,
                    options: ["connections: 1", "reconnect-delay: 1s"])
        }
        let world = try ReloadedAgent(text("web"))
        try world.waitForTunnel()
        let load = SteadyLoad(port: port, token: Self.token, [.short, .kept])
        #expect(try world.applied(text("renamed")) == ["start tunnel renamed", "stop tunnel web"])
        try world.waitForTunnel("renamed")
        let faults = try load.stop().faults
        #expect(faults.isEmpty)
    }

    @Test func aTunnelThatCannotConnectAnyMoreLeavesTheOldOneServingUntilAReloadMendsIt() throws {
        let origin = try HoldingOrigin("origin")
        let server = try AgentProcess(
            configuration: Configuration.server([
                "passwords: [{ token: \(Self.token), passwords: [right, good] }]"
            ]))
        let port = try server.port(ofServer: "public")
        var settings = Settings(tunnel: "ws://127.0.0.1:\(port)", origin: origin.url)
        settings.more["password"] = "right"
        let world = try ReloadedAgent(settings.text)
        let connections = try world.waitForTunnel()
        let load = SteadyLoad(port: port, token: Self.token, [.short, .kept, .download])
        let held = try origin.hold(port: port, token: Self.token)
        for wrong in ["wrong", "still-wrong"] {
            settings.more["password"] = wrong
            #expect(try world.applied(settings.text) == ["replace tunnel web: password"])
            let report = try world.waitForStatus("the refusal is told") { report in
                report.tunnels.contains { $0.state == "connecting" && $0.lastFault != nil }
            }
            #expect(report.lastReload?.outcome == "applied")
            let old = report.tunnels.filter { $0.name == "web" && $0.state == "draining" }
            #expect(Set(old.flatMap(\.connections).map(\.id)) == connections, "\(wrong)")
            #expect(old.flatMap(\.connections).allSatisfy { !$0.isDraining })
            #expect(try HTTPConnection.ask(port: port, token: Self.token) == "origin")
        }
        settings.more["password"] = "good"
        #expect(try world.applied(settings.text) == ["replace tunnel web: password"])
        #expect(try HTTPConnection.ask(port: port, token: Self.token) == "origin")
        #expect(try held.finish() == "origin")
        #expect(try world.waitForTunnel().isDisjoint(with: connections))
        let faults = try load.stop().faults
        #expect(faults.isEmpty)
    }
}
