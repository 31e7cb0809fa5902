package import struct NIOCore.ByteBuffer

/// The head of one frame of the long-poll carrier: what stands before its data, in requests and in answers. Its bytes are
/// told in PROTOCOL-LONGPOLL.md.
package struct LongPollHead: Sendable, Hashable {
    package struct Flags: OptionSet, Sendable, Hashable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The direction ends behind the data.
        package static let end = Flags(rawValue: 1)
        /// What came with the request was not kept: it is to be sent again.
        package static let dropped = Flags(rawValue: 2)
        /// The data is none: it makes the frame long.
        package static let padding = Flags(rawValue: 4)
        /// The answer is to come in two pieces, the second a while after the first: whether they come so shows whether
        /// answers pass as they are written.
        package static let probe = Flags(rawValue: 8)
        /// The answer may go on, frame by frame, for as long as it is held.
        package static let stream = Flags(rawValue: 16)
    }

    /// Of every frame: `WLP1`, its version with it. What a proxy answers in place of the server does not begin so.
    package static let magic: UInt32 = 0x574c_5031
    /// Of a head that names no other requests, in bytes.
    package static let bytes = 44
    /// Offsets, limits and numbers are below this.
    private static let mostBytes: UInt64 = 1 << 62
    /// Other requests that a head can name.
    package static let mostOthers = 24
    /// The longest time that a poll can ask to be held.
    package static let longestHold = Duration.seconds(60)

    package var flags: Flags
    /// In a request: how long its answer may be kept back, in tenths of a second; 0 where it is wanted at once.
    package var hold: UInt16
    /// Of the request, counted up by the client; an answer repeats it.
    package var number: UInt64
    /// What its sender has received without a gap: the offset of the next byte that it wants.
    package var acknowledged: UInt64
    /// What its sender takes: the offset of the first byte that it does not.
    package var limit: UInt64
    /// Of the first byte of data.
    package var offset: UInt64
    /// Of the data, in bytes.
    package var length: UInt32
    /// In a request: those sent before it whose answers are not here yet, or stand behind something that is missing. What was
    /// answered to any other, and is not acknowledged, was lost.
    package var others: [UInt64]

    package init(
        flags: Flags = [], hold: UInt16 = 0, number: UInt64, acknowledged: UInt64 = 0, limit: UInt64 = 0,
        offset: UInt64 = 0, length: UInt32 = 0, others: [UInt64] = []
    ) {
        self.flags = flags
        self.hold = hold
        self.number = number
        self.acknowledged = acknowledged
        self.limit = limit
        self.offset = offset
        self.length = length
        self.others = others
    }

    /// Of its bytes.
    package var byteCount: Int { Self.bytes + 8 * others.count }

    package var holdTime: Duration { min(.milliseconds(100 * Int(hold)), Self.longestHold) }

    /// Takes a head off the buffer.
    ///
    /// - Returns: nil while it is not whole.
    fileprivate static func read(_ buffer: inout ByteBuffer) throws(NotLongPoll) -> LongPollHead? {
        // A page is known by its first bytes, however short it is.
        if let start = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self), start != magic {
            throw NotLongPoll()
        }
        let count = Int(buffer.getInteger(at: buffer.readerIndex + 5, as: UInt8.self) ?? 0)
        guard count <= mostOthers else { throw NotLongPoll() }
        guard buffer.readableBytes >= bytes + 8 * count,
            let (_, flags, _, hold, number, acknowledged, limit, offset, length) =
                buffer.readMultipleIntegers(
                    as: (UInt32, UInt8, UInt8, UInt16, UInt64, UInt64, UInt64, UInt64, UInt32).self)
        else { return nil }
        // No stream is so long; sums of these stay in their range.
        guard max(number, acknowledged, limit, offset) < mostBytes else { throw NotLongPoll() }
        let others = (0..<count).compactMap { _ in buffer.readInteger(as: UInt64.self) }
        return LongPollHead(
            flags: Flags(rawValue: flags), hold: hold, number: number, acknowledged: acknowledged,
            limit: limit, offset: offset, length: length, others: others)
    }

    fileprivate func write(to buffer: inout ByteBuffer) {
        buffer.writeMultipleIntegers(
            Self.magic, flags.rawValue, UInt8(others.count), hold, number, acknowledged, limit, offset, length
        )
        for other in others { buffer.writeInteger(other) }
    }
}

/// A whole frame.
package struct LongPollFrame: Sendable, Hashable {
    package var head: LongPollHead
    package var data: ByteBuffer

    /// - Parameter head: its length is that of the data.
    package init(_ head: LongPollHead, data: ByteBuffer = ByteBuffer()) {
        self.head = head
        self.head.length = UInt32(data.readableBytes)
        self.data = data
    }

    /// Of all of it, in bytes.
    package var byteCount: Int { head.byteCount + data.readableBytes }

    package var encoded: ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(byteCount)
        head.write(to: &buffer)
        buffer.writeImmutableBuffer(data)
        return buffer
    }
}

/// What came is no frame of ours: something in between has answered, or changed what was answered.
package struct NotLongPoll: Error, Sendable, Hashable {
    package init() {}
}

/// Takes frames off a stream of bytes, their data piece by piece as it comes.
package struct LongPollDecoder: Sendable {
    package enum Part: Sendable, Hashable {
        case head(LongPollHead)
        /// Some bytes of the data, never empty.
        case data(ByteBuffer)
        /// The frame is whole.
        case end
    }

    private enum State {
        case head
        case data(left: Int)
    }

    private var state = State.head
    private let longestData: Int

    /// - Parameter longestData: of a frame, in bytes.
    package init(longestData: Int = 8 << 20) { self.longestData = longestData }

    /// Whether nothing of a frame has come that is not whole.
    package var isBetweenFrames: Bool { if case .head = state { true } else { false } }

    /// - Parameter buffer: bytes that came and were not yet taken.
    /// - Returns: nil while more bytes are needed.
    package mutating func next(_ buffer: inout ByteBuffer) throws(NotLongPoll) -> Part? {
        switch state {
        case .head:
            guard let head = try LongPollHead.read(&buffer) else { return nil }
            guard head.length <= longestData else { throw NotLongPoll() }
            state = .data(left: Int(head.length))
            return .head(head)
        case .data(left: 0):
            state = .head
            return .end
        case .data(let left):
            guard buffer.readableBytes > 0,
                let bytes = buffer.readSlice(length: min(left, buffer.readableBytes))
            else { return nil }
            state = .data(left: left - bytes.readableBytes)
            return .data(bytes)
        }
    }
}
