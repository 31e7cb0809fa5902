import Foundation
import TestSupport
import Testing

/// What callers may do on one connection, and the forms in which they may ask.
@Suite struct CallerConnectionTests {
    private let origin: ScriptedOrigin
    private let tunnel: TunnelPair
    private static let token = [("X-Token", TunnelPair.token)]

    init() throws {
        origin = try ScriptedOrigin.echo()
        tunnel = try TunnelPair(to: origin.url)
    }

    @Test(.timeLimit(.minutes(1))) func oneConnectionServesManyRequests() throws {
        let caller = try tunnel.connect()
        for number in 0..<50 {
            let body = Array("request \(number)".utf8)
            let answer = try caller.exchange("POST", "/\(number)", fields: Self.token, body: body)
            #expect(answer.head["X-Echo-Target"] == "/\(number)")
            #expect(answer.body == body)
        }
        #expect(origin.connectionCount <= 2, "the origin's connections are used again")
    }

    @Test(.timeLimit(.minutes(1))) func pipelinedRequestsAreAnsweredInOrder() throws {
        let caller = try tunnel.connect()
        let requests = (0..<20).map { number in
            "POST /\(number) HTTP/1.1\r\nHost: a\r\nX-Token: \(TunnelPair.token)\r\n"
                + "Content-Length: 2\r\n\r\n\(10 + number)"
        }
        try caller.send(requests.joined())
        for number in 0..<20 {
            let answer = try caller.readResponse()
            #expect(answer.head["X-Echo-Target"] == "/\(number)")
            #expect(answer.text == "\(10 + number)")
        }
    }

    @Test(.timeLimit(.minutes(1))) func aCallerThatAsksForTheCloseGetsIt() throws {
        let caller = try tunnel.connect()
        let answer = try caller.exchange("GET", "/", fields: Self.token + [("Connection", "close")])
        #expect(answer.status == 200)
        #expect(answer.head.has("Connection", "close"))
        #expect(caller.waitForEnd() == .closed)
    }

    @Test(.timeLimit(.minutes(1))) func anOldCallerGetsWhatItUnderstands() throws {
        let chunked = try ScriptedOrigin { connection in
            while try connection.readRequest() != nil {
                try connection.writeHead(103)
                try connection.writeHead(200, fields: [("Transfer-Encoding", "chunked")])
                try connection.socket.writeChunk(Array("two ".utf8))
                try connection.socket.writeChunk(Array("chunks".utf8))
                try connection.socket.writeLastChunk()
            }
        }
        let tunnel = try TunnelPair(to: chunked.url)
        let caller = try tunnel.connect()
        try caller.send("GET / HTTP/1.0\r\nX-Token: \(TunnelPair.token)\r\n\r\n")
        let answer = try caller.readResponse()
        #expect(answer.status == 200)
        #expect(answer.informational.isEmpty)
        #expect(answer.head["Transfer-Encoding"] == nil)
        #expect(answer.text == "two chunks")
        #expect(caller.waitForEnd() == .closed)
    }

