import TestSupport
import Testing

/// What must cross a tunnel unchanged, and what must not cross it.
@Suite struct MessageFidelityTests {
    private static let token = [("X-Token", TunnelPair.token)]

    /// An origin that answers with the head of the request as it came, byte by byte.
    private static func mirror() throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            while true {
                var head: [UInt8] = []
                while !head.hasSuffix([13, 10, 13, 10]) { head += try connection.socket.read(1) }
                try connection.respond(body: head)
            }
        }
    }

    @Test(.timeLimit(.minutes(1))) func whatBelongsToOneHopStaysThere() throws {
        let origin = try Self.mirror()
        let tunnel = try TunnelPair(to: origin.url)
        let answer = try tunnel.exchange(
            "GET", "/path?q=1",
            fields: [
                ("Connection", "X-Of-This-Hop, keep-alive"), ("X-Of-This-Hop", "1"), ("Keep-Alive", "300"),
                ("TE", "gzip, trailers"), ("Proxy-Authorization", "Basic c2VjcmV0"), ("Trailer", "X-T"),
                ("Proxy-Connection", "keep-alive"), ("X-Kept", "one"), ("X-Kept", "two"),
                ("Authorization", "Bearer of-the-origin"),
            ])
        let lines = answer.text.lowercased().split(separator: "\r\n").map(String.init)
        #expect(lines.first == "get /path?q=1 http/1.1")
        let names = lines.dropFirst().map { String($0.prefix { $0 != ":" }) }
        for name in [
            "x-token", "x-of-this-hop", "keep-alive", "proxy-authorization", "trailer", "proxy-connection",
            "transfer-encoding", "upgrade",
        ] {
            #expect(!names.contains(name), "\(name) reached the origin")
        }
        // gRPC needs to know.
        #expect(lines.filter { $0.hasPrefix("te:") } == ["te: trailers"])
        #expect(lines.filter { $0.hasPrefix("connection:") } == ["connection: te"])
        #expect(lines.filter { $0.hasPrefix("x-kept") } == ["x-kept: one", "x-kept: two"])
        #expect(lines.contains("authorization: bearer of-the-origin"))
        #expect(lines.filter { $0.hasPrefix("host:") } == ["host: 127.0.0.1:\(origin.port)"])
        #expect(!answer.text.contains(TunnelPair.token))
    }

    @Test(.timeLimit(.minutes(1))) func bytesBeyondASCIIInFieldsAreKept() throws {
        let latin1: [UInt8] = [0x63, 0x61, 0x66, 0xe9]
        let origin = try ScriptedOrigin { connection in
            var head: [UInt8] = []
            while !head.hasSuffix([13, 10, 13, 10]) { head += try connection.socket.read(1) }
            guard head.split(separator: 10).contains(Array("X-Latin: ".utf8) + latin1 + [13]) else {
                return try connection.respond(400, body: head)
            }
            let start = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Latin: "
            try connection.socket.write(Array(start.utf8) + latin1 + [13, 10, 13, 10])
        }
        let tunnel = try TunnelPair(to: origin.url)
        let caller = try tunnel.connect()
        let start =
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Token: \(TunnelPair.token)\r\nX-Latin: "
        try caller.send(Array(start.utf8) + latin1 + [13, 10, 13, 10])
        let answer = try caller.socket.readToEnd()
        #expect(answer.starts(with: Array("HTTP/1.1 200".utf8)), "\(String(decoding: answer, as: UTF8.self))")
        #expect(answer.split(separator: 10).contains(Array("X-Latin: ".utf8) + latin1 + [13]))
    }

    @Test(.timeLimit(.minutes(1))) func anEncodedBodyIsNotTouched() throws {
        let body = SplitMix64(seed: 3).sequence(5000)
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                try connection.respond(
                    fields: [
                        ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"),
                        ("X-Accepted", request["Accept-Encoding"] ?? "none"),
                    ], body: body)
            }
        }
        let tunnel = try TunnelPair(to: origin.url)
        let answer = try tunnel.exchange("GET", "/", fields: [("Accept-Encoding", "gzip, br")])
        #expect(answer.head["Content-Encoding"] == "gzip")
        #expect(answer.head["X-Accepted"] == "gzip, br")
        #expect(answer.head["Content-Length"] == "5000")
        #expect(answer.body == body)
    }

    @Test(.timeLimit(.minutes(1))) func chunksAndTrailersCrossBothWays() throws {
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                var body: [UInt8] = []
                let trailers = try connection.socket.readBody(connection.framing(of: request)) { body += $0 }
                try connection.writeHead(
                    200, fields: [("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum")])
                try connection.socket.writeChunk(Array(body.prefix(4)))
                try connection.socket.writeChunk(Array(body.dropFirst(4)))
                try connection.socket.writeLastChunk(
                    trailers: [
                        ("X-Sum", "42"),
                        ("X-Got", trailers.first { $0.name == "X-Check" }?.value ?? "nothing"),
                    ])
            }
        }
        let tunnel = try TunnelPair(to: origin.url)
        let caller = try tunnel.connect()
        for round in 0..<3 {
            try caller.send(
                "POST", "/", fields: Self.token + [("Transfer-Encoding", "chunked"), ("Trailer", "X-Check")])
            try caller.socket.writeChunk(Array("some ".utf8))
            try caller.socket.writeChunk(Array("chunks".utf8))
            try caller.socket.writeLastChunk(trailers: [("X-Check", "round \(round)")])
            let answer = try caller.readResponse()
            #expect(answer.status == 200)
            #expect(answer.text == "some chunks")
            let trailers = answer.trailers.map { "\($0.name): \($0.value)" }
            #expect(trailers == ["X-Sum: 42", "X-Got: round \(round)"])
        }
    }

    @Test(.timeLimit(.minutes(1))) func theOriginSaysWhenABodyMayCome() throws {
        let origin = try ScriptedOrigin.echo()
        let tunnel = try TunnelPair(to: origin.url)
        let caller = try tunnel.connect()
        try caller.send(
            "POST", "/", fields: Self.token + [("Expect", "100-continue"), ("Content-Length", "4")])
        #expect(try caller.readHead().status == 100)
        try caller.send("body")
        #expect(try caller.readResponse().text == "body")
    }

    @Test(.timeLimit(.minutes(1))) func anOriginMayRefuseABodyBeforeItComes() throws {
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.respond(417, text: "no")
        }
        let tunnel = try TunnelPair(to: origin.url)
        let caller = try tunnel.connect()
        try caller.send(
            "POST", "/", fields: Self.token + [("Expect", "100-continue"), ("Content-Length", "4")])
        let answer = try caller.readResponse()
        #expect(answer.status == 417)
        #expect(answer.informational.isEmpty)
    }

    @Test(.timeLimit(.minutes(1))) func earlyHintsComeBeforeTheAnswerIsMade() throws {
        let caller = Gate()
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.writeHead(103, fields: [("Link", "</style.css>; rel=preload")])
            try caller.wait()
            try connection.respond(text: "page")
        }
        let tunnel = try TunnelPair(to: origin.url)
        let connection = try tunnel.connect()
        try connection.send("GET", "/", fields: Self.token)
        let hints = try connection.readHead()
        #expect(hints.status == 103)
        #expect(hints["Link"] == "</style.css>; rel=preload")
        caller.open()
        #expect(try connection.readResponse().text == "page")
    }
}

extension Array where Element == UInt8 {
    func hasSuffix(_ end: [UInt8]) -> Bool { suffix(end.count) == end[...] }
}

extension SplitMix64 {
    /// As many random bytes from its present state.
    func sequence(_ count: Int) -> [UInt8] {
        var copy = self
        return copy.bytes(count)
    }
}
