import Foundation
import TestSupport
import Testing

/// Callers that speak HTTP/2, by prior knowledge.
@Suite struct HTTP2Tests {
    private static let http2 = "--http2-prior-knowledge"

    @Test(.timeLimit(.minutes(1))) func requestsGoThroughTheTunnelAsThoseOfHTTP1Do() throws {
        let origin = try ScriptedOrigin.echo()
        let tunnel = try TunnelPair(to: origin.url)
        let body = SplitMix64(seed: 5).sequence(300_000)
        let folder = try TemporaryFolder()
        let path = folder.path(of: "body")
        try Data(body).write(to: URL(fileURLWithPath: path))
        for way in [["--data-binary", "@\(path)"], ["-T", path], ["-T", path, "-H", "Content-Length:"]] {
            let result = try curl(
                way + [Self.http2, "-X", "POST", "-H", "X-Token: \(TunnelPair.token)", tunnel.url + "/echo"])
            #expect(result.values["http_version"] == "2" && result.status == 200)
            #expect(result.standardOutput == body, "\(way)")
        }
        let head = try tunnel.curl("/echo", Self.http2, "-I")
        #expect(head.status == 200 && head.text.hasPrefix("HTTP/2 200"))
        #expect(origin.failures.isEmpty)
    }

    @Test(.timeLimit(.minutes(1))) func whatAnOriginSaysBesideItsAnswerComes() throws {
        let origin = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            #expect(request["Host"]?.hasPrefix("127.0.0.1") == true && request["X-Token"] == nil)
            try connection.writeHead(103, fields: [("Link", "</a>")])
            try connection.writeHead(200, fields: [("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum")])
            try connection.socket.writeChunk(Array("body".utf8))
            try connection.socket.write(Array("0\r\nX-Sum: 42\r\n\r\n".utf8))
        }
        let tunnel = try TunnelPair(to: origin.url)
        let result = try tunnel.curl("/", Self.http2, "-v")
        #expect(result.text == "body" && origin.failures.isEmpty)
        for line in ["HTTP/2 103", "link: </a>", "HTTP/2 200", "x-sum: 42"] {
            #expect(result.standardError.contains("< \(line)"), "\(line) in \(result.standardError)")
        }
        #expect(!result.standardError.contains("< transfer-encoding"))
    }

    @Test(.timeLimit(.minutes(1))) func anAnswerThatBreaksOffDoesNotLookWhole() throws {
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.writeHead(200, fields: [("Content-Length", "1000")])
            try connection.socket.write(Array("part".utf8))
            connection.socket.close()
        }
        let tunnel = try TunnelPair(to: origin.url)
        let result = try tunnel.curl("/", Self.http2)
        // 92: the stream was reset.
        #expect(result.exitCode == 92)
    }

    @Test(.timeLimit(.minutes(1))) func aCallerThatLeavesStopsItsOrigin() throws {
        let ended = Gate()
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.startEventStream()
            try connection.sendEvent("one")
            _ = connection.waitForEnd()
            ended.open()
        }
        let tunnel = try TunnelPair(to: origin.url)
        let result = try tunnel.curl("/", Self.http2, "-N", "--max-time", "1")
        #expect(result.text == "data: one\n\n")
        try ended.wait()
    }

    /// RFC 8441 §5.
    @Test(.timeLimit(.minutes(1))) func aWebSocketOpensByExtendedCONNECT() throws {
        let origin = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            #expect(request.method == "GET" && request["Sec-WebSocket-Key"]?.utf8.count == 24)
            try connection.acceptWebSocket(request)
            while let bytes = try? connection.socket.readSome(), !bytes.isEmpty {
                try connection.socket.write(bytes.reversed())
            }
        }
        let tunnel = try TunnelPair(to: origin.url)
        let socket = try StreamSocket(port: tunnel.port)
        let fields = HTTP2Frames.request(
            "CONNECT", "/socket", token: TunnelPair.token,
            [(":protocol", "websocket")] + [("sec-websocket-version", "13")])
        try socket.write(HTTP2Frames.preface + HTTP2Frames.frame(1, 4, 1, fields))
        let head = try socket.readFrame(of: 1)
        // `:status: 200` has a place in the static table.
        #expect(head.type == 1 && head.flags & 1 == 0 && head.payload.first == 0x88)
        for text in ["hello", "again"] {
            try socket.write(HTTP2Frames.frame(0, 0, 1, Array(text.utf8)))
            #expect(try socket.readFrame(of: 1).payload == text.utf8.reversed())
        }
        try socket.write(HTTP2Frames.frame(3, 0, 1, HTTP2Frames.number(8, 4)))
        try origin.waitForEnds(1)
        #expect(origin.failures.isEmpty)
    }

    @Test(.timeLimit(.minutes(1))) func ourOwnAnswersAreThoseOfHTTP1() throws {
        let tunnel = try TunnelPair(to: "builtin:echo")
        let health = try curl(Self.http2, tunnel.url + "/_health_check")
        #expect(health.status == 200 && health.text == "WSTUNSRV RUNNING\n")
        let missing = try curl(Self.http2, tunnel.url + "/")
        #expect(missing.status == 400 && missing.text == "Missing X-Token header\n")
        let handshake = try curl(Self.http2, tunnel.url + "/_tunnel")
        #expect(handshake.status == 400 && handshake.text.contains("HTTP/1.1"))
        // Who offers it in a request of HTTP/1 is answered as before (RFC 9113 §3.1).
        let upgrade = try curl("--http2", tunnel.url + "/_health_check")
        #expect(upgrade.status == 200 && upgrade.values["http_version"] == "1.1")
    }

    @Test(.timeLimit(.minutes(2)), .enabled(if: access("/usr/bin/h2load", X_OK) == 0))
    func manyStreamsOfManyConnectionsAreAllServed() throws {
        let origin = try ScriptedOrigin.echo()
        let tunnel = try TunnelPair(to: origin.url)
        let load = try ChildProcess([
            "h2load", "-n", "2000", "-c", "10", "-m", "20", "-H", "x-token: \(TunnelPair.token)",
            tunnel.url + "/load",
        ])
        #expect(try load.waitForExit() == .code(0))
        #expect(load.standardOutput.text.contains("2000 succeeded, 0 failed, 0 errored"))
        #expect(load.standardOutput.text.contains("status codes: 2000 2xx"))
    }

    /// What is under way is answered; nobody is left with a request that was not.
    @Test(.timeLimit(.minutes(1))) func aServerThatStopsFinishesWhatItTook() throws {
        let (asked, stopped) = (Gate(), Gate())
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            asked.open()
            try stopped.wait()
            try connection.respond(text: "finished")
        }
        let tunnel = try TunnelPair(to: origin.url)
        let caller = Background { try tunnel.curl("/", Self.http2) }
        try asked.wait()
        tunnel.server.process.send(signal: SIGTERM)
        try tunnel.server.waitForLog("Stopping: requests in flight are finished; a second signal ends them")
        stopped.open()
        let result = try caller.value()
        #expect(result.status == 200 && result.text == "finished")
        #expect(try tunnel.server.process.waitForExit() == .code(0))
    }
}