    @Test(.timeLimit(.minutes(1))) func anOldCallerMayKeepItsConnection() throws {
        let caller = try tunnel.connect()
        for target in ["/first", "/second"] {
            try caller.send(
                "GET \(target) HTTP/1.0\r\nConnection: keep-alive\r\nX-Token: \(TunnelPair.token)\r\n\r\n")
            let answer = try caller.readResponse()
            #expect(answer.head.has("Connection", "keep-alive"))
            #expect(answer.head["X-Echo-Target"] == target)
        }
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("http://caller.test/a/b?c=d", "/a/b?c=d"), ("http://caller.test", "/"),
            ("HTTPS://Caller.test:443/x", "/x"), ("http://caller.test:80?q=1", "/?q=1"),
        ])
    func absoluteTargetsLoseTheirAuthority(target: String, expected: String) throws {
        // It is that of the field `Host`.
        let answer = try tunnel.exchange("GET", target)
        #expect(answer.status == 200)
        #expect(answer.head["X-Echo-Target"] == expected)
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("/_token/\(TunnelPair.token)/a/b?c=d", "/a/b?c=d"),
            ("/_token/\(TunnelPair.token)/", "/"),
            ("/_token/end%2Dto%2dend-token-0123/%7Euser/a%2Fb", "/%7Euser/a%2Fb"),
        ])
    func theTokenMayStandInThePath(target: String, expected: String) throws {
        let caller = try tunnel.connect()
        let answer = try caller.exchange("GET", target)
        #expect(answer.status == 200)
        #expect(answer.head["X-Echo-Target"] == expected)
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("/", 400, "Missing X-Token header"),
            ("/_token/", 400, "Missing token in URI"),
            ("/_token/\(TunnelPair.token)", 308, "The path behind the token begins with a slash"),
            ("/_token/another-token-0123456/", 404, "Tunnel not found (or not seen in a long time)"),
            ("/_token/short/", 404, "Tunnel not found (or not seen in a long time)"),
            ("/_health_check", 200, "WSTUNSRV RUNNING"),
        ])
    func requestsForNoTunnelAreAnsweredByTheServer(target: String, status: Int, text: String) throws {
        let caller = try tunnel.connect()
        let answer = try caller.exchange("GET", target)
        #expect(answer.status == status)
        #expect(answer.text == text + "\n")
        #expect(answer.head["X-Content-Type-Options"] == "nosniff")
        #expect(origin.connectionCount == 0)
    }

    @Test(.timeLimit(.minutes(1))) func everythingLiesBelowTheBasePath() throws {
        let tunnel = try TunnelPair(to: origin.url, basePath: "/ws/tunnel")
        let caller = try tunnel.connect()
        #expect(try caller.exchange("GET", "/ws/tunnel/_health_check").text == "WSTUNSRV RUNNING\n")
        let byField = try caller.exchange("GET", "/ws/tunnel/a?b", fields: Self.token)
        #expect(byField.head["X-Echo-Target"] == "/a?b")
        let byPath = try caller.exchange("GET", "/ws/tunnel/_token/\(TunnelPair.token)/a?b")
        #expect(byPath.head["X-Echo-Target"] == "/a?b")
        #expect(try caller.exchange("GET", "/ws/tunnel", fields: Self.token).head["X-Echo-Target"] == "/")
        for target in ["/_health_check", "/a", "/ws/tunnels/a", "/ws"] {
            #expect(try caller.exchange("GET", target, fields: Self.token).status == 404, "\(target)")
        }
    }

    @Test(.timeLimit(.minutes(1))) func aSlowReaderGetsTheEndOfALastAnswer() throws {
        let size = 16 << 20
        let large = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.writeHead(200, fields: [("Content-Length", "\(size)"), ("Connection", "close")])
            let piece = [UInt8](repeating: 0x61, count: 1 << 16)
            for _ in 0..<(size >> 16) { try connection.socket.write(piece) }
        }
        let tunnel = try TunnelPair(to: large.url)
        let caller = try tunnel.connect(receiveBuffer: 65_536)
        try caller.send("GET", "/", fields: Self.token + [("Connection", "close")])
        let head = try caller.readHead()
        #expect(head.status == 200)
        // Read on until the server has handed everything to the connection, where some of it still waits.
        var received = 0
        while received < size - (1 << 17), !tunnel.server.log.contains(where: { $0.contains("outcome=ok") }) {
            received += try caller.socket.read(1 << 16).count
        }
        try tunnel.server.waitForLog("Request", ["outcome": "ok"])
        // The pause is the subject: longer than the server waits for a caller that has everything.
        Thread.sleep(forTimeInterval: 2.5)
        while received < size { received += try caller.socket.readSome().count }
        #expect(caller.waitForEnd() == .closed)
    }
}
