package import struct NIOCore.ByteBuffer

/// Takes WebSocket frames off a stream of bytes (RFC 6455 §5), strictly, and hands binary messages on in pieces
/// as they come.
package struct WebSocketDecoder: Sendable {
    /// What came.
    package enum Event: Sendable, Equatable {
        /// Part of a binary message, unmasked; perhaps empty when it is the last part.
        case message(ByteBuffer, isLast: Bool)
        /// To be answered by a pong with the same payload.
        case ping(ByteBuffer)
        case pong(ByteBuffer)
        /// The peer closes; 1005 when it gave no code (RFC 6455 §7.1.5).
        case close(code: UInt16)
    }

    private struct Frame {
        var opcode: WebSocketOpcode
        var isFinal: Bool
        var mask: WebSocketMask?
        var remaining: Int
    }

    private static let longestControlPayload = 125

    private let expectsMask: Bool
    private let maximumMessageBytes: Int
    private var frame: Frame?
    private var isInMessage = false
    private var messageBytes = 0

    /// - Parameters:
    ///   - expectsMask: true on the server, whose peer must mask; false on the client, whose peer must not.
    ///   - maximumMessageBytes: the longest message, all its fragments together.
    package init(expectsMask: Bool, maximumMessageBytes: Int) {
        self.expectsMask = expectsMask
        self.maximumMessageBytes = maximumMessageBytes
    }

    /// - Parameter buffer: bytes that came and were not yet taken.
    /// - Returns: what came next, its bytes taken off the buffer; nil while more bytes are needed.
    package mutating func next(_ buffer: inout ByteBuffer) throws(WebSocketError) -> Event? {
        if frame == nil {
            guard let header = try readHeader(&buffer) else { return nil }
            frame = header
        }
        guard var current = frame else { return nil }
        if current.opcode.isControl {
            guard let payload = buffer.readSlice(length: current.remaining) else { return nil }
            frame = nil
            return try controlEvent(current.opcode, Self.unmask(payload, current.mask))
        }
        let available = min(current.remaining, buffer.readableBytes)
        guard available > 0 || current.remaining == 0, let piece = buffer.readSlice(length: available) else {
            return nil
        }
        let payload = Self.unmask(piece, current.mask)
        current.remaining -= available
        current.mask?.advance(by: available)
        frame = current.remaining > 0 ? current : nil
        let isLast = current.remaining == 0 && current.isFinal
        if isLast { isInMessage = false }
        return .message(payload, isLast: isLast)
    }

    private static func unmask(_ payload: ByteBuffer, _ mask: WebSocketMask?) -> ByteBuffer {
        guard let mask, payload.readableBytes > 0 else { return payload }
        var plain = ByteBuffer()
        mask.copy(payload, to: &plain)
        return plain
    }

    private mutating func readHeader(_ buffer: inout ByteBuffer) throws(WebSocketError) -> Frame? {
        var ahead = buffer
        guard let (first, second) = ahead.readMultipleIntegers(as: (UInt8, UInt8).self) else { return nil }
        guard first & 0x70 == 0 else { throw .reservedBits }
        guard let opcode = WebSocketOpcode(rawValue: first & 0x0f) else { throw .unknownOpcode }
        let isFinal = first & 0x80 != 0
        let isMasked = second & 0x80 != 0
        guard isMasked || !expectsMask else { throw .maskMissing }
        guard !isMasked || expectsMask else { throw .maskForbidden }
        let short = Int(second & 0x7f)
        if opcode.isControl {
            guard isFinal else { throw .fragmentedControlFrame }
            guard short <= Self.longestControlPayload else { throw .oversizedControlFrame }
        }
        guard let length = try Self.readLength(short, &ahead) else { return nil }
        var mask: WebSocketMask?
        if isMasked {
            guard let key = ahead.readInteger(as: UInt32.self) else { return nil }
            mask = WebSocketMask(wire: key)
        }
        if !opcode.isControl { try begin(opcode, length) }
        buffer = ahead
        return Frame(opcode: opcode, isFinal: isFinal, mask: mask, remaining: length)
    }

    private static func readLength(
        _ short: Int, _ buffer: inout ByteBuffer
    ) throws(WebSocketError) -> Int? {
        switch short {
        case 126:
            guard let length = buffer.readInteger(as: UInt16.self) else { return nil }
            guard length >= 126 else { throw .nonMinimalLength }
            return Int(length)
        case 127:
            guard let length = buffer.readInteger(as: UInt64.self) else { return nil }
            guard length > UInt64(UInt16.max) else { throw .nonMinimalLength }
            guard length <= UInt64(UInt32.max) else { throw .messageTooBig }
            return Int(length)
        default:
            return short
        }
    }

    /// Checks a data frame against the message it begins or continues (RFC 6455 §5.4).
    private mutating func begin(_ opcode: WebSocketOpcode, _ length: Int) throws(WebSocketError) {
        switch (opcode, isInMessage) {
        case (.continuation, true):
            break
        case (.continuation, false):
            throw .unexpectedContinuation
        case (_, true):
            throw .unfinishedMessage
        case (.text, false):
            throw .textMessage
        default:
            messageBytes = 0
        }
        guard length <= maximumMessageBytes - messageBytes else { throw .messageTooBig }
        messageBytes += length
        isInMessage = true
    }

    private func controlEvent(
        _ opcode: WebSocketOpcode, _ payload: ByteBuffer
    ) throws(WebSocketError) -> Event {
        switch opcode {
        case .ping:
            return .ping(payload)
        case .pong:
            return .pong(payload)
        default:
            guard payload.readableBytes > 0 else { return .close(code: 1005) }
            guard let code = payload.getInteger(at: payload.readerIndex, as: UInt16.self) else {
                throw .malformedClose
            }
            // Codes that a peer may send (RFC 6455 §7.4).
            guard
                (1000...1003).contains(code) || (1007...1014).contains(code) || (3000...4999).contains(code),
                String(validating: payload.readableBytesView.dropFirst(2), as: UTF8.self) != nil
            else { throw .malformedClose }
            return .close(code: code)
        }
    }
}
