import HTTPMessage
import NIOCore
import NIOEmbedded
import Testing
import TunnelProtocol

@testable import TunnelTransport

/// The opening handshake of a WebSocket (RFC 6455 §4), from both sides.
struct WebSocketHandshakeTests {
    /// The example of RFC 6455 §1.3.
    private static let key = "dGhlIHNhbXBsZSBub25jZQ=="
    private static let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

    private static func request(_ changes: [String: String]) -> RequestHead {
        var values = [
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key,
        ]
        values.merge(changes) { $1 }
        var fields = HeaderFields()
        for (name, value) in values where !value.isEmpty { fields.append(named: name, value) }
        return RequestHead(method: "GET", target: "/_tunnel", fields: fields)
    }

    private static func answer(to request: RequestHead, version: ProtocolVersion = .v1) throws
        -> ResponseHead?
    {
        try WebSocketHandshake.accept(
            request, subprotocol: version == .v2 ? WebSocketHandshake.subprotocol : nil, on: EmbeddedChannel()
        ).wait()
    }

    @Test(arguments: [
        [:], ["Connection": "keep-alive, UPGRADE"], ["Upgrade": "WebSocket"], ["Upgrade": "h2c, websocket"],
    ]) func aRightRequestIsAccepted(_ changes: [String: String]) throws {
        let answer = try #require(try Self.answer(to: Self.request(changes), version: .v2))
        #expect(answer.status == 101)
        #expect(answer.fields.values(.secWebSocketAccept) == [Self.accept])
        #expect(answer.fields.values(.secWebSocketProtocol) == ["wstunnel.v2"])
        #expect(answer.fields.list(.connection, contains: "upgrade"))
        #expect(answer.fields[.upgrade] == "websocket")
    }

    @Test(arguments: [
        ["Connection": ""], ["Connection": "close"], ["Upgrade": ""], ["Upgrade": "h2c"],
        ["Sec-WebSocket-Version": ""], ["Sec-WebSocket-Version": "8"], ["Sec-WebSocket-Key": ""],
    ]) func aWrongRequestIsNotAccepted(_ changes: [String: String]) throws {
        #expect(try Self.answer(to: Self.request(changes)) == nil)
    }

    @Test func withoutASubprotocolNoneIsNamed() throws {
        let answer = try #require(try Self.answer(to: Self.request([:])))
        #expect(!answer.fields.contains(.secWebSocketProtocol))
    }

    // MARK: The client's side

    @Test func whatAClientAsksForIsAcceptedAndProven() throws {
        let handshake = ClientHandshake()
        let request = RequestHead(method: "GET", target: "/", fields: handshake.requestFields())
        #expect(request.fields[.secWebSocketProtocol] == WebSocketHandshake.subprotocol)
        let answer = try #require(try Self.answer(to: request, version: .v2))
        #expect(handshake.isAccepted(answer))
        // Another client's proof is none.
        #expect(!ClientHandshake().isAccepted(answer))
    }

    @Test func aClientOfTheOldProtocolOffersNoOther() throws {
        let handshake = ClientHandshake(offersMux: false)
        let request = RequestHead(method: "GET", target: "/", fields: handshake.requestFields())
        #expect(!request.fields.contains(.secWebSocketProtocol))
        #expect(WebSocketHandshake.version(offeredBy: request) == .v1)
        let answer = try #require(try Self.answer(to: request))
        #expect(handshake.isAccepted(answer) && handshake.version(chosenBy: answer) == .v1)
        // A server that chooses it all the same does not know what it does.
        let wrong = try #require(try Self.answer(to: request, version: .v2))
        #expect(handshake.version(chosenBy: wrong) == nil)
    }

    enum Change: CaseIterable {
        case status, upgrade, connection, accept
    }

    @Test(arguments: Change.allCases) func anAnswerWithoutProofIsNotAccepted(_ change: Change) throws {
        let handshake = ClientHandshake()
        let request = RequestHead(method: "GET", target: "/", fields: handshake.requestFields())
        var answer = try #require(try Self.answer(to: request))
        switch change {
        case .status: answer.status = 200
        case .upgrade: answer.fields.remove(.upgrade)
        case .connection: answer.fields.remove(.connection)
        case .accept: answer.fields.remove(.secWebSocketAccept)
        }
        #expect(!handshake.isAccepted(answer))
    }
}
