import Foundation

/// A WebSocket client on a raw socket. For one thread at a time.
package final class WebSocketConnection: @unchecked Sendable {
    /// The server's answer to the handshake.
    package let response: MessageHead
    /// The connection itself, for what is not WebSocket.
    package let socket: StreamSocket
    private var unfinished: (opcode: UInt8, payload: [UInt8])?
    private var random: SplitMix64

    /// Connects to a port of 127.0.0.1 and shakes hands.
    ///
    /// - Throws: `TestFailure` with the response when it is not a right 101.
    package init(
        port: Int, target: String = "/", host: String = "caller.test", fields: [(String, String)] = [],
        limit: Duration = .seconds(20),
        receiveBuffer: Int32? = nil, seed: UInt64 = 1
    ) throws {
        random = SplitMix64(seed: seed)
        socket = try StreamSocket(port: port, limit: limit, receiveBuffer: receiveBuffer)
        let key = Data(random.bytes(16)).base64EncodedString()
        try socket.writeHead(
            "GET \(target) HTTP/1.1",
            [
                ("Host", host), ("Connection", "Upgrade"), ("Upgrade", "websocket"),
                ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", key),
            ] + fields)
        response = try socket.readHead()
        guard response.status == 101, response.has("Upgrade", "websocket"),
            response["Sec-WebSocket-Accept"] == WebSocketWire.accept(forKey: key)
        else { throw TestFailure("no WebSocket handshake: \(response)") }
    }

    /// Sends a message in one masked frame.
    package func send(_ message: WebSocketMessage) throws {
        try socket.write(WebSocketWire.frame(message, mask: random.bytes(4)))
    }

    /// Sends a binary message in masked fragments of at most that size.
    package func send(_ payload: [UInt8], inFragmentsOf size: Int) throws {
        var start = 0
        repeat {
            let end = min(payload.count, start + size)
            let frame = WebSocketWire.frame(
                .binary(Array(payload[start..<end])), mask: random.bytes(4),
                isFinal: end == payload.count, isContinuation: start > 0)
            try socket.write(frame)
            start = end
        } while start < payload.count
    }

    /// Waits for the next message or control frame.
    package func receive() throws -> WebSocketMessage {
        try socket.readWebSocketMessage(mustBeMasked: false, unfinished: &unfinished)
    }

    package func close() { socket.close() }

    /// Breaks the connection off: the peer sees a reset.
    package func reset() { socket.reset() }
}
