import Foundation
import Synchronization
import TestSupport
import Testing

/// Local ports, the status file, and how long a tunnel tries.
@Suite(.timeLimit(.minutes(1))) struct DiallingTests {
    @Test func eachConnectionHasAPortOfTheList() throws {
        let ports = [try freePort(), try freePort(), try freePort()].sorted()
        let used = Mutex<Set<Int>>([])
        let server = try ScriptedOrigin { connection in
            used.withLock { _ = $0.insert(connection.socket.peerPort) }
            _ = try connection.readRequest()
            _ = connection.waitForEnd()
        }
        let list = ports.map(String.init).joined(separator: ",")
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(server.port)", to: "builtin:echo",
                options: ["connections: 2", "client-ports: \"\(list)\""]))
        try server.waitForConnections(2)
        #expect(try client.stop() == .code(0))
        try server.waitForEnds(2)
        #expect(used.withLock { $0 } == Set(ports.prefix(2)))
    }

    @Test func aTunnelFromPortsOfTheListWorks() throws {
        let ports = [try freePort(), try freePort()].sorted()
        let tunnel = try TunnelPair(
            to: "builtin:echo", clientOptions: ["client-ports: [\(ports[0]), \(ports[1])]"])
        #expect(try tunnel.exchange("POST", "/", body: [1, 2, 3]).body == [1, 2, 3])
    }

    /// Between two ends that both know v2. A session of v1 is told by what it cannot do.
    @Test func aTunnelThatIsToSpeakTheOldProtocolCarriesRequests() throws {
        let tunnel = try TunnelPair(
            to: "builtin:echo", clientOptions: ["protocol: v1"], connections: nil)
        for size in [0, 3, 200_000] {
            let body = [UInt8](repeating: 7, count: size)
            let answer = try tunnel.exchange("POST", "/", body: body)
            let isSame = answer.body == body
            #expect(answer.status == 200 && (isSame || size == 0))
        }
        let upgrade = [
            ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        #expect(try tunnel.exchange("GET", "/", fields: upgrade).status == 501)
    }

    @Test func fewerPortsThanConnectionsAreToldAndOneWillDo() throws {
        let port = try freePort()
        let server = try AgentProcess(configuration: Configuration.server())
        let client = try AgentProcess(
            configuration: "log: { level: debug }\n"
                + Configuration.client(
                    tunnel: "ws://127.0.0.1:\(try server.port(ofServer: "public"))", to: "builtin:echo",
                    options: ["connections: 2", "client-ports: \(port)"]))
        let warning = try client.waitForLog(
            "Fewer client-ports than connections: some will not come up; name more ports, or set connections")
        #expect(warning["port.count"] == "1" && warning["limit"] == "2")
        try server.waitForSessions(1)
        let line = try client.waitForLog("Cannot connect", ["error.code": "no-client-port"])
        #expect(line["error.message"] == "every port of client-ports (\(port)) is in use: name more of them")
        #expect(try client.stop() == .code(0))
    }

    @Test func theStatusFileTellsWhenTheServerWasHeardOf() throws {
        let folder = try TemporaryFolder()
        let path = folder.path(of: "web.status")
        let before = Int(Date().timeIntervalSince1970)
        let tunnel = try TunnelPair(
            to: "builtin:echo", clientOptions: ["timeout: 3s", "statusfile: \(path)"])
        func readStatus(after second: Int) throws -> Int {
            for _ in 0..<1500 {
                let text = (try? folder.text(of: "web.status")) ?? ""
                // A reader never sees half of it.
                if !text.isEmpty {
                    let form = /Unix: (\d+)\nTime: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n/
                    let match = try #require(text.wholeMatch(of: form), "\(text)")
                    let seconds = try #require(Int(match.1))
                    if seconds > second { return seconds }
                }
                usleep(10_000)
            }
            throw TestFailure("the status file was not written")
        }
        let first = try readStatus(after: before - 1)
        // Pings go out each second.
        #expect(try readStatus(after: first) - first < 10)
        #expect(try tunnel.client.stop() == .code(0))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["web.status"])
    }

    @Test func aStatusFileThatCannotBeWrittenIsToldOnceAndTheTunnelRuns() throws {
        let tunnel = try TunnelPair(
            to: "builtin:echo", clientOptions: ["timeout: 3s", "statusfile: /proc/web.status"])
        let line = try tunnel.client.waitForLog("Cannot write the status file", ["level": "error"])
        #expect(line["error.message"]?.contains("/proc/web.status") == true)
        #expect(line["tunnel.name"] == "web")
        #expect(try tunnel.exchange("POST", "/", body: [7]).body == [7])
        #expect(try tunnel.client.stop() == .code(0))
        #expect(tunnel.client.log.count { $0.contains("Cannot write the status file") } == 1)
    }

    @Test func aTunnelThatMayTrySoOftenGivesUpAndTheAgentEnds() throws {
        let server = try ScriptedOrigin { connection in _ = try connection.readRequest() }
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(server.port)", to: "builtin:echo",
                options: ["connections: 1", "max-retries: 3", "reconnect-delay: 1s"]))
        #expect(try client.process.waitForExit() == .code(1))
        #expect(server.connectionCount == 3)
        let line = try client.waitForLog("Gave up: the tunnel server was not reached", ["level": "error"])
        #expect(line["limit"] == "3" && line["tunnel.name"] == "web")
        #expect(line["error.message"] == "the connection was closed during the handshake")
        try client.waitForLog("Nothing is left to run: every tunnel gave up", ["level": "error"])
    }

    @Test func aServerBesideATunnelThatGaveUpRunsOn() throws {
        let port = try freePort()
        let agent = try AgentProcess(
            configuration: Configuration.server() + "tunnels:\n"
                + Configuration.entry(
                    name: "away", tunnel: "ws://127.0.0.1:\(port)", to: "builtin:echo",
                    token: TunnelPair.token, options: ["max-retries: 1"]))
        try agent.waitForLog("Gave up: the tunnel server was not reached")
        let answer = try HTTPConnection(port: agent.port(ofServer: "public"))
            .exchange("GET", "/_health_check")
        #expect(answer.status == 200)
        #expect(try agent.stop() == .code(0))
    }

    @Test func triesAreCountedAnewAfterASession() throws {
        let refusals = WaitableCounter()
        // Every other connection becomes a WebSocket, and is cut right away.
        let server = try ScriptedOrigin { connection in
            guard connection.number % 2 == 0 else { return refusals.add(1) }
            guard let request = try connection.readRequest() else { return }
            try connection.acceptWebSocket(
                request, fields: [("Sec-WebSocket-Protocol", "wstunnel.v2")])
        }
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(server.port)", to: "builtin:echo",
                // What is cut at once would be taken for a network that blocks WebSockets.
                options: [
                    "connections: 1", "max-retries: 2", "reconnect-delay: 1s", "transport: websocket",
                ]))
        try refusals.wait(for: 4, within: .seconds(30), what: "refused connections")
        #expect(client.process.exit == nil)
        #expect(try client.stop() == .code(0))
    }
}
