import TestSupport
import Testing

/// What of a request reaches the origin, and what of its answer counts.
@Suite struct ForwardingTests {
    /// Answers with the head that came.
    private static func mirror() throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                try connection.respond(text: "\(request)")
            }
        }
    }

    private static func lines(_ response: HTTPResponse) -> [String] {
        response.text.split(separator: "\n").map(String.init)
    }

    // MARK: Upgrades

    /// What an origin does with a request that has come by curl's `--http2`.
    enum Switching: Sendable, CaseIterable {
        /// Switches when it is asked to, as servers do that speak h2c.
        case whenAsked
        /// Switches whatever was asked.
        case always
    }

    @Test(.timeLimit(.minutes(1)), arguments: Switching.allCases)
    func noRequestForAnotherTunnelIsReadByTheOrigin(_ switching: Switching) throws {
        let greedy = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                let isAsked = request.fields.contains {
                    ["upgrade", "http2-settings"].contains($0.name.lowercased())
                }
                if isAsked || switching == .always {
                    try connection.writeHead(101, fields: [("Connection", "Upgrade"), ("Upgrade", "h2c")])
                    let rest = try connection.socket.readToEnd()
                    throw TestFailure("\(rest.count) raw bytes came")
                }
                try connection.respond(text: "A \(request.target)\n")
            }
        }
        let other = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                try connection.respond(text: "B \(request.target)\n")
            }
        }
        let server = try AgentProcess(configuration: Configuration.server())
        let url = "http://127.0.0.1:\(try server.port(ofServer: "public"))"
        let tunnel = url.replacing("http:", with: "ws:")
        let (first, second) = ("token-of-tunnel-a-0123", "token-of-tunnel-b-0123")
        let client = try AgentProcess(
            configuration: "version: 1\ntunnels:\n"
                + Configuration.entry(
                    name: "a", tunnel: tunnel, to: greedy.url, token: first, options: ["connections: 1"])
                + Configuration.entry(
                    name: "b", tunnel: tunnel, to: other.url, token: second, options: ["connections: 1"]))
        try server.waitForSessions(2)
        let answer = try curl(
            "--http2", "\(url)/_token/\(first)/x", "\(url)/_token/\(second)/private", "-w", "%{http_code}\n")
        let refused = "no valid answer of 127.0.0.1:\(greedy.port)"
        switch switching {
        case .whenAsked: #expect(answer.text == "A /x\n200\nB /private\n200\n")
        case .always:
            #expect(answer.text.hasSuffix("502\nB /private\n200\n"), "\(answer.text) \(refused)")
            #expect(try greedy.waitForEnds(1) == ())
        }
        #expect(greedy.connectionCount == 1)
        withExtendedLifetime(client) {}
    }

    @Test(.timeLimit(.minutes(1)), arguments: [("h2c", 502), ("websocket, h2c", 502), ("custom/1", 101)])
    func anOriginSwitchesOnlyToWhatWasOffered(chosen: String, status: Int) throws {
        let origin = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            #expect(request.values("Upgrade") == ["websocket, Custom/1"])
            try connection.writeHead(101, fields: [("Connection", "Upgrade"), ("Upgrade", chosen)])
            _ = try? connection.socket.readToEnd()
        }
        let tunnel = try TunnelPair(to: origin.url, connections: 1)
        let caller = try tunnel.connect()
        try caller.send(
            "GET", "/",
            fields: [
                ("X-Token", TunnelPair.token), ("Connection", "Upgrade"), ("Upgrade", "websocket, h2c"),
                ("Upgrade", "TLS/1.0, Custom/1"),
            ])
        #expect(try caller.readHead().status == status)
        if status == 502 { try origin.waitForEnds(1) }
    }

    // MARK: Tokens

    @Test(.timeLimit(.minutes(1))) func theOriginNeverSeesTheToken() throws {
        let origin = try Self.mirror()
        let tunnel = try TunnelPair(to: origin.url, connections: 1, basePath: "/w")
        let token = TunnelPair.token
        let place = "http://caller.test/w/_token/\(token)"
        let caller = try tunnel.connect()
        let answer = try caller.exchange(
            "COPY", "/w/_token/\(token)/a?back=%2Fw%2F_token%2F\(token)%2Fb&t=\(token)",
            fields: [
                ("Referer", "\(place)/from"), ("Destination", "\(place)/to"), ("If", "<\(place)/to> (<t:1>)"),
                ("Cookie", "last=\(token)"), ("X-Token", token), ("X_Token", token),
            ])
        #expect(!answer.text.contains(token), "\(answer.text)")
        let lines = Self.lines(answer)
        #expect(lines.first == "COPY /a?back=%2Fb&t=*** HTTP/1.1")
        try tunnel.server.waitForLog("Request", ["path": "/a?back=%2Fb&t=***"])
        #expect(!tunnel.server.log.contains { $0.contains(token) })
        #expect(lines.contains("Referer: http://caller.test/from"))
        #expect(lines.contains("Destination: http://127.0.0.1:\(origin.port)/to"))
        #expect(lines.contains("If: <http://127.0.0.1:\(origin.port)/to> (<t:1>)"))
    }

    @Test(.timeLimit(.minutes(1))) func theTokenOfAnOldServersCallerIsTakenOutHere() throws {
        let origin = try Self.mirror()
        let server = try OldTunnelServer()
        let client = try AgentProcess(
            configuration: Configuration.client(tunnel: "ws://127.0.0.1:\(server.port)", to: origin.url))
        try server.waitForClients(1)
        let caller = try HTTPConnection(port: server.port)
        let answer = try caller.exchange(
            "GET", "/a",
            fields: [("X-Token", TunnelPair.token), ("Referer", "http://h/_token/\(TunnelPair.token)/b")])
        #expect(answer.status == 200)
        #expect(!answer.text.contains(TunnelPair.token), "\(answer.text)")
        #expect(Self.lines(answer).contains("Referer: http://h/b"))
        #expect(server.violations.isEmpty)
        withExtendedLifetime(client) {}
    }

    @Test(.timeLimit(.minutes(1))) func aMissingSlashBehindTheTokenIsMendedByTheCaller() throws {
        let origin = try Self.mirror()
        let tunnel = try TunnelPair(to: origin.url, connections: 1, basePath: "/w")
        let answer = try curl("-L", "-d", "body", "\(tunnel.url)/w/_token/\(TunnelPair.token)?q=1")
        #expect(answer.status == 200)
        #expect(answer.values["num_redirects"] == "1")
        #expect(answer.text.hasPrefix("POST /?q=1 HTTP/1.1\n"))
        let short = try curl("\(tunnel.url)/w/_token/short")
        #expect(short.status == 400)
        #expect(short.text.hasPrefix("Malformed token in URI"))
    }

    // MARK: Hosts

    private static let listed = "hosts: [{ host: caller.test, token: \(TunnelPair.token) }]"

    /// As Jupyter, Streamlit and many others do: a WebSocket, or a form, must come from the host that it goes to.
    private static func sameOriginOnly() throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                let isSame = request["Origin"] == request["Host"].map { "http://" + $0 }
                if isSame, request.has("Upgrade", "websocket") {
                    try connection.acceptWebSocket(request)
                    return try connection.echoWebSocket()
                }
                try connection.respond(isSame ? 200 : 403, text: "\(request)")
            }
        }
    }

    @Test(.timeLimit(.minutes(1))) func byItsHostAProgramWorksAsDirectly() throws {
        let origin = try Self.sameOriginOnly()
        let tunnel = try TunnelPair(to: origin.url, serverOptions: [Self.listed], connections: 1)
        let caller = try tunnel.connect()
        let form = try caller.exchange(
            "POST", "/form",
            fields: [
                ("Origin", "http://caller.test"), ("Destination", "http://caller.test/to"),
                ("X-Forwarded-For", "10.0.0.1"), ("X-Forwarded-Proto", "https"),
                ("Forwarded", "for=10.0.0.1"),
                ("X-Tunnel-Host", "listed"),
            ], body: [0x61])
        #expect(form.status == 200)
        let lines = Self.lines(form)
        #expect(lines.contains("Host: caller.test"))
        #expect(lines.contains("Destination: http://caller.test/to"))
        #expect(
            lines.filter { $0.lowercased().contains("x-forwarded") } == [
                "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: caller.test",
                "X-Forwarded-Port: 80",
            ])
        #expect(!form.text.contains("X-Tunnel"))
        let socket = try WebSocketConnection(port: tunnel.port, fields: [("Origin", "http://caller.test")])
        try socket.send(.text("hello"))
        #expect(try socket.receive() == .text("hello"))

        // By its token a request goes to the host that the tunnel names, whatever the caller writes.
        let named = try caller.exchange(
            "GET", "/", fields: [("X-Token", TunnelPair.token), ("X-Tunnel-Host", "listed")])
        #expect(named.status == 403)
        #expect(Self.lines(named).contains("Host: 127.0.0.1:\(origin.port)"))
        #expect(Self.lines(named).contains("X-Forwarded-Host: caller.test"))
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [("keep", "caller.test"), ("www.example.com", "www.example.com"), ("origin", nil)])
    func theHostIsWhatTheTunnelSays(key: String, host: String?) throws {
        let origin = try Self.mirror()
        let tunnel = try TunnelPair(
            to: origin.url,
            serverOptions: [Self.listed, "trusted-proxies: [127.0.0.1]"],
            clientOptions: ["host-header: \(key)", #"regexp: 'http://127\.0\.0\.1:\d+'"#], connections: 1)
        let caller = try tunnel.connect()
        let own = "Host: 127.0.0.1:\(origin.port)"
        let expected = host.map { "Host: \($0)" } ?? own
        for fields in [[], [("X-Token", TunnelPair.token)]] {
            let answer = try caller.exchange(
                "GET", "/",
                fields: fields + [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "https")])
            let lines = Self.lines(answer)
            #expect(lines.filter { $0.hasPrefix("Host:") } == [expected])
            #expect(lines.contains("X-Forwarded-For: 192.0.2.1, 127.0.0.1"))
            #expect(lines.contains("X-Forwarded-Proto: https"))
        }
        // An origin that the caller names is called by its own name.
        let named = try caller.exchange("GET", "/", fields: [("X-Host", origin.url)])
        #expect(Self.lines(named).filter { $0.hasPrefix("Host:") } == [own])
    }

    @Test(.timeLimit(.minutes(1))) func aPrefixOfTheOriginCannotBeLeft() throws {
        let origin = try Self.mirror()
        let tunnel = try TunnelPair(to: origin.url + "/p", connections: 1)
        for path in ["/../x", "/%2e%2e/x", "/..%2fx", "/..%5cx", "/..;/x"] {
            let answer = try tunnel.curl(path, "--path-as-is")
            #expect(answer.status == 400, "\(path)")
            #expect(answer.text == "The path leads out of the origin's prefix\n")
        }
        #expect(origin.connectionCount == 0)
        #expect(try tunnel.curl("/x").text.hasPrefix("GET /p/x HTTP/1.1\n"))
    }

    // MARK: Answers

    @Test(.timeLimit(.minutes(1))) func oddAnswersOfOriginsAreRead() throws {
        let answers = [
            "/twice": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
            "/list": "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
            "/both":
                "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "/lf": "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n",
            "/many": "HTTP/1.1 200 OK\r\n" + (0..<255).map { "F\($0): x\r\n" }.joined()
                + "Content-Length: 5\r\n\r\nhello",
        ]
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                try connection.socket.write(answers[request.target] ?? "")
            }
        }
        let tunnel = try TunnelPair(to: origin.url, connections: 1)
        let caller = try tunnel.connect()
        for target in answers.keys.sorted() {
            let answer = try caller.exchange("GET", target, fields: [("X-Token", TunnelPair.token)])
            #expect(answer.status == 200, "\(target)")
            #expect(answer.text == "hello", "\(target)")
            #expect(answer.head.values("Content-Length").count <= 1, "\(target)")
        }
        // The connection on which both told the length was not used again.
        #expect(origin.connectionCount == 2)
    }
}
