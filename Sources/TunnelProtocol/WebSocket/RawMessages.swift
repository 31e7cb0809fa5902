package import struct NIOCore.ByteBuffer

/// Takes the bytes of a raw stream out of the messages of a WebSocket: binary messages hold them, an empty one ends their
/// direction, and the other one goes on.
package struct RawMessageReader: Sendable {
    /// What came.
    package enum Event: Sendable, Equatable {
        /// Never none.
        case bytes(ByteBuffer)
        /// The peer's direction is over.
        case end
        /// To be answered by a pong with the same payload.
        case ping(ByteBuffer)
        /// The peer closes: 1000 where both directions are over.
        case close(code: UInt16)
    }

    private var frames: WebSocketDecoder
    private var isMessageEmpty = true
    private var hasEnded = false

    /// - Parameter expectsMask: true on the server, whose peer must mask.
    package init(expectsMask: Bool) {
        frames = WebSocketDecoder(expectsMask: expectsMask, maximumMessageBytes: .max)
    }

    /// - Parameter buffer: bytes that came and were not yet taken.
    /// - Returns: what came next, its bytes taken off the buffer; nil while more bytes are needed.
    package mutating func next(_ buffer: inout ByteBuffer) throws(WebSocketError) -> Event? {
        while let event = try frames.next(&buffer) {
            switch event {
            case .message(let bytes, let isLast):
                guard !hasEnded else { throw .dataBehindEnd }
                let isEnd = isLast && isMessageEmpty && bytes.readableBytes == 0
                isMessageEmpty = isLast || (isMessageEmpty && bytes.readableBytes == 0)
                if isEnd {
                    hasEnded = true
                    return .end
                }
                if bytes.readableBytes > 0 { return .bytes(bytes) }
            case .ping(let payload): return .ping(payload)
            case .pong: continue
            case .close(let code): return .close(code: code)
            }
        }
        return nil
    }
}
