/// One connection to a `ScriptedOrigin`, for the script that serves it.
package final class OriginConnection: Sendable {
    /// Counts the origin's connections, from 1.
    package let number: Int
    /// The connection itself: write garbage, read bytes, close, reset.
    package let socket: StreamSocket

    init(number: Int, socket: StreamSocket) {
        self.number = number
        self.socket = socket
    }

    /// Reads the next request's head; nil when the peer closed instead.
    package func readRequest() throws -> MessageHead? {
        do {
            return try socket.readHead()
        } catch StreamEnd.closed {
            return nil
        }
    }

    /// Where a request's body ends (RFC 9112 §6.3).
    package func framing(of request: MessageHead) -> BodyFraming {
        if request.has("Transfer-Encoding", "chunked") { return .chunked }
        if let length = request["Content-Length"].flatMap({ Int($0) }), length > 0 { return .length(length) }
        return .none
    }

    /// Reads a request's body whole.
    package func readBody(of request: MessageHead) throws -> [UInt8] {
        var body: [UInt8] = []
        try socket.readBody(framing(of: request)) { body += $0 }
        return body
    }

    /// Writes a whole response with `Content-Length`.
    package func respond(
        _ status: Int = 200, fields: [(String, String)] = [], body: [UInt8] = []
    ) throws {
        try writeHead(status, fields: fields + [("Content-Length", String(body.count))])
        try socket.write(body)
    }

    package func respond(_ status: Int = 200, fields: [(String, String)] = [], text: String) throws {
        try respond(status, fields: fields, body: Array(text.utf8))
    }

    /// Writes a head alone: 100, 103, or one whose body follows.
    package func writeHead(_ status: Int, fields: [(String, String)] = []) throws {
        try socket.writeHead("HTTP/1.1 \(status) Scripted", fields)
    }

    /// Answers a request with its own body, framed as it came, piece by piece; trailers are sent back too.
    /// `X-Echo-Method` and `X-Echo-Target` tell the rest.
    package func echo(_ request: MessageHead) throws {
        if request.has("Expect", "100-continue") { try writeHead(100) }
        let fields = [
            ("X-Echo-Method", request.method), ("X-Echo-Target", request.target),
            ("Content-Type", request["Content-Type"] ?? "application/octet-stream"),
        ]
        switch framing(of: request) {
        case .chunked:
            try writeHead(200, fields: fields + [("Transfer-Encoding", "chunked")])
            let trailers = try socket.readBody(.chunked) { try socket.writeChunk($0) }
            try socket.writeLastChunk(trailers: trailers.map { ($0.name, $0.value) })
        case let framing:
            let length = if case .length(let length) = framing { length } else { 0 }
            try writeHead(200, fields: fields + [("Content-Length", String(length))])
            try socket.readBody(framing) { try socket.write($0) }
        }
    }

    /// Starts an event stream; send events with `sendEvent`.
    package func startEventStream() throws {
        try writeHead(
            200,
            fields: [
                ("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"),
                ("Transfer-Encoding", "chunked"),
            ])
    }

    package func sendEvent(_ text: String) throws {
        try socket.writeChunk(Array("data: \(text)\n\n".utf8))
    }

    /// What proves to a client that its WebSocket handshake was understood.
    package static func webSocketAccept(of request: MessageHead) -> String {
        WebSocketWire.accept(forKey: request["Sec-WebSocket-Key"] ?? "")
    }

    /// Accepts a WebSocket handshake.
    package func acceptWebSocket(_ request: MessageHead, fields: [(String, String)] = []) throws {
        try writeHead(
            101,
            fields: [
                ("Connection", "Upgrade"), ("Upgrade", "websocket"),
                ("Sec-WebSocket-Accept", Self.webSocketAccept(of: request)),
            ] + fields)
    }

    /// Sends a message in one frame, after `acceptWebSocket`.
    package func sendWebSocket(_ message: WebSocketMessage) throws {
        try socket.write(WebSocketWire.frame(message, mask: nil))
    }

    /// Sends back each message, answers pings, and ends with the peer's close.
    package func echoWebSocket() throws {
        var unfinished: (opcode: UInt8, payload: [UInt8])?
        while true {
            let message = try socket.readWebSocketMessage(mustBeMasked: true, unfinished: &unfinished)
            switch message {
            case .ping(let payload): try socket.write(WebSocketWire.frame(.pong(payload), mask: nil))
            case .pong: break
            case .text, .binary: try socket.write(WebSocketWire.frame(message, mask: nil))
            case .close: return try socket.write(WebSocketWire.frame(message, mask: nil))
            }
        }
    }

    /// Waits for the peer to go: how a script sees that its request was aborted.
    package func waitForEnd(within limit: Duration = .seconds(20)) -> StreamEnd {
        socket.waitForEnd(within: limit)
    }
}
