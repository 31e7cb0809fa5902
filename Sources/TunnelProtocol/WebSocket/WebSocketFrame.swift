package import struct NIOCore.ByteBuffer

/// What a WebSocket peer did wrong (RFC 6455 §5, §7).
package enum WebSocketError: Error, Hashable, Sendable {
    case reservedBits
    case unknownOpcode
    case fragmentedControlFrame
    case oversizedControlFrame
    case nonMinimalLength
    case maskMissing
    case maskForbidden
    case unexpectedContinuation
    case unfinishedMessage
    case messageTooBig
    case textMessage
    case malformedClose
    /// Bytes of a raw stream behind the end of their direction.
    case dataBehindEnd

    /// The code to close with (RFC 6455 §7.4.1).
    package var closeCode: WebSocketCloseCode {
        switch self {
        case .messageTooBig: .messageTooBig
        case .textMessage: .unsupportedData
        default: .protocolError
        }
    }
}

/// Why a WebSocket connection is closed (RFC 6455 §7.4.1).
package enum WebSocketCloseCode: UInt16, Sendable {
    case normal = 1000
    case goingAway = 1001
    case protocolError = 1002
    case unsupportedData = 1003
    case messageTooBig = 1009
    case internalError = 1011
    case tryAgainLater = 1013
    /// One of ours (private use, RFC 6455 §7.4.2), by which a client of protocol v1 leaves: what it has not answered it has
    /// not looked at.
    case drained = 4001
}

/// The kind of a frame (RFC 6455 §5.2).
package enum WebSocketOpcode: UInt8, Sendable {
    case continuation = 0
    case text = 1
    case binary = 2
    case close = 8
    case ping = 9
    case pong = 10

    var isControl: Bool { rawValue >= 8 }
}

extension ByteBuffer {
    /// Writes the answer to a ping (RFC 6455 §5.5.3).
    package mutating func writeWebSocketPong(_ payload: ByteBuffer, mask: WebSocketMask?) {
        writeFrame(.pong, payload, mask: mask)
    }

    /// Writes a close frame (RFC 6455 §5.5.1).
    package mutating func writeWebSocketClose(_ code: WebSocketCloseCode, mask: WebSocketMask?) {
        writeFrame(.close, ByteBuffer(integer: code.rawValue), mask: mask)
    }

    private mutating func writeFrame(_ opcode: WebSocketOpcode, _ payload: ByteBuffer, mask: WebSocketMask?) {
        writeFrameHeader(opcode, length: payload.readableBytes, mask: mask)
        if let mask {
            mask.copy(payload, to: &self)
        } else {
            writeImmutableBuffer(payload)
        }
    }

    private mutating func writeFrameHeader(_ opcode: WebSocketOpcode, length: Int, mask: WebSocketMask?) {
        let start = writerIndex
        writeRepeatingByte(0, count: Self.frameHeaderBytes(length: length, isMasked: mask != nil))
        setFrameHeader(opcode, isFinal: true, length: length, mask: mask, at: start)
    }

    /// How long the header of a frame is whose payload is so long, the mask's key included.
    static func frameHeaderBytes(length: Int, isMasked: Bool) -> Int {
        (length < 126 ? 2 : length < 65536 ? 4 : 10) + (isMasked ? 4 : 0)
    }

    /// Puts a frame's header, the mask's key included (RFC 6455 §5.2), where there are `frameHeaderBytes` for it.
    mutating func setFrameHeader(
        _ opcode: WebSocketOpcode, isFinal: Bool, length: Int, mask: WebSocketMask?, at start: Int
    ) {
        let first = UInt16((isFinal ? 0x80 : 0) | opcode.rawValue) << 8 | (mask == nil ? 0 : 0x80)
        var end = start + 2
        switch length {
        case ..<126:
            setInteger(first | UInt16(length), at: start)
        case ..<65536:
            setInteger(first | 126, at: start)
            end += setInteger(UInt16(length), at: end)
        default:
            setInteger(first | 127, at: start)
            end += setInteger(UInt64(length), at: end)
        }
        if let mask { setInteger(mask.wire, at: end) }
    }
}
