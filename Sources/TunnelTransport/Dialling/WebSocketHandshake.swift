package import HTTPMessage
package import NIOCore
import NIOHTTP1
import NIOWebSocket
package import TunnelProtocol

/// The opening handshake of a WebSocket (RFC 6455 §4), on NIO's implementation; the HTTP around it is ours.
package enum WebSocketHandshake {
    /// The subprotocol by which two new ends know each other.
    package static let subprotocol = "wstunnel.v2"
    /// The subprotocol in whose messages TLS is spoken, with another handshake inside.
    package static let innerTLS = "wstunnel.tls"

    /// The subprotocol in whose messages a raw stream goes, from somebody who calls a service behind a tunnel.
    package static let raw = "wstunnel.tcp"
    /// What such a caller appends to the base path.
    package static let rawEndpoint = "/_connect"

    /// Whether a caller asks for a raw stream.
    package static func asksForRaw(_ request: RequestHead) -> Bool {
        request.method == "GET" && request.asksForUpgrade
            && request.fields.list(.upgrade, contains: "websocket")
            && request.fields.list(.secWebSocketProtocol, contains: "wstunnel.tcp")
    }

    /// The answer to a caller who gets one.
    ///
    /// - Returns: nil where its handshake is none (RFC 6455 §4.2.1).
    package static func grantOfRaw(_ request: RequestHead) -> ResponseHead? {
        guard let key = request.fields[.secWebSocketKey], request.fields.count(of: .secWebSocketKey) == 1,
            request.fields[.secWebSocketVersion] == "13"
        else { return nil }
        var fields = HeaderFields([.connection: "Upgrade", .upgrade: "websocket"])
        fields.append(.secWebSocketAccept, WebSocketAccept.value(forKey: key))
        fields.append(.secWebSocketProtocol, raw)
        return ResponseHead(status: 101, fields: fields)
    }

    /// What to speak with a client: v2 if it offers it, else it is an old one.
    package static func version(offeredBy request: RequestHead) -> ProtocolVersion {
        request.fields.list(.secWebSocketProtocol, contains: "wstunnel.v2") ? .v2 : .v1
    }

    /// Answers a client's handshake.
    ///
    /// - Parameter subprotocol: what is spoken; nil where the client knows of none.
    /// - Returns: the 101 head, or nil when the request is no valid WebSocket handshake. Completes at once on the
    ///   channel's event loop.
    package static func accept(
        _ request: RequestHead, subprotocol: String?, on channel: any Channel
    ) -> EventLoopFuture<ResponseHead?> {
        let upgrader = NIOWebSocketServerUpgrader(
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture([:]) },
            upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: "/", headers: HTTPHeaders(request.fields.pairs))
        guard request.asksForUpgrade, request.fields.list(.upgrade, contains: "websocket") else {
            return channel.eventLoop.makeSucceededFuture(nil)
        }
        return upgrader.buildUpgradeResponse(
            channel: channel, upgradeRequest: head, initialResponseHeaders: [:]
        ).map { headers -> ResponseHead? in
            var fields = HeaderFields([.connection: "Upgrade", .upgrade: "websocket"])
            for accept in headers["Sec-WebSocket-Accept"] { fields.append(.secWebSocketAccept, accept) }
            if let subprotocol { fields.append(.secWebSocketProtocol, subprotocol) }
            return ResponseHead(status: 101, fields: fields)
        }.recover { _ in nil }
    }
}

/// A client's side of one opening handshake.
struct ClientHandshake {
    private let upgrader: NIOWebSocketClientUpgrader
    /// What is offered, if anything.
    private let subprotocol: String?

    /// - Parameters:
    ///   - offersMux: whether to offer protocol v2; without it the server takes us for an old client.
    ///   - offersInnerTLS: whether to offer to speak TLS inside, and that alone.
    ///   - offersRaw: whether to ask for a raw stream.
    init(offersMux: Bool = true, offersInnerTLS: Bool = false, offersRaw: Bool = false) {
        subprotocol =
            offersRaw
            ? WebSocketHandshake.raw
            : offersInnerTLS
                ? WebSocketHandshake.innerTLS : offersMux ? WebSocketHandshake.subprotocol : nil
        upgrader = NIOWebSocketClientUpgrader(
            upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
    }

    /// The fields that ask for the WebSocket.
    func requestFields() -> HeaderFields {
        var headers = HTTPHeaders()
        upgrader.addCustom(upgradeRequestHeaders: &headers)
        var fields = HeaderFields([.connection: "Upgrade", .upgrade: "websocket"])
        for (name, value) in headers { fields.append(named: name, value) }
        if let subprotocol { fields.append(.secWebSocketProtocol, subprotocol) }
        return fields
    }

    /// What the server chose: an old one ignores what we offer. Nil for what we did not offer.
    func version(chosenBy response: ResponseHead) -> ProtocolVersion? {
        switch response.fields[.secWebSocketProtocol] {
        case nil: .v1
        case WebSocketHandshake.subprotocol where subprotocol == WebSocketHandshake.subprotocol: .v2
        default: nil
        }
    }

    /// Whether the server grants a raw stream.
    func grantsRaw(_ response: ResponseHead) -> Bool {
        response.fields[.secWebSocketProtocol] == WebSocketHandshake.raw
    }

    /// Whether the server speaks TLS inside.
    func speaksInnerTLS(_ response: ResponseHead) -> Bool {
        response.fields[.secWebSocketProtocol] == WebSocketHandshake.innerTLS
    }

    /// Whether a 101 answer proves that the server understood (RFC 6455 §4.1).
    func isAccepted(_ response: ResponseHead) -> Bool {
        guard response.status == 101, response.fields.list(.upgrade, contains: "websocket"),
            response.fields.list(.connection, contains: "upgrade")
        else { return false }
        return upgrader.shouldAllowUpgrade(
            upgradeResponse: HTTPResponseHead(
                version: .http1_1, status: .switchingProtocols, headers: HTTPHeaders(response.fields.pairs)))
    }
}
