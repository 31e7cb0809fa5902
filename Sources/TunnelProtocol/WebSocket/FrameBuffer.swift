package import struct NIOCore.ByteBuffer

/// One frame under construction: the payload is written behind room for the frame header, so that
/// neither header nor mask costs another copy. It cannot be copied: a second reference to its bytes, though only for
/// a moment, would make masking them copy them first.
package struct FrameBuffer: ~Copyable {
    private static let longestHeader = 14
    /// Room up to this size is kept, in bytes, however little of it was used.
    private static let usualRoom = 1 << 10

    /// The payload goes to the end of this buffer.
    package var buffer: ByteBuffer

    /// - Parameter capacity: bytes of payload to make room for; it grows.
    package init(capacity: Int) {
        buffer = ByteBuffer()
        buffer.reserveCapacity(Self.longestHeader + capacity)
        buffer.writeRepeatingByte(0, count: Self.longestHeader)
        buffer.moveReaderIndex(to: Self.longestHeader)
    }

    /// The frame, ready to be sent.
    ///
    /// - Parameters:
    ///   - opcode: what the payload is, or continues.
    ///   - isFinal: whether it ends its message (RFC 6455 §5.4).
    ///   - mask: a fresh random one from a client, nil from a server (RFC 6455 §5.1).
    package consuming func finished(
        as opcode: WebSocketOpcode, isFinal: Bool = true, mask: WebSocketMask?
    ) -> ByteBuffer {
        let length = buffer.readableBytes
        mask?.apply(to: &buffer, from: 0)
        let start = Self.longestHeader - ByteBuffer.frameHeaderBytes(length: length, isMasked: mask != nil)
        buffer.setFrameHeader(opcode, isFinal: isFinal, length: length, mask: mask, at: start)
        buffer.moveReaderIndex(to: start)
        // Room is made for all that waits, of which the peer may let go a byte: a frame that waits for a slow one keeps
        // what it lies in, and nobody counts that.
        guard buffer.storageCapacity > Self.usualRoom, buffer.writerIndex < buffer.storageCapacity / 4 else {
            return buffer
        }
        return ByteBuffer(bytes: buffer.readableBytesView)
    }
}
