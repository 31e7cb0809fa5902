import Foundation
import TestSupport
import Testing

/// What happens to an agent, as a program hears of it.
@Suite(.timeLimit(.minutes(3))) struct EventFeedTests {
    private static let token = "token-secret-of-the-events"
    private static let bearer = "bearer-secret-of-the-events"

    /// A server and a tunnel to it, and the admin API.
    private static func configuration(
        serverPort: Int, adminPort: Int, tunnel: String = "timeout: 30s", others: String = ""
    ) -> String {
        """
        admin: { listen: "127.0.0.1:\(adminPort)", token: \(bearer) }
        servers:
          - { name: public, host: 127.0.0.1, port: \(serverPort) }
        tunnels:
          - name: web
            tunnel: ws://127.0.0.1:\(serverPort)
            server: builtin:echo
            token: \(token)
            connections: 1
            \(tunnel)
        \(others)

        """
    }

    /// A stream of events as curl prints it.
    private static func follow(_ port: Int, _ query: String = "", after id: String? = nil) throws
        -> ChildProcess
    {
        try ChildProcess(
            ["curl", "-sSN", "-H", "Authorization: Bearer \(bearer)"]
                + (id.map { ["-H", "Last-Event-ID: \($0)"] } ?? [])
                + ["http://127.0.0.1:\(port)/api/events\(query)"])
    }

    private static func ids(_ process: ChildProcess) -> [UInt64] {
        process.standardOutput.lines.filter { $0.hasPrefix("id: ") }.compactMap { UInt64($0.dropFirst(4)) }
    }

    @Test func curlIsToldWhatHappens() throws {
        let (serverPort, adminPort) = (try freePort(), try freePort())
        let agent = try AgentProcess(
            configuration: Self.configuration(serverPort: serverPort, adminPort: adminPort))
        try agent.waitForSession(ofTunnel: "web")
        let all = try Self.follow(adminPort, after: "1")
        let some = try Self.follow(adminPort, "?kind=reload-applied,reload-refused")
        let output = all.standardOutput
        for line in [
            "event: missed", "data: null", "event: server-listening", "event: agent-started",
            "event: session-up",
        ] {
            try output.waitForLine(containing: line, within: .seconds(20))
        }
        try output.waitForLine(containing: #""server":"public","tunnel":"web","#, within: .seconds(20))
        try some.standardOutput.waitForLine(containing: "retry: ", within: .seconds(20))

        let other = Self.configuration(
            serverPort: serverPort, adminPort: adminPort, tunnel: "timeout: 31s")
        try other.write(toFile: agent.configurationPath, atomically: true, encoding: .utf8)
        agent.process.send(signal: SIGHUP)
        let applied = try some.standardOutput.waitForLine(
            containing: #""kind":"reload-applied""#, within: .seconds(20))
        #expect(applied.contains("update tunnel web (timeout)"))
        try "servers: nothing".write(toFile: agent.configurationPath, atomically: true, encoding: .utf8)
        agent.process.send(signal: SIGHUP)
        let refused = try some.standardOutput.waitForLine(
            containing: #""kind":"reload-refused""#, within: .seconds(20))
        #expect(refused.contains("expected a list"))

        #expect(try agent.stop() == .code(0))
        try output.waitForLine(containing: "event: agent-stopping", within: .seconds(20))
        // The streams ended in order.
        #expect(try all.waitForExit() == .code(0) && some.waitForExit() == .code(0))
        let ids = Self.ids(all)
        #expect(ids.count >= 6 && ids == ids.sorted() && Set(ids).count == ids.count)
        #expect(!output.text.contains(Self.token) && !output.text.contains(Self.bearer))
        #expect(some.standardOutput.lines.filter { $0.hasPrefix("event: ") }.count == 2)
    }

    /// - Returns: of each event its kind and code.
    private static func recent(_ port: Int) throws -> [String] {
        struct List: Decodable {
            struct Event: Decodable {
                let kind: String
                let code: String?
            }
            let events: [Event]
        }
        let answer = try curl(
            "-sS", "-H", "Authorization: Bearer \(bearer)", "http://127.0.0.1:\(port)/api/events?recent=4096")
        let list = try JSONDecoder().decode(List.self, from: Data(answer.standardOutput))
        return list.events.map { [$0.kind, $0.code].compactMap(\.self).joined(separator: " ") }
    }

    @Test func whatStrangersBringAboutIsToldSeldom() throws {
        let adminPort = try freePort()
        let agent = try AgentProcess(
            configuration: """
                admin: { listen: "127.0.0.1:\(adminPort)", token: \(Self.bearer) }
                servers:
                  - name: public
                    host: 127.0.0.1
                    port: 0
                    passwords: [{ token: \(Self.token), password: the-good-one }]
                    ban: { after: 20, never: [127.0.0.1] }

                """)
        let port = try agent.port(ofServer: "public")
        for number in 0..<60 {
            let source: UInt8 = number < 30 ? 1 : 2
            let connection = try HTTPConnection(port: port, from: source)
            defer { connection.close() }
            let credentials = Data("\(Self.token):guess-\(number)".utf8).base64EncodedString()
            // Who is shut out gets no answer.
            _ = try? connection.exchange(
                "GET", "/_tunnel",
                fields: [
                    ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
                    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Origin", Self.token),
                    ("Authorization", "Basic \(credentials)"),
                ])
        }
        try agent.waitForLog("Address banned", ["peer.address": "127.0.0.2"])
        let events = try Self.recent(adminPort)
        #expect(events.count(where: { $0 == "handshake-refused unauthorized" }) == 1, "\(events)")
        #expect(events.count(where: { $0.hasPrefix("banned") }) == 1, "\(events)")
        #expect(events.count(where: { $0.hasPrefix("handshake-refused") }) <= 3, "\(events)")
        #expect(try agent.stop() == .code(0))
    }

    @Test func certificatesThatEndSoonAreToldOf() throws {
        let authority = try CertificateAuthority()
        let certificate = try authority.issue("server", name: "server", days: 3)
        let adminPort = try freePort()
        let agent = try AgentProcess(
            configuration: """
                admin: { listen: "127.0.0.1:\(adminPort)", token: \(Self.bearer) }
                servers:
                  - name: public
                    host: 127.0.0.1
                    port: 0
                    tls: { certfile: cert.pem, keyfile: key.pem }

                """,
            files: [
                "cert.pem": try String(contentsOfFile: certificate.path, encoding: .utf8),
                "key.pem": try String(contentsOfFile: certificate.keyPath, encoding: .utf8),
            ])
        #expect(try Self.recent(adminPort).contains("certificate-expires"))
        #expect(try agent.stop() == .code(0))
    }

    /// Who was told by an agent that is no more comes to the next one.
    @Test func anIdOfAnEarlierLifeSkipsNothing() throws {
        let (serverPort, adminPort) = (try freePort(), try freePort())
        let configuration = Self.configuration(serverPort: serverPort, adminPort: adminPort)
        var last: UInt64 = 0
        for life in 0..<2 {
            let agent = try AgentProcess(configuration: configuration)
            try agent.waitForSession(ofTunnel: "web")
            let reader = try Self.follow(adminPort, after: life == 0 ? "1" : "\(last)")
            try reader.standardOutput.waitForLine(containing: "event: session-up", within: .seconds(20))
            let lines = reader.standardOutput.lines
            #expect(lines.first { $0.hasPrefix("event: ") } == "event: missed")
            #expect(lines.contains("event: agent-started"))
            let ids = Self.ids(reader)
            #expect(ids.allSatisfy { $0 > last })
            last = try #require(ids.last)
            agent.process.send(signal: SIGKILL)
            _ = try agent.process.waitForExit()
        }
    }

    /// A client as browsers have one (`EventSource`), that loses its connection again and again.
    @Test func aReaderThatComesAgainHasEachEventOnce() throws {
        let adminPort = try freePort()
        let agent = try AgentProcess(
            configuration: Self.configuration(serverPort: try freePort(), adminPort: adminPort))
        try agent.waitForSession(ofTunnel: "web")
        let reader = try ChildProcess([
            "python3", "-c", Self.eventSource, "\(adminPort)", Self.bearer, "12",
        ])
        // Each reload is an event.
        try reader.standardOutput.waitForLine(containing: "open", within: .seconds(20))
        for number in 1...12 {
            let text = Self.configuration(
                serverPort: try agent.port(ofServer: "public"), adminPort: adminPort,
                tunnel: "timeout: \(30 + number)s")
            try text.write(toFile: agent.configurationPath, atomically: true, encoding: .utf8)
            let answer = try curl(
                "-sS", "-X", "POST", "-H", "Authorization: Bearer \(Self.bearer)",
                "http://127.0.0.1:\(adminPort)/api/reload")
            #expect(answer.text.contains("applied"), "\(answer.text)")
        }
        #expect(try reader.waitForExit() == .code(0))
        let ids = Self.ids(reader)
        #expect(ids.count == 12 && Set(ids).count == 12 && ids == ids.sorted())
    }

    /// Reads two events on each connection, and comes again with the id of the last.
    private static let eventSource = """
        import http.client, sys
        port, token, wanted = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
        last, seen = None, 0
        while seen < wanted:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            headers = {"Authorization": "Bearer " + token, "Accept": "text/event-stream"}
            if last is not None:
                headers["Last-Event-ID"] = last
            connection.request("GET", "/api/events?kind=reload-applied", headers=headers)
            answer = connection.getresponse()
            assert answer.status == 200, answer.status
            buffer, kind, data, here = last, "message", [], 0
            while here < 2 and seen < wanted:
                line = answer.readline().decode().rstrip("\\n")
                if line.startswith("retry: "):
                    print("open", flush=True)
                elif line.startswith("id: "):
                    buffer = line[4:]
                elif line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: "):
                    data.append(line[6:])
                elif line == "":
                    last = buffer
                    if data:
                        assert kind == "reload-applied", kind
                        print("id: " + last, flush=True)
                        seen, here = seen + 1, here + 1
                    kind, data = "message", []
            connection.close()
        """
}
