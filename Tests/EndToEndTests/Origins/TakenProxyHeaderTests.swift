import TestSupport
import Testing

/// `proxy-protocol` of a server: whose a connection is says the proxy that makes it.
@Suite(.timeLimit(.minutes(2))) struct TakenProxyHeaderTests {
    /// Another address of this machine than the proxy's.
    private static let caller = "127.0.0.2"
    private static let required = ["proxy-protocol: required", "trusted-proxies: [127.0.0.1]"]
    private static let optional = ["proxy-protocol: optional", "trusted-proxies: [127.0.0.1]"]
    private static let get = "GET /x HTTP/1.1\r\nHost: a\r\nX-Token: \(TunnelPair.token)\r\n\r\n"
    private static let line = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n"
    private static let block: [UInt8] =
        [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10, 0x21, 0x11, 0, 12]
        + [203, 0, 113, 7, 192, 0, 2, 1, 0x12, 0x67, 0, 80]

    @Test(arguments: ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"])
    func haproxyTellsWhoCalls(header: String) throws {
        let server = try AgentProcess(configuration: Configuration.server(Self.required))
        let front = try HAProxy(to: server.port(ofServer: "public"), sending: header)
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(front.port)", to: "builtin:echo", options: ["connections: 1"]))
        try server.waitForSessions(1)
        let result = try curl(
            "--interface", Self.caller, "-H", "X-Token: \(TunnelPair.token)", "-H",
            "X-Forwarded-For: 198.51.100.1", "http://127.0.0.1:\(front.port)/x")
        #expect(result.status == 200)
        // The caller is no proxy: what it says of others does not count.
        #expect(result.text.contains("X-Forwarded-For: \(Self.caller)\n"), "\(result.text)")
        try server.waitForLog("Request", ["caller.address": Self.caller, "status": "200"])
        _ = client
    }

    @Test(arguments: ["send-proxy", "send-proxy-v2"])
    func theHeaderStandsBeforeTLS(header: String) throws {
        let world = try SecureWorld(options: Self.required)
        let front = try HAProxy(to: world.port, sending: header)
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "wss://127.0.0.1:\(front.port)", to: "builtin:echo",
                options: ["connections: 1", "certfile: \(world.authority.path)"]))
        try world.server.waitForSessions(1)
        for version in ["--http1.1", "--http2"] {
            let result = try curl(
                version, "--interface", Self.caller, "--cacert", world.authority.path, "-H",
                "X-Token: \(TunnelPair.token)", "https://127.0.0.1:\(front.port)/x")
            #expect(result.status == 200)
            #expect(result.text.contains("X-Forwarded-For: \(Self.caller)\n"), "\(result.text)")
            #expect(result.text.contains("X-Forwarded-Proto: https\n"))
        }
        _ = client
    }

    @Test func aHeaderMayComeInAnyPieces() throws {
        let pair = try TunnelPair(to: "builtin:echo", serverOptions: Self.optional)
        for header in [Array(Self.line.utf8), Self.block] {
            let bytes = header + Array(Self.get.utf8)
            for pieces in [[bytes], bytes.map { [$0] }, [header, Array(Self.get.utf8)]] {
                let connection = try pair.connect()
                defer { connection.close() }
                for piece in pieces { try connection.send(piece) }
                #expect(try connection.readResponse().text.contains("X-Forwarded-For: 203.0.113.7\n"))
                // The address is the connection's, not the first request's.
                try connection.send(Self.get)
                #expect(try connection.readResponse().text.contains("X-Forwarded-For: 203.0.113.7\n"))
            }
        }
    }

    @Test func aHeaderThatNamesNobodyLeavesTheConnectionToWhoMadeIt() throws {
        let pair = try TunnelPair(to: "builtin:echo", serverOptions: Self.optional)
        let local: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10, 0x20, 0, 0, 0]
        for header in [Array("PROXY UNKNOWN\r\n".utf8), local, []] {
            let connection = try pair.connect()
            defer { connection.close() }
            try connection.send(header + Array(Self.get.utf8))
            #expect(try connection.readResponse().text.contains("X-Forwarded-For: 127.0.0.1\n"))
        }
    }

    /// Sessions change event loops by their sockets, which know nothing of the header.
    @Test func aTunnelClientHasTheAddressThatTheHeaderNames() throws {
        let server = try AgentProcess(configuration: Configuration.server(Self.required))
        let port = try server.port(ofServer: "public")
        var sessions: [HTTPConnection] = []
        for _ in 0..<4 {
            let connection = try HTTPConnection(port: port)
            try connection.send(Self.block)
            let answer = try connection.exchange(
                "GET", "/_tunnel",
                fields: [
                    ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
                    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Origin", TunnelPair.token),
                ])
            #expect(answer.status == 101)
            sessions.append(connection)
        }
        try server.waitForSessions(sessions.count)
        let lines = server.log.filter { $0.contains(#"message="Session joined""#) }
        #expect(lines.count { $0.contains("peer.address=203.0.113.7") } == sessions.count, "\(lines)")
        for session in sessions { session.close() }
    }

    @Test func whoMustSendAHeaderAndDoesNotIsShutOut() throws {
        for (options, sent, words) in [
            (Self.required, Self.get, "did not begin with a PROXY header"),
            (Self.required, "PROXY TCP4 203.0.113.7 nonsense\r\n" + Self.get, "makes no sense"),
            (
                ["proxy-protocol: required", "trusted-proxies: [192.0.2.1]"], Self.line + Self.get,
                "only trusted-proxies"
            ),
        ] {
            let server = try AgentProcess(configuration: Configuration.server(options))
            let connection = try HTTPConnection(port: server.port(ofServer: "public"))
            try? connection.send(sent)
            #expect(throws: StreamEnd.self) { try connection.readResponse() }
            let line = try server.waitForLog(
                "Connection refused", ["error.code": "proxy-protocol", "peer.address": "127.0.0.1"])
            #expect(line["error.message"]?.contains(words) == true, "\(line["error.message"] ?? "")")
        }
    }

    @Test func ofStrangersNothingIsBelieved() throws {
        let pair = try TunnelPair(
            to: "builtin:echo", serverOptions: ["proxy-protocol: optional", "trusted-proxies: [192.0.2.1]"])
        let stranger = try pair.connect()
        try stranger.send(Self.line + Self.get)
        #expect(try stranger.readResponse().status == 400)
        #expect(
            try pair.exchange("GET", "/").text.contains("X-Forwarded-For: 127.0.0.1\n"))
    }

    @Test func theListenerThatSendsToTLSTakesItToo() throws {
        let port = try freePort()
        let secure = try freePort()
        let authority = try CertificateAuthority()
        let identity = try authority.issue("server", name: "server")
        let server = try AgentProcess(
            configuration: """
                version: 1
                servers:
                  - name: public
                    host: 127.0.0.1
                    port: \(secure)
                    tls: { certfile: \(identity.path), keyfile: \(identity.keyPath), redirect-http: \(port) }
                    proxy-protocol: required
                    trusted-proxies: [127.0.0.1]

                """)
        let connection = try HTTPConnection(port: port)
        try connection.send(Self.line + "GET /a HTTP/1.1\r\nHost: example.test\r\n\r\n")
        #expect(try connection.readResponse().status == 308)
        try server.waitForLog("Request", ["caller.address": "203.0.113.7", "status": "308"])
        let without = try HTTPConnection(port: port)
        try without.send(Self.get)
        #expect(throws: StreamEnd.self) { try without.readResponse() }
    }

    /// What an address may do, the one may that the header names: not all who come by one proxy together.
    @Test func guessesCountForTheAddressThatTheHeaderNames() throws {
        let server = try AgentProcess(configuration: Configuration.server(Self.optional))
        let port = try server.port(ofServer: "public")
        func guess(_ number: Int, from address: String) throws -> Int {
            let connection = try HTTPConnection(port: port)
            defer { connection.close() }
            try connection.send(
                "PROXY TCP4 \(address) 192.0.2.1 1 80\r\nGET / HTTP/1.1\r\nHost: a\r\n"
                    + "X-Token: nobodys-token-\(number)\r\n\r\n")
            return try connection.readResponse().status
        }
        var statuses: Set<Int> = []
        for number in 0..<1000 where !statuses.contains(429) {
            statuses.insert(try guess(number, from: "203.0.113.7"))
        }
        #expect(statuses == [404, 429])
        #expect(try guess(1, from: "203.0.113.8") == 404)
    }

    @Test func aReloadSwitchesItInPlace() throws {
        let agent = try AgentProcess(configuration: Configuration.server())
        let port = try agent.port(ofServer: "public")
        func status() throws -> Int {
            let connection = try HTTPConnection(port: port)
            defer { connection.close() }
            try connection.send(Self.line + "GET /_health_check HTTP/1.1\r\nHost: a\r\n\r\n")
            return try connection.readResponse().status
        }
        #expect(try status() == 400)
        let text = Configuration.server(Self.required).replacing("port: 0", with: "port: \(port)")
        try agent.folder.write(text, to: "tunnels.yaml")
        agent.process.send(signal: 1)
        try agent.waitForLog("Configuration applied")
        #expect(try status() == 200)
    }
}
