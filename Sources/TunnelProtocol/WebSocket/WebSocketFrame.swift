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

    /// Writes a frame's header, the mask's key included (RFC 6455 §5.2).
    mutating func writeFrameHeader(
        _ opcode: WebSocketOpcode, isFinal: Bool = true, length: Int, mask: WebSocketMask?
    ) {
        let maskBit: UInt8 = mask == nil ? 0 : 0x80
        writeInteger((isFinal ? 0x80 : 0) | opcode.rawValue)
        switch length {
        case ..<126:
            writeInteger(maskBit | UInt8(length))
        case ..<65536:
            writeInteger(maskBit | 126)
            writeInteger(UInt16(length))
        default:
            writeInteger(maskBit | 127)
            writeInteger(UInt64(length))
        }
        if let mask { writeInteger(mask.wire) }
    }
}