/// Callers that abuse HTTP/2, frame by frame: they are cut off, nobody beside them notices, and nothing is kept of them.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HostileHTTP2Tests {
    private static let get = HTTP2Frames.request(token: BesiegedAgent.token)

    static let floods: [(name: String, frames: @Sendable (Int) -> [UInt8])] = [
        ("PING", { _ in HTTP2Frames.frame(6, 0, 0, [UInt8](repeating: 1, count: 8)) }),
        ("SETTINGS", { _ in HTTP2Frames.frame(4, 0, 0) }),
        ("WINDOW_UPDATE", { _ in HTTP2Frames.frame(8, 0, 0, HTTP2Frames.number(1, 4)) }),
        ("empty DATA", { ($0 == 0 ? HTTP2Frames.frame(1, 4, 1, get) : []) + HTTP2Frames.frame(0, 0, 1) }),
        ("CONTINUATION", { $0 == 0 ? HTTP2Frames.frame(1, 0, 1, get) : HTTP2Frames.frame(9, 0, 1) }),
        (
            "rapid reset",
            {
                HTTP2Frames.frame(1, 5, 2 * $0 + 1, get)
                    + HTTP2Frames.frame(3, 0, 2 * $0 + 1, HTTP2Frames.number(8, 4))
            }
        ),
        ("heads of no sense", { HTTP2Frames.frame(1, 5, 2 * $0 + 1, [0x82]) }),
    ]

    @Test(arguments: floods.indices) func aFloodIsCutOffAndNobodyElseNotices(index: Int) throws {
        let agent = try BesiegedAgent()
        let flood = Self.floods[index]
        _ = try agent.request()
        let before = try agent.process.residentBytes()
        let bystander = try Bystander(port: agent.port)
        var sent = 0
        while sent < 100_000 {
            let socket = try StreamSocket(port: agent.port)
            var bytes = HTTP2Frames.preface
            do {
                var own = 0
                while own < 20_000 {
                    for _ in 0..<500 {
                        bytes += flood.frames(own)
                        own += 1
                    }
                    try socket.write(bytes)
                    bytes = []
                    sent += 500
                }
                // It is dropped unread by then.
                socket.finishWriting()
                #expect(socket.waitForEnd() != .timedOut, "\(flood.name)")
            } catch is StreamEnd {}
            socket.close()
        }
        try bystander.finish(slowest: .seconds(1))
        #expect(try agent.process.residentBytes() < before + (16 << 20), "\(flood.name)")
        #expect(try agent.request().status == 200)
    }

    /// A hundred answers that nobody reads, on each of four connections.
    @Test func answersThatNobodyReadsTakeLittleMemory() throws {
        let body = [UInt8](repeating: 7, count: 1 << 20)
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                try connection.respond(body: request.target == "/" ? Array("small".utf8) : body)
            }
        }
        let agent = try BesiegedAgent(origin: origin.url)
        _ = try agent.request()
        let before = try agent.process.residentBytes()
        var sockets: [StreamSocket] = []
        let target = HTTP2Frames.request("GET", "/large", token: BesiegedAgent.token)
        for _ in 0..<4 {
            let socket = try StreamSocket(port: agent.port)
            try socket.write(
                HTTP2Frames.preface + (0..<100).flatMap { HTTP2Frames.frame(1, 5, 2 * $0 + 1, target) }
                    + HTTP2Frames.frame(8, 0, 0, HTTP2Frames.number(1 << 24, 4)))
            sockets.append(socket)
        }
        try origin.waitForConnections(400)
        #expect(try agent.request().text.contains("small"))
        // As much as with as many connections of HTTP/1: what the process lends, both ends here.
        let after = try agent.process.residentBytes()
        #expect(after < before + (192 << 20), "\(after - before)")
        for socket in sockets { socket.close() }
    }
}
