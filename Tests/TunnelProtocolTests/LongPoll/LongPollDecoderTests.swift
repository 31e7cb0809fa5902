import NIOCore
import TestSupport
import Testing
import TunnelProtocol

@Suite("Long polling: frames")
struct LongPollDecoderTests {
    /// Of the bytes before the data.
    private static let numberPlace = 8

    private static let frames = [
        LongPollFrame(LongPollHead(number: 1)),
        LongPollFrame(
            LongPollHead(
                flags: [.end, .dropped], hold: 250, number: (1 << 62) - 1, acknowledged: 3, limit: 4,
                offset: 5,
                others: Array(1...24)),
            data: ByteBuffer(string: "hello")),
        LongPollFrame(LongPollHead(flags: .probe, number: 2, others: [1]), data: ByteBuffer(string: "x")),
    ]

    private static var encoded: ByteBuffer {
        frames.reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1.encoded) }
    }

    /// Whole frames, of pieces that come one by one.
    private func decode(_ pieces: [ByteBuffer]) throws -> (frames: [LongPollFrame], isBetween: Bool) {
        var decoder = LongPollDecoder()
        var buffer = ByteBuffer()
        var frames: [LongPollFrame] = []
        var frame: LongPollFrame?
        for piece in pieces {
            buffer.writeImmutableBuffer(piece)
            while let part = try decoder.next(&buffer) {
                switch part {
                case .head(let head):
                    frame = LongPollFrame(head)
                    frame?.head.length = head.length
                case .data(let bytes):
                    #expect(bytes.readableBytes > 0)
                    frame?.data.writeImmutableBuffer(bytes)
                case .end:
                    frames.append(try #require(frame))
                    frame = nil
                }
            }
        }
        return (frames, decoder.isBetweenFrames && buffer.readableBytes == 0)
    }

    @Test func framesComeOutAsTheyWentIn() throws {
        let all = try decode([Self.encoded])
        #expect(all.frames == Self.frames)
        #expect(all.isBetween)
    }

    @Test func aFrameIsAsLongAsItSays() {
        for frame in Self.frames {
            #expect(frame.byteCount == frame.encoded.readableBytes)
            #expect(
                frame.byteCount == LongPollHead.bytes + 8 * frame.head.others.count + Int(frame.head.length))
        }
    }

    @Test func theBytesOfAFrameAreThese() {
        let head = LongPollHead(
            flags: [.end, .stream], hold: 0x0102, number: 3, acknowledged: 4, limit: 5, offset: 6, others: [7]
        )
        let expected: [UInt8] =
            [0x57, 0x4c, 0x50, 0x31, 17, 1, 1, 2] + [0, 0, 0, 0, 0, 0, 0, 3] + [0, 0, 0, 0, 0, 0, 0, 4]
            + [0, 0, 0, 0, 0, 0, 0, 5] + [0, 0, 0, 0, 0, 0, 0, 6] + [0, 0, 0, 2] + [0, 0, 0, 0, 0, 0, 0, 7]
            + [0x61, 0x62]
        #expect(
            Array(LongPollFrame(head, data: ByteBuffer(string: "ab")).encoded.readableBytesView) == expected)
    }

    @Test func splitAnywhereTheyAreTheSame() throws {
        let bytes = Self.encoded
        for place in 0...bytes.readableBytes {
            let first = try #require(bytes.getSlice(at: 0, length: place))
            let rest = try #require(bytes.getSlice(at: place, length: bytes.readableBytes - place))
            let all = try decode([first, rest])
            try #require(all.frames == Self.frames, "split at \(place)")
            try #require(all.isBetween)
        }
        let single = try decode(bytes.readableBytesView.map { ByteBuffer(integer: $0) })
        #expect(single.frames == Self.frames)
    }

    @Test func cutAnywhereInAFrameItIsNotWhole() throws {
        let frame = Self.frames[1]
        for length in 1..<frame.byteCount {
            let all = try decode([try #require(frame.encoded.getSlice(at: 0, length: length))])
            try #require(all.frames.isEmpty && !all.isBetween, "cut at \(length)")
        }
    }

    @Test(arguments: [
        "<html><body>502 Bad Gateway</body></html>", "HTTP/1.1 200 OK\r\n", "WLP2", "WLP0 and so on",
        "\0\0\0\0", "    ",
    ])
    func aPageOfSomethingInBetweenIsKnownByItsFirstBytes(page: String) {
        #expect(throws: NotLongPoll()) { try decode([ByteBuffer(string: page)]) }
        #expect(throws: NotLongPoll()) { try decode([Self.encoded, ByteBuffer(string: page)]) }
    }

    @Test func somethingBehindAFrameIsNoFrame() throws {
        let all = try decode([Self.encoded, ByteBuffer(string: "WL")])
        #expect(all.frames == Self.frames)
        #expect(!all.isBetween)
    }

    @Test(arguments: 0..<4)
    func numbersBeyondTheirRangeAreNotTaken(field: Int) throws {
        for (value, isTaken) in [((1 << 62) - 1, true), (1 << 62, false), (UInt64.max, false)] {
            var bytes = LongPollFrame(LongPollHead(number: 1)).encoded
            bytes.setInteger(value, at: Self.numberPlace + 8 * field)
            let frames = try? decode([bytes]).frames
            #expect((frames?.count == 1) == isTaken, "\(value)")
        }
    }

    @Test func tooManyOthersAreNotTaken() throws {
        var bytes = Self.frames[1].encoded
        bytes.setInteger(UInt8(LongPollHead.mostOthers + 1), at: 5)
        bytes.writeRepeatingByte(0, count: 100)
        #expect(throws: NotLongPoll()) { try decode([bytes]) }
        // That is seen before the head is whole.
        #expect(throws: NotLongPoll()) { try decode([try #require(bytes.getSlice(at: 0, length: 6))]) }
    }

    @Test func dataLongerThanItMayBeIsNotTaken() throws {
        let frame = LongPollFrame(LongPollHead(number: 1), data: ByteBuffer(string: "abc")).encoded
        for (most, isTaken) in [(3, true), (2, false)] {
            var decoder = LongPollDecoder(longestData: most)
            var buffer = frame
            let part = try? decoder.next(&buffer)
            #expect((part != nil) == isTaken)
        }
    }

    @Test func aHoldTimeIsNoLongerThanTheLongest() {
        #expect(LongPollHead(hold: 250, number: 1).holdTime == .seconds(25))
        #expect(LongPollHead(hold: .max, number: 1).holdTime == LongPollHead.longestHold)
    }

    @Test func whateverBytesComeNothingBreaks() throws {
        for seed: UInt64 in 1...300 {
            var random = SplitMix64(seed: seed)
            var bytes = Self.encoded
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<bytes.readableBytes, using: &random)
                bytes.setInteger(UInt8.random(in: 0...255, using: &random), at: place)
            }
            // A wrong length makes a frame of what follows, or no whole one.
            _ = try? decode([bytes])
            var noise = ByteBuffer(integer: LongPollHead.magic)
            noise.writeBytes(random.bytes(Int.random(in: 0...200, using: &random)))
            _ = try? decode([noise])
        }
    }
}
