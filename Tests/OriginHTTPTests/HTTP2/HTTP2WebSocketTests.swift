import HTTPMessage
import NIOCore
import NIOPosix
import OriginHTTP
import TestSupport
import Testing

/// Upgrades towards origins that speak HTTP/2.
@Suite(.timeLimit(.minutes(1)))
struct HTTP2WebSocketTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.any()
    private static let handshake = HeaderFields([
        .connection: "Upgrade", .upgrade: "websocket", .secWebSocketKey: "dGhlIHNhbXBsZSBub25jZQ==",
        .secWebSocketVersion: "13", .secWebSocketProtocol: "chat",
    ])

    private func ask(_ origin: HTTPOrigin, _ fields: HeaderFields = handshake) throws -> RecordedExchange {
        try RecordedExchange(
            origin, RequestHead(method: "GET", target: "/ws", fields: fields), on: loop)
    }

    @Test func aWebSocketOpensByExtendedCONNECT() throws {
        let server = try ScriptedOrigin { connection in
            let peer = try FramePeer(connection, settings: [(8, 1)])
            let request = try peer.request()
            let said = request.fields.map { "\($0.name): \($0.value)" }
            #expect(
                said == [
                    ":method: CONNECT", ":protocol: websocket", ":scheme: http", ":path: /ws",
                    ":authority: \(request(":authority") ?? "")", "sec-websocket-version: 13",
                    "sec-websocket-protocol: chat",
                ])
            #expect(!request.isWhole)
            try peer.answer(request.stream, 200, [("sec-websocket-protocol", "chat")])
            try peer.data(request.stream, "hello")
            #expect(try peer.next(FramePeer.data).payload == Array("and back".utf8))
            try peer.data(request.stream, "", ends: true)
            #expect(try peer.body(of: request.stream) == Array("last".utf8))
            _ = connection.waitForEnd()
        }
        let exchange = try ask(try server.http2())
        try exchange.wait("hello") { $0.text == "hello" }
        let head = try #require(exchange.now.heads.first)
        #expect(head.status == 101 && exchange.now.framings == [.untilClose])
        #expect(head.fields[.upgrade] == "websocket" && head.fields[.connection] == "Upgrade")
        #expect(head.fields[.secWebSocketAccept] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(head.fields[.secWebSocketProtocol] == "chat")
        try exchange.send("and back")
        try exchange.wait("the origin's end") { $0.isEnded }
        try exchange.send("last")
        try exchange.end()
        try exchange.onLoop {}
        #expect(server.failures.isEmpty)
    }

    @Test func aWebSocketThatIsCutFailsItsExchange() throws {
        let server = try ScriptedOrigin { connection in
            let peer = try FramePeer(connection, settings: [(8, 1)])
            let stream = try peer.request().stream
            try peer.answer(stream, 200)
            try peer.reset(stream, 8)
            _ = connection.waitForEnd()
        }
        let state = try ask(try server.http2()).waitForEnd()
        #expect(state.status == 101 && state.error?.code == .closedEarly)
    }

    @Test func aRefusedWebSocketIsAnOrdinaryAnswer() throws {
        let server = try ScriptedOrigin { connection in
            let peer = try FramePeer(connection, settings: [(8, 1)])
            let stream = try peer.request().stream
            try peer.answer(stream, 403, [("content-length", "2")])
            try peer.data(stream, "no", ends: true)
            _ = connection.waitForEnd()
        }
        let state = try ask(try server.http2()).waitForEnd()
        #expect(state.status == 403 && state.text == "no" && state.isEnded)
    }

    @Test func whereTheOriginTakesNoneItGoesOverHTTP1() throws {
        let server = try HTTP2EchoServer(protocols: ["h2", "http/1.1"])
        let origin = try server.origin(.automatic)
        #expect(try RecordedExchange.get(origin, on: loop).heads.first?.fields.first(named: "x-path") == "/")
        #expect(try ask(origin).waitForEnd().text == "old")
        var other = HeaderFields([.connection: "Upgrade", .upgrade: "custom/1"])
        other.append(named: "X-A", "b")
        #expect(try ask(origin, other).waitForEnd().text == "old")
    }

    @Test func whereHTTP1IsNotToBeHadItIsNotImplemented() throws {
        let server = try HTTP2EchoServer()
        let error = try #require(try ask(try server.origin(.http2)).waitForEnd().error)
        #expect(error.code == .unsupported && error.status == 501)
        #expect(error.message.contains("speaks HTTP/2"), "\(error)")
    }
}
