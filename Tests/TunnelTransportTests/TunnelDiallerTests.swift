import HTTPMessage
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing
import TunnelProtocol

@testable import TunnelTransport

/// Dialling to little servers on loopback that do what a script says.
@Suite(.timeLimit(.minutes(1))) struct TunnelDiallerTests {
    private static let group = MultiThreadedEventLoopGroup.singleton

    private static func dial(_ port: Int, owner: RecordingOwner = RecordingOwner()) async throws
        -> any Channel
    {
        let target = TunnelDialler.Target(
            host: "127.0.0.1", port: port, path: "/base/_tunnel",
            fields: HeaderFields([.origin: "dialler-test-token"]), tls: nil)
        return try await TunnelDialler(target).dial(on: group.next()) { _ in
            MuxSession(
                role: .acceptor, limits: SessionLimits(),
                settings: SessionSettings(maximumStreams: 0, initialWindow: 0, software: "test"),
                budget: ProcessReceiveBudget(), owner: owner)
        }
    }

    @Test func aHandshakeAsksForWhatWasToldAndTheSessionBegins() async throws {
        let requests = Mutex<[MessageHead]>([])
        let hello = Self.settingsMessage
        let server = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            requests.withLock { $0.append(request) }
            // The session's first bytes come with the answer's.
            let answer = Self.acceptance(of: request)
            try connection.socket.write(Array(answer.utf8) + hello)
            _ = connection.waitForEnd()
        }
        let owner = RecordingOwner()
        let channel = try await Self.dial(server.port, owner: owner)
        try await onThread { try owner.wait(for: "the peer's settings") { !$0.isEmpty } }
        #expect(owner.events == [.ready(tunnelName: "far")])
        try await channel.close()

        let request = try #require(requests.withLock { $0.first })
        #expect(request.method == "GET" && request.target == "/base/_tunnel")
        #expect(request["Host"] == "127.0.0.1:\(server.port)")
        #expect(request["Origin"] == "dialler-test-token")
        #expect(request["Sec-WebSocket-Protocol"] == "wstunnel.v2")
        #expect(request["Sec-WebSocket-Version"] == "13")
        #expect(request.has("Connection", "upgrade") && request.has("Upgrade", "websocket"))
    }

    /// What a server sends first: its settings in a message.
    private static var settingsMessage: [UInt8] {
        var message = FrameBuffer(capacity: 100)
        message.buffer.writeMuxFrame(
            .settings(
                SessionSettings(maximumStreams: 1, initialWindow: 1, software: "test", tunnelName: "far")))
        return Array(message.finished(as: .binary, mask: nil).readableBytesView)
    }

    private static func acceptance(of request: MessageHead, subprotocol: String = "wstunnel.v2") -> String {
        let accept = OriginConnection.webSocketAccept(of: request)
        return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Accept: \(accept)\r\nSec-WebSocket-Protocol: \(subprotocol)\r\n\r\n"
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let code: DialError.Code
        let words: String
        var isRefusal = false
        /// What the server answers.
        let answer: @Sendable (MessageHead) -> String
        /// Whether it closes right away.
        var closes = false
    }

    private static func plain(_ status: Int, _ text: String) -> @Sendable (MessageHead) -> String {
        { _ in "HTTP/1.1 \(status) Words\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)" }
    }

    static let refusals: [Refusal] = [
        Refusal(
            testDescription: "wrong password", code: .rejected, words: "401: Unauthorized", isRefusal: true,
            answer: plain(401, "Unauthorized\n")),
        Refusal(
            testDescription: "bad request", code: .rejected, words: "400: Rendez-vous token is too short",
            isRefusal: true, answer: plain(400, "Rendez-vous token is too short\nmore")),
        Refusal(
            testDescription: "no body", code: .rejected, words: "403", isRefusal: true, answer: plain(403, "")
        ),
        Refusal(
            testDescription: "too many", code: .rejected, words: "429: Too many",
            isRefusal: true, answer: plain(429, "Too many\n")),
        Refusal(
            testDescription: "overloaded, told by the close", code: .rejected, words: "503: Busy",
            answer: { _ in "HTTP/1.1 503 Busy\r\n\r\nBusy\n" }, closes: true),
        Refusal(
            testDescription: "a web page", code: .rejected, words: "200: hello", answer: plain(200, "hello")),
        Refusal(
            testDescription: "101 without proof", code: .notATunnelServer, words: "opens no WebSocket",
            answer: {
                acceptance(of: $0).replacing("Sec-WebSocket-Accept: ", with: "Sec-WebSocket-Accept: x")
            },
            closes: true),
        Refusal(
            testDescription: "another subprotocol", code: .notATunnelServer, words: "did not offer",
            answer: { acceptance(of: $0, subprotocol: "mqtt") }),
        Refusal(
            testDescription: "SSH", code: .notATunnelServer, words: "does not speak HTTP",
            answer: { _ in "SSH-2.0-OpenSSH_9.9\r\n\r\n" }),
        Refusal(
            testDescription: "a head without end", code: .notATunnelServer, words: "does not speak HTTP",
            answer: { _ in "HTTP/1.1 200 OK\r\nA: " + String(repeating: "a", count: 200_000) }),
        Refusal(
            testDescription: "silence and a close", code: .unreachable, words: "closed during the handshake",
            answer: { _ in "" }, closes: true),
        Refusal(
            testDescription: "half a head and a close", code: .unreachable,
            words: "closed during the handshake",
            answer: { _ in "HTTP/1.1 101 Swi" }, closes: true),
    ]

    @Test(arguments: refusals) func aServerThatIsNoneOrSaysNoIsToldInWords(_ example: Refusal) async throws {
        let server = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            try connection.socket.write(example.answer(request))
            if example.closes { connection.socket.finishWriting() }
            _ = connection.waitForEnd()
        }
        let owner = RecordingOwner()
        let error = try await #require(throws: DialError.self) {
            _ = try await Self.dial(server.port, owner: owner)
        }
        #expect(error.code == example.code)
        #expect(error.isRefusal == example.isRefusal)
        #expect(error.message.contains(example.words), "\(error.message)")
        #expect(owner.events.isEmpty)
        // Nothing is left behind.
        try await onThread { try server.waitForEnds(1) }
    }

    @Test func aLongRefusalIsQuotedInPart() async throws {
        let server = try ScriptedOrigin { connection in
            guard try connection.readRequest() != nil else { return }
            try connection.respond(500, text: String(repeating: "x", count: 100_000))
            _ = connection.waitForEnd()
        }
        let error = try await #require(throws: DialError.self) { _ = try await Self.dial(server.port) }
        #expect(error.code == .rejected)
        #expect(error.message.count < 300)
    }

    @Test func aPortThatNobodyListensOnIsUnreachable() async throws {
        let port = try freePort()
        let error = try await #require(throws: DialError.self) { _ = try await Self.dial(port) }
        #expect(error.code == .unreachable)
        #expect(error.message == "connection refused")
    }

    @Test func aDialThatIsCalledOffEndsAtOnceAndLeavesNothing() async throws {
        let server = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            _ = connection.waitForEnd(within: .seconds(40))
        }
        let dialling = Task { _ = try await Self.dial(server.port) }
        try await onThread { try server.waitForConnections(1) }
        let start = ContinuousClock.now
        dialling.cancel()
        await #expect(throws: CancellationError.self) { try await dialling.value }
        try await onThread { try server.waitForEnds(1) }
        // The server's answer would have been waited for twice as long.
        #expect(ContinuousClock.now - start < .seconds(5))
    }
}
