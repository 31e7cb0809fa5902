package import NIOCore
package import TunnelProtocol

/// Puts the bytes of a raw stream into the messages of a WebSocket, as `RawMessageReader` takes them out.
package struct RawMessageWriter {
    private var masks: MaskSource?

    /// - Parameter isClient: whether it masks (RFC 6455 §5.1).
    package init(isClient: Bool) { masks = isClient ? MaskSource() : nil }

    /// - Parameter bytes: some; none would end the direction.
    package mutating func message(_ bytes: ByteBuffer) -> ByteBuffer {
        var frame = FrameBuffer(capacity: bytes.readableBytes)
        frame.buffer.writeImmutableBuffer(bytes)
        return frame.finished(as: .binary, mask: masks?.next())
    }

    /// Nothing more comes.
    package mutating func end() -> ByteBuffer { message(ByteBuffer()) }

    package mutating func ping() -> ByteBuffer {
        FrameBuffer(capacity: 0).finished(as: .ping, mask: masks?.next())
    }

    package mutating func pong(_ payload: ByteBuffer) -> ByteBuffer {
        var frame = ByteBuffer()
        frame.writeWebSocketPong(payload, mask: masks?.next())
        return frame
    }

    package mutating func close(_ code: WebSocketCloseCode) -> ByteBuffer {
        var frame = ByteBuffer()
        frame.writeWebSocketClose(code, mask: masks?.next())
        return frame
    }
}
