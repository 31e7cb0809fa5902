package import struct NIOCore.ByteBuffer

/// The units of the mux inside a session's WebSocket messages.
///
/// Eight bytes, then the payload: 20 bits of length, 4 of flags, 8 of type, 32 of stream identifier, big-endian.
/// A message holds one or more whole frames. Frames of an unknown type are skipped.
package enum MuxFrame: Sendable, Equatable {
    /// First frame of each side.
    case settings(SessionSettings)
    /// Opens a stream: how much answer the server takes before it grants more, and the head as HTTP/1.1 text.
    case request(StreamID, window: Int, head: ByteBuffer, isLast: Bool)
    /// An interim or the final head as HTTP/1.1 text; how long the origin took for the final one, in microseconds, where
    /// that is told.
    case response(StreamID, head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32? = nil)
    /// Part of a body (or of raw bytes after an upgrade).
    case data(StreamID, ByteBuffer, isLast: Bool)
    /// Ends a body with trailers, as HTTP/1.1 field lines.
    case trailers(StreamID, ByteBuffer)
    /// Ends a stream in both directions.
    case reset(StreamID, ResetCode, reason: String)
    /// Grants credit: how many more bytes of this stream may be sent.
    case window(StreamID, Int)
    case ping(UInt64)
    case pong(UInt64)
    /// No new streams; those above `lastTaken` were not looked at.
    case goAway(lastTaken: StreamID, reason: String)
    /// What became of the host names that the client asked for.
    case hosts([HostRuling])

    enum Kind: UInt8 {
        case settings = 0
        case request = 1
        case response = 2
        case data = 3
        case trailers = 4
        case reset = 5
        case window = 6
        case ping = 7
        case goAway = 8
        case hosts = 9
    }

    struct Flags: OptionSet {
        let rawValue: UInt8
        /// request, response, data: nothing follows in this direction.
        static let last = Flags(rawValue: 1)
        /// response: the final head is still to come.
        static let interim = Flags(rawValue: 2)
        /// response: how long the origin took stands before the head.
        static let timed = Flags(rawValue: 4)
        /// ping: this is the answer.
        static let answer = Flags(rawValue: 2)
    }

    /// Bytes before each payload.
    package static let headerBytes = 8
    /// Longest payload that the 20 bits of length can tell.
    package static let maximumPayload = 1 << 20 - 1
    /// Longest reason text in a reset or a goAway, in bytes.
    static let longestReason = 512
}

extension MuxFrame {
    /// What stands before the payload, as one integer.
    static func header(
        _ kind: Kind, _ flags: Flags = [], stream: StreamID = StreamID(0), length: Int
    ) -> UInt64 {
        let word = UInt32(length) << 12 | UInt32(flags.rawValue) << 8 | UInt32(kind.rawValue)
        return UInt64(word) << 32 | UInt64(stream.rawValue)
    }
}

extension ByteBuffer {
    mutating func writeMuxHeader(
        _ kind: MuxFrame.Kind, _ flags: MuxFrame.Flags = [], stream: StreamID = StreamID(0), length: Int
    ) {
        writeInteger(MuxFrame.header(kind, flags, stream: stream, length: length))
    }

    /// Writes a header, if there is one, a number behind it, if there is one, and so many bytes of a payload: in one go, as
    /// each write takes as long as it takes to write some hundred bytes.
    mutating func writeFrame(_ header: UInt64?, _ number: UInt32?, _ payload: ByteBuffer, _ length: Int) {
        let front = (header == nil ? 0 : 8) + (number == nil ? 0 : 4)
        payload.withUnsafeReadableBytes { payload in
            _ = writeWithUnsafeMutableBytes(minimumWritableBytes: front + length) { memory in
                if let header { memory.storeBytes(of: header.bigEndian, as: UInt64.self) }
                if let number {
                    memory.storeBytes(of: number.bigEndian, toByteOffset: front - 4, as: UInt32.self)
                }
                UnsafeMutableRawBufferPointer(rebasing: memory[front..<front + length])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: payload[..<length]))
                return front + length
            }
        }
    }

    /// Writes a frame that begins with a head, or with a number and a head.
    mutating func writeMuxHead(
        _ kind: MuxFrame.Kind, _ flags: MuxFrame.Flags, stream: StreamID, number: UInt32?, head: ByteBuffer
    ) {
        let length = head.readableBytes + (number == nil ? 0 : 4)
        let header = MuxFrame.header(kind, flags, stream: stream, length: length)
        writeFrame(header, number, head, head.readableBytes)
    }

    /// Answers a stream with a head.
    mutating func writeMuxResponse(
        _ stream: StreamID, head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32?
    ) {
        var flags: MuxFrame.Flags = isLast ? .last : []
        if isInterim { flags.insert(.interim) }
        if originTime != nil { flags.insert(.timed) }
        writeMuxHead(.response, flags, stream: stream, number: originTime, head: head)
    }

    /// Opens a stream.
    mutating func writeMuxRequest(_ stream: StreamID, window: Int, head: ByteBuffer, isLast: Bool) {
        writeMuxHead(
            .request, isLast ? .last : [], stream: stream, number: UInt32(clamping: window), head: head)
    }

    /// Writes one frame. Payloads are within `MuxFrame.maximumPayload`: the session cuts data to size, and heads
    /// have a far lower limit.
    package mutating func writeMuxFrame(_ frame: MuxFrame) {
        switch frame {
        case .settings(let settings):
            let payload = settings.encoded
            writeMuxHeader(.settings, length: payload.readableBytes)
            writeImmutableBuffer(payload)
        case .request(let stream, let window, let head, let isLast):
            writeMuxRequest(stream, window: window, head: head, isLast: isLast)
        case .response(let stream, let head, let isInterim, let isLast, let originTime):
            writeMuxResponse(
                stream, head: head, isInterim: isInterim, isLast: isLast, originTime: originTime)
        case .data(let stream, let bytes, let isLast):
            writeMuxHeader(.data, isLast ? .last : [], stream: stream, length: bytes.readableBytes)
            writeImmutableBuffer(bytes)
        case .trailers(let stream, let fields):
            writeMuxHeader(.trailers, .last, stream: stream, length: fields.readableBytes)
            writeImmutableBuffer(fields)
        case .reset(let stream, let code, let reason):
            let text = reason.utf8.prefix(MuxFrame.longestReason)
            writeMuxHeader(.reset, stream: stream, length: 4 + text.count)
            writeInteger(code.rawValue)
            writeBytes(text)
        case .window(let stream, let increment):
            writeMuxHeader(.window, stream: stream, length: 4)
            writeInteger(UInt32(clamping: increment))
        case .ping(let clock):
            writeMuxHeader(.ping, length: 8)
            writeInteger(clock)
        case .pong(let clock):
            writeMuxHeader(.ping, .answer, length: 8)
            writeInteger(clock)
        case .goAway(let lastTaken, let reason):
            let text = reason.utf8.prefix(MuxFrame.longestReason)
            writeMuxHeader(.goAway, length: 4 + text.count)
            writeInteger(lastTaken.rawValue)
            writeBytes(text)
        case .hosts(let rulings):
            let payload = HostRuling.encode(rulings)
            writeMuxHeader(.hosts, length: payload.readableBytes)
            writeImmutableBuffer(payload)
        }
    }
}
