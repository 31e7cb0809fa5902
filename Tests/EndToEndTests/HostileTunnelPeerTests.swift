import Foundation
import TestSupport
import Testing

/// Tunnel clients that break the protocol after a right handshake: their session ends, and nothing else.
///
/// Serialized: these tests block their threads, so that beside each other they would use up each other's time.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HostileTunnelPeerTests {
    /// For all tests that do the agent no lasting harm.
    private static let shared = SharedWhileUsed<BesiegedAgent>()

    static let token = "hostile-peer-token-01"

    struct Nonsense: CustomTestStringConvertible, Sendable {
        let testDescription: String
        /// What is sent behind the handshake, on the socket as it is.
        let bytes: [UInt8]
        /// The code of the server's close frame.
        let code: UInt16
    }

    private static func frames(_ name: String, _ frames: [UInt8]..., code: UInt16 = 1002) -> Nonsense {
        let payload = Array(frames.joined())
        return Nonsense(
            testDescription: name, bytes: webSocketFrame(opcode: 2, payload, isMasked: true), code: code)
    }

    private static let settings = Mux.settings()

    static let nonsense: [Nonsense] = [
        Nonsense(testDescription: "garbage", bytes: [UInt8](repeating: 0xff, count: 1000), code: 1002),
        Nonsense(testDescription: "HTTP", bytes: Array("GET / HTTP/1.1\r\n\r\n".utf8), code: 1002),
        Nonsense(
            testDescription: "no mask", bytes: webSocketFrame(opcode: 2, settings, isMasked: false),
            code: 1002),
        Nonsense(testDescription: "text", bytes: webSocketFrame(opcode: 1, [65], isMasked: true), code: 1003),
        Nonsense(
            testDescription: "a reserved bit",
            bytes: webSocketFrame(opcode: 2, settings, isMasked: true, first: 0xc2), code: 1002),
        Nonsense(
            testDescription: "an unknown opcode", bytes: webSocketFrame(opcode: 3, [], isMasked: true),
            code: 1002),
        Nonsense(
            testDescription: "a continuation of nothing",
            bytes: webSocketFrame(opcode: 0, [1], isMasked: true), code: 1002),
        Nonsense(
            testDescription: "a ping in fragments",
            bytes: webSocketFrame(opcode: 9, [], isMasked: true, first: 0x09), code: 1002),
        Nonsense(
            testDescription: "a long ping",
            bytes: webSocketFrame(opcode: 9, [UInt8](repeating: 1, count: 126), isMasked: true), code: 1002),
        Nonsense(
            testDescription: "a length in too many bytes", bytes: [0x82, 0xfe, 0, 5, 0, 0, 0, 0], code: 1002),
        Nonsense(
            testDescription: "a message of 2 MiB",
            bytes: [0x82, 0xff] + Mux.integer(UInt64(2 << 20)) + [0, 0, 0, 0], code: 1009),
        Nonsense(
            testDescription: "a message of 2^63",
            bytes: [0x82, 0xff] + Mux.integer(UInt64(1) << 63) + [0, 0, 0, 0], code: 1009),
        Nonsense(
            testDescription: "a malformed close", bytes: webSocketFrame(opcode: 8, [3], isMasked: true),
            code: 1002),
        frames("no settings", Mux.frame(.ping, [UInt8](repeating: 0, count: 8))),
        frames("settings of another version", Mux.settings(version: 3)),
        frames("settings that are cut", Mux.frame(.settings, [0, 1, 0, 9, 1])),
        frames("settings twice", settings, settings),
        frames("a request", settings, Mux.request(1, Mux.plainRequest)),
        frames(
            "an answer nobody asked for", settings, Mux.frame(.response, stream: 1, "HTTP/1.1 200 OK\r\n\r\n")
        ),
        frames("data for no stream", settings, Mux.frame(.data, stream: 7, [1])),
        frames("data for stream 0", settings, Mux.frame(.data, [1])),
        frames("trailers for no stream", settings, Mux.frame(.trailers, stream: 7)),
        frames("a reset of no stream", settings, Mux.frame(.reset, stream: 7, [0, 0, 0, 0])),
        frames("credit for no stream", settings, Mux.frame(.window, stream: 7, [0, 0, 0, 1])),
        frames("a reset of two bytes", settings, Mux.frame(.reset, stream: 1, [0, 0])),
        frames("a ping of two bytes", settings, Mux.frame(.ping, [0, 0])),
        frames("a long ping of ours", settings, Mux.frame(.ping, [UInt8](repeating: 0, count: 9))),
        frames(
            "a head that is too long", settings,
            Mux.frame(.response, stream: 1, [UInt8](repeating: 65, count: 100_000))),
        frames(
            "a frame that is cut", settings,
            Array(Mux.frame(.ping, [UInt8](repeating: 0, count: 8)).dropLast(2))),
        frames("a header that is cut", settings, [0, 0, 0]),
        Nonsense(
            testDescription: "thousands of empty messages",
            bytes: webSocketFrame(opcode: 2, settings, isMasked: true)
                + (0..<5000).flatMap { _ in webSocketFrame(opcode: 2, [], isMasked: true) }, code: 1002),
        frames(
            "thousands of frames of an unknown type", settings,
            (0..<5000).flatMap { _ in [0, 0, 0, 0xee, 0, 0, 0, 0] }),
    ]

    @Test(arguments: nonsense) func nonsenseEndsTheSessionAndNothingElse(_ example: Nonsense) throws {
        let agent = try Self.shared.value { try BesiegedAgent() }
        let bystander = try Bystander(port: agent.port)
        let peer = try TunnelPeer(port: agent.port, token: Self.token, settings: nil)
        try? peer.socket.write(example.bytes)
        #expect(try peer.closeCode() == example.code)
        #expect(peer.socket.waitForEnd() != .timedOut)
        try bystander.finish()
    }

    @Test func unknownFramesAreSkipped() throws {
        let agent = try Self.shared.value { try BesiegedAgent() }
        let peer = try TunnelPeer(port: agent.port, token: Self.token)
        try peer.send(Mux.frame(rawKind: 200, flags: 15, stream: 99, [UInt8](repeating: 1, count: 50_000)))
        try peer.send(Mux.frame(.ping, [1, 2, 3, 4, 5, 6, 7, 8]))
        while true {
            guard case .binary(let message) = try peer.connection.receive() else { continue }
            let pong = try Mux.Received.all(in: message).first { $0.payload == [1, 2, 3, 4, 5, 6, 7, 8] }
            if pong?.flags == Mux.answer { break }
        }
        peer.connection.reset()
    }

    /// Its pings are no sign of life: what waits for it would wait for ever.
    @Test func aPeerThatPingsAndNeverReadsIsEnded() throws {
        let agent = try BesiegedAgent(server: ["wstimeout: 3s"])
        let bystander = try Bystander(port: agent.port)
        let peer = try TunnelPeer(port: agent.port, token: Self.token, receiveBuffer: 4096)
        let ping = Mux.frame(.ping, [1, 2, 3, 4, 5, 6, 7, 8])
        // More answers than its machine keeps.
        for _ in 0..<40 { try peer.send([UInt8]([[UInt8]](repeating: ping, count: 100).joined())) }
        let (socket, frame) = (peer.socket, webSocketFrame(opcode: 2, ping, isMasked: true))
        let pinging = Background {
            while (try? socket.write(frame)) != nil { usleep(50_000) }
        }
        try agent.agent.waitForLog("Session left", ["error.code": "peer-stuck"], within: .seconds(30))
        try pinging.value()
        try bystander.finish()
    }

    // MARK: Wrong answers

    struct Answer: CustomTestStringConvertible, Sendable {
        let testDescription: String
        /// The frames sent for stream 1 when its request came.
        let frames: [[UInt8]]
        /// What the caller sees; nil for a connection that is cut behind a head.
        let status: Int?
        var upgrade = false
    }

    private static func head(_ text: String, flags: UInt32 = 0) -> [UInt8] {
        Mux.frame(.response, flags: flags, stream: 1, text + "\r\n\r\n")
    }

    static let answers: [Answer] = [
        Answer(testDescription: "no head but garbage", frames: [head("garbage")], status: 506),
        Answer(
            testDescription: "two heads in one", frames: [head("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK")],
            status: 506),
        Answer(
            testDescription: "a head that is cut",
            frames: [Mux.frame(.response, stream: 1, "HTTP/1.1 200 OK\r\n")], status: 506),
        Answer(testDescription: "an empty head", frames: [Mux.frame(.response, stream: 1)], status: 506),
        Answer(testDescription: "status 99", frames: [head("HTTP/1.1 099 No")], status: 506),
        Answer(
            testDescription: "a split header field", frames: [head("HTTP/1.1 200 OK\r\nA: b\r\n c")],
            status: 506),
        Answer(
            testDescription: "two lengths",
            frames: [head("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2")], status: 506),
        Answer(
            testDescription: "data before the head", frames: [Mux.frame(.data, stream: 1, "x")], status: 506),
        Answer(
            testDescription: "the end before the head",
            frames: [Mux.frame(.data, flags: Mux.last, stream: 1)], status: 506),
        Answer(
            testDescription: "trailers before the head", frames: [Mux.frame(.trailers, stream: 1)],
            status: 506),
        Answer(
            testDescription: "a final head called interim",
            frames: [head("HTTP/1.1 200 OK", flags: Mux.interim)], status: 506),
        Answer(
            testDescription: "an interim head called final", frames: [head("HTTP/1.1 103 Hints")], status: 506
        ),
        Answer(
            testDescription: "101 nobody asked for",
            frames: [head("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x")], status: 502),
        Answer(
            testDescription: "101 to what was not offered",
            frames: [head("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c")], status: 502, upgrade: true),
        Answer(
            testDescription: "101 and nothing behind it",
            frames: [head("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x", flags: Mux.last)], status: 506,
            upgrade: true),
        Answer(
            testDescription: "a promised body is missing",
            frames: [head("HTTP/1.1 200 OK\r\nContent-Length: 5", flags: Mux.last)], status: 506),
        Answer(
            testDescription: "refused for ever",
            frames: [
                Mux.frame(.reset, stream: 1, Mux.integer(UInt32(2))),
                Mux.frame(.reset, stream: 2, Mux.integer(UInt32(2))),
                Mux.frame(.reset, stream: 3, Mux.integer(UInt32(2))),
            ], status: 503),
        Answer(
            testDescription: "reset as failed",
            frames: [Mux.frame(.reset, stream: 1, Mux.integer(UInt32(3)))], status: 502),
        Answer(
            testDescription: "reset for no known reason",
            frames: [Mux.frame(.reset, stream: 1, Mux.integer(UInt32(77)))], status: 502),
        Answer(
            testDescription: "reset with the session's own code",
            frames: [Mux.frame(.reset, stream: 1, Mux.integer(UInt32(7)))], status: 502),
        Answer(
            testDescription: "a short body",
            frames: [
                head("HTTP/1.1 200 OK\r\nContent-Length: 5"),
                Mux.frame(.data, flags: Mux.last, stream: 1, "four"),
            ], status: nil),
        Answer(
            testDescription: "a body in excess",
            frames: [
                head("HTTP/1.1 200 OK\r\nContent-Length: 5"),
                Mux.frame(.data, flags: Mux.last, stream: 1, "sixsix"),
            ], status: nil),
        Answer(
            testDescription: "a short body with trailers",
            frames: [
                head("HTTP/1.1 200 OK\r\nContent-Length: 5"), Mux.frame(.data, stream: 1, "four"),
                Mux.frame(.trailers, flags: Mux.last, stream: 1),
            ], status: nil),
        Answer(
            testDescription: "two final heads", frames: [head("HTTP/1.1 200 OK"), head("HTTP/1.1 200 OK")],
            status: nil),
        Answer(
            testDescription: "an interim head behind the final one",
            frames: [head("HTTP/1.1 200 OK"), head("HTTP/1.1 103 Hints", flags: Mux.interim)], status: nil),
        Answer(
            testDescription: "a reset in the body",
            frames: [
                head("HTTP/1.1 200 OK"), Mux.frame(.data, stream: 1, "part"),
                Mux.frame(.reset, stream: 1, Mux.integer(UInt32(3))),
            ], status: nil),
        Answer(
            testDescription: "broken trailers",
            frames: [
                head("HTTP/1.1 200 OK"), Mux.frame(.trailers, flags: Mux.last, stream: 1, "no colon\r\n"),
            ], status: nil),
        Answer(
            testDescription: "split trailers",
            frames: [
                head("HTTP/1.1 200 OK"),
                Mux.frame(.trailers, flags: Mux.last, stream: 1, "A: b\r\n\r\nHTTP/1.1 200 OK\r\n"),
            ], status: nil),
    ]

    @Test(arguments: answers) func aWrongAnswerIsNeverTakenForARightOne(_ example: Answer) throws {
        let agent = try Self.shared.value { try BesiegedAgent() }
        let bystander = try Bystander(port: agent.port)
        let token = uniqueToken()
        let peer = try TunnelPeer(port: agent.port, token: token)
        try Self.waitUntilJoined(agent, token)
        let caller = try HTTPConnection(port: agent.port)
        let upgrade = [("Connection", "Upgrade"), ("Upgrade", "x")]
        try caller.send("GET", "/", fields: [("X-Token", token)] + (example.upgrade ? upgrade : []))
        #expect(try peer.nextRequest() == 1)
        if example.testDescription == "refused for ever" {
            // Each refusal is answered by another try.
            for stream in example.frames.indices {
                try peer.send(example.frames[stream])
                if stream + 1 < example.frames.count { _ = try peer.nextRequest() }
            }
        } else {
            try peer.send(Array(example.frames.joined()))
        }
        if let status = example.status {
            let answer = try caller.readResponse()
            #expect(answer.status == status)
            #expect(!answer.text.isEmpty)
            // The caller is well: its connection goes on.
            #expect(try caller.exchange("GET", "/_health_check").status == 200)
        } else {
            try caller.expectBrokenAnswer()
        }
        peer.connection.reset()
        try bystander.finish()
    }

    /// To a caller of HTTP/1.0 a body without length ends with its connection: only a reset tells that it broke.
    @Test func aCutBodyThatEndsWithItsConnectionEndsInAReset() throws {
        let agent = try Self.shared.value { try BesiegedAgent() }
        let token = uniqueToken()
        let peer = try TunnelPeer(port: agent.port, token: token)
        try Self.waitUntilJoined(agent, token)
        let caller = try HTTPConnection(port: agent.port)
        try caller.send("GET / HTTP/1.0\r\nX-Token: \(token)\r\n\r\n")
        let stream = try peer.nextRequest()
        try peer.send(Self.head("HTTP/1.1 200 OK"), Mux.frame(.data, stream: stream, "part"))
        let head = try caller.readHead()
        #expect(HTTPConnection.framing(of: head, toMethod: "GET") == .untilClose)
        #expect(try caller.socket.read(4) == Array("part".utf8))
        try peer.send(Mux.frame(.reset, stream: stream, Mux.integer(UInt32(3))))
        #expect(caller.waitForEnd() == .reset)
        peer.connection.reset()
    }

    @Test func dataBeyondTheWindowEndsTheSession() throws {
        let agent = try Self.shared.value { try BesiegedAgent() }
        let token = uniqueToken()
        let peer = try TunnelPeer(port: agent.port, token: token)
        try Self.waitUntilJoined(agent, token)
        let caller = try HTTPConnection(port: agent.port, receiveBuffer: 4096)
        try caller.send("GET", "/", fields: [("X-Token", token)])
        let stream = try peer.nextRequest()
        try peer.send(Self.head("HTTP/1.1 200 OK"))
        #expect(throws: StreamEnd.self) {
            for _ in 0..<1000 {
                try peer.send(Mux.frame(.data, stream: stream, [UInt8](repeating: 1, count: 500_000)))
            }
        }
        #expect(try agent.process.peakResidentBytes() < 150 << 20)
        // The end may overtake the head.
        if let head = try? caller.readHead() { #expect(head.status == 200) }
        #expect(caller.waitForEnd() != .timedOut)
    }

    @Test func aPeerThatNeverAnswersIsGivenUp() throws {
        let agent = try BesiegedAgent(server: ["httptimeout: 1s"])
        let peer = try TunnelPeer(port: agent.port, token: Self.token)
        try Self.waitUntilJoined(agent, Self.token)
        let caller = try HTTPConnection(port: agent.port)
        let start = ContinuousClock.now
        let answer = try caller.exchange("GET", "/", fields: [("X-Token", Self.token)])
        let took = ContinuousClock.now - start
        #expect(answer.status == 504)
        #expect(answer.text == "Tunnel timeout\n")
        #expect(answer.head["Retry-After"] != nil)
        #expect(took >= .seconds(1) && took < .seconds(10))
        let stream = try peer.nextRequest()
        let reset = try peer.nextFrame()
        #expect(reset.kind == Mux.Kind.reset.rawValue && reset.stream == stream)
        // A late answer is dropped.
        try peer.send(Mux.frame(.response, stream: stream, "HTTP/1.1 200 OK\r\n\r\n"))
        try peer.send(Mux.frame(.data, flags: Mux.last, stream: stream, "late"))
        try caller.send("GET", "/2", fields: [("X-Token", Self.token)])
        let second = try peer.nextRequest()
        try peer.send(
            Mux.frame(.response, flags: Mux.last, stream: second, "HTTP/1.1 204 No Content\r\n\r\n"))
        #expect(try caller.readResponse().status == 204)
    }

    @Test func aPeerWithoutSettingsIsGivenUpWhateverElseItSends() throws {
        let agent = try BesiegedAgent(server: ["wstimeout: 3s"])
        let peer = try TunnelPeer(
            port: agent.port, token: Self.token, settings: nil, limit: .milliseconds(500))
        let deadline = ContinuousClock.now + .seconds(15)
        var hasEnded = false
        while !hasEnded, ContinuousClock.now < deadline {
            do {
                try peer.connection.send(.ping([1]))
                if case .close = try peer.connection.receive() { hasEnded = true }
                usleep(20_000)
            } catch StreamEnd.timedOut {
            } catch {
                hasEnded = true
            }
        }
        #expect(hasEnded)
    }

    // MARK: Floods

    struct Flood: CustomTestStringConvertible, Sendable {
        let testDescription: String
        /// One message; it is sent until the session ends, or often enough.
        let message: [UInt8]
        var opcode: UInt8 = 2
        var mebibytes = 10
    }

    static let floods: [Flood] = [
        Flood(
            testDescription: "pings",
            message: Array(repeatElement(Mux.frame(.ping, [0, 0, 0, 0, 0, 0, 0, 1]), count: 4000).joined())),
        Flood(
            testDescription: "goAways",
            message: Array(repeatElement(Mux.frame(.goAway, [0, 0, 0, 0]), count: 4000).joined())),
        Flood(
            testDescription: "unknown frames",
            message: Array(repeatElement(Mux.frame(rawKind: 99), count: 8000).joined())),
        Flood(testDescription: "empty messages", message: []),
        Flood(
            testDescription: "WebSocket pings", message: [UInt8](repeating: 1, count: 125), opcode: 9,
            mebibytes: 40),
        Flood(
            testDescription: "WebSocket pongs", message: [UInt8](repeating: 1, count: 125), opcode: 10,
            mebibytes: 40),
    ]

    /// A peer that sends without end and reads nothing.
    @Test(arguments: floods) func aFloodFillsNoMemoryAndHoldsNobodyUp(_ flood: Flood) throws {
        let agent = try BesiegedAgent()
        let bystander = try Bystander(port: agent.port)
        let before = try agent.process.residentBytes()
        let peer = try TunnelPeer(port: agent.port, token: Self.token, limit: .seconds(5))
        let frame = webSocketFrame(opcode: flood.opcode, flood.message, isMasked: true)
        let batch = Array(repeatElement(frame, count: max(1, 60_000 / frame.count)).joined())
        do {
            var sent = 0
            while sent < flood.mebibytes << 20 {
                try peer.socket.write(batch)
                sent += batch.count
            }
        } catch is StreamEnd {
            // Cut off, or not read any more: either protects the server.
        }
        #expect(try agent.process.peakResidentBytes() < before + (35 << 20))
        try bystander.finish()
        peer.connection.reset()
        #expect(agent.process.exit == nil)
    }

    @Test func tokensWithoutEndFillNoMemory() throws {
        let agent = try BesiegedAgent()
        let openBefore = try agent.process.openFileCount()
        for number in 0..<300 {
            let peer = try TunnelPeer(port: agent.port, token: "hostile-many-tokens-\(number)")
            peer.connection.reset()
        }
        try agent.waitForOpenFiles(atMost: openBefore + 2)
        #expect(try agent.request().status == 200)
    }

    @Test func sessionsThatAreResetRightBehindTheHandshakeHarmNobody() throws {
        let agent = try BesiegedAgent()
        let bystander = try Bystander(port: agent.port)
        let openBefore = try agent.process.openFileCount()
        let handshake = [
            "GET /_tunnel HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: websocket",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol: wstunnel.v2", "Origin: \(Self.token)", "", "",
        ].joined(separator: "\r\n")
        for number in 0..<500 {
            let socket = try StreamSocket(port: agent.port)
            try socket.write(Array(handshake.utf8) + webSocketFrame(opcode: 2, Self.settings, isMasked: true))
            if number % 2 == 0 { socket.reset() } else { socket.close() }
        }
        try agent.waitForOpenFiles(atMost: openBefore + 2)
        try bystander.finish()
    }

    @Test func aSessionThatStopsReadingHoldsUpOnlyItsOwnCallers() throws {
        let agent = try BesiegedAgent(server: ["wstimeout: 600s"])
        let peer = try TunnelPeer(port: agent.port, token: Self.token)
        try Self.waitUntilJoined(agent, Self.token)
        // Many callers send large bodies into a session that reads nothing.
        let callers = try (0..<5).map { _ in try HTTPConnection(port: agent.port, limit: .milliseconds(500))
        }
        for caller in callers {
            try caller.send(
                "POST / HTTP/1.1\r\nHost: a\r\nX-Token: \(Self.token)\r\nContent-Length: 100000000\r\n\r\n")
            #expect(throws: StreamEnd.timedOut, "\(agent.agent.log.suffix(5))") {
                for _ in 0..<100 { try caller.send([UInt8](repeating: 1, count: 1_000_000)) }
            }
        }
        let bystander = try Bystander(port: agent.port)
        for _ in 0..<20 { #expect(try agent.request().status == 200) }
        try bystander.finish()
        #expect(try agent.process.peakResidentBytes() < 150 << 20)
        for caller in callers { caller.reset() }
        peer.connection.reset()
    }

    static func waitUntilJoined(_ agent: BesiegedAgent, _ token: String) throws {
        try agent.agent.waitForLog("Session joined", ["token.hint": "\(token.prefix(8))..."])
    }
}
