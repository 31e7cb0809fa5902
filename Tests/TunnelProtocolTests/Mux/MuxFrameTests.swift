import NIOCore
import TestSupport
import Testing
import TunnelProtocol

/// Feeds a mux decoder and puts the pieces of data frames together.
struct MuxReader {
    private var decoder: MuxDecoder
    private(set) var frames: [MuxFrame] = []
    private var isInData = false

    init(maximumHeadBytes: Int = 80 << 10) { decoder = MuxDecoder(maximumHeadBytes: maximumHeadBytes) }

    mutating func feed(_ bytes: some Sequence<UInt8>) throws(MuxError) {
        decoder.feed(ByteBuffer(bytes: bytes))
        while let frame = try decoder.next() { frames.append(frame) }
    }

    func messageEnded() throws(MuxError) { try decoder.messageEnded() }

    /// The frames with pieces of data of one stream, one after another, as one.
    var joined: [MuxFrame] {
        frames.reduce(into: []) { joined, frame in
            if case .data(let id, var bytes, let isLast) = frame,
                case .data(let last, var before, false)? = joined.last, last == id
            {
                before.writeBuffer(&bytes)
                joined[joined.count - 1] = .data(id, before, isLast: isLast)
            } else {
                joined.append(frame)
            }
        }
    }
}

extension MuxFrame {
    var wire: [UInt8] {
        var buffer = ByteBuffer()
        buffer.writeMuxFrame(self)
        return Array(buffer.readableBytesView)
    }
}

@Suite struct MuxFrameTests {
    private static let settings = SessionSettings(
        maximumStreams: 100, initialWindow: 65536, software: "wstunnel/1", tunnelName: "web")

    /// Every type, with every flag.
    private static let everything: [MuxFrame] = [
        .settings(settings),
        .request(
            StreamID(1), window: 262_144, head: ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"), isLast: true),
        .request(StreamID(2), window: 0, head: ByteBuffer(), isLast: false),
        .response(
            StreamID(1), head: ByteBuffer(string: "HTTP/1.1 103 Early Hints\r\n\r\n"), isInterim: true,
            isLast: false),
        .response(
            StreamID(1), head: ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n"), isInterim: false, isLast: false),
        .response(StreamID(2), head: ByteBuffer(string: "x"), isInterim: false, isLast: true),
        .data(StreamID(1), ByteBuffer(string: "some bytes"), isLast: false),
        .data(StreamID(3), ByteBuffer(string: "the end"), isLast: true),
        .data(StreamID(4), ByteBuffer(), isLast: true),
        .trailers(StreamID(1), ByteBuffer(string: "a: b\r\n")),
        .reset(StreamID(5), .refused, reason: "too many streams"),
        .reset(StreamID(.max), .noError, reason: ""),
        .window(StreamID(1), 65536),
        .window(StreamID(1), Int(UInt32.max)),
        .ping(0x0102_0304_0506_0708),
        .pong(.max),
        .goAway(lastTaken: StreamID(17), reason: "reload"),
    ]

    private static let wire = everything.flatMap(\.wire)

    @Test func everyTypeIsReadBackAtEverySplitPoint() throws {
        for split in 0...Self.wire.count {
            var reader = MuxReader()
            try reader.feed(Self.wire[..<split])
            try reader.feed(Self.wire[split...])
            try reader.messageEnded()
            #expect(reader.joined == Self.everything, "split at \(split)")
        }
    }

    @Test func everyTypeIsReadBackByteByByte() throws {
        var reader = MuxReader()
        for byte in Self.wire { try reader.feed([byte]) }
        try reader.messageEnded()
        #expect(reader.joined == Self.everything)
    }

    @Test func aMessageCutAnywhereWithinAFrameIsAnError() throws {
        for frame in Self.everything {
            let bytes = frame.wire
            for length in 1..<bytes.count {
                var reader = MuxReader()
                try reader.feed(bytes[..<length])
                #expect(throws: MuxError.frameAcrossMessages, "\(frame), \(length)") {
                    try reader.messageEnded()
                }
            }
        }
    }

    struct Golden: CustomTestStringConvertible {
        let frame: MuxFrame
        let hex: String
        var testDescription: String { hex }
    }

    /// Two releases of this program talk by these bytes.
    @Test(
        arguments: [
            Golden(
                frame: .settings(
                    SessionSettings(
                        maximumStreams: 1000, initialWindow: 65536, software: "w", tunnelName: "t")),
                hex:
                    "0002200000000000 0001000400000002 00020004000003e8 0003000400010000 0004000177 0005000174"
            ),
            Golden(
                frame: .request(StreamID(1), window: 65536, head: ByteBuffer(string: "G"), isLast: true),
                hex: "0000510100000001 00010000 47"),
            Golden(
                frame: .response(StreamID(2), head: ByteBuffer(string: "H"), isInterim: true, isLast: false),
                hex: "0000120200000002 48"),
            Golden(
                frame: .data(StreamID(258), ByteBuffer(bytes: [1, 2]), isLast: true),
                hex: "0000210300000102 0102"),
            Golden(frame: .trailers(StreamID(1), ByteBuffer(string: "a")), hex: "0000110400000001 61"),
            Golden(
                frame: .reset(StreamID(1), .cancelled, reason: "x"), hex: "0000500500000001 00000001 78"),
            Golden(frame: .window(StreamID(1), 255), hex: "0000400600000001 000000ff"),
            Golden(frame: .ping(1), hex: "0000800700000000 0000000000000001"),
            Golden(frame: .pong(1), hex: "0000820700000000 0000000000000001"),
            Golden(frame: .goAway(lastTaken: StreamID(3), reason: ""), hex: "0000400800000000 00000003"),
        ])
    func theBytesOnTheWireStayAsTheyAre(_ golden: Golden) {
        let hex = golden.frame.wire.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(hex == golden.hex.filter { $0 != " " })
    }

    @Test(arguments: [0, 1, 7, 8, 1000, 1 << 20 - 1]) func unknownTypesAreSkippedInPiecesToo(length: Int)
        throws
    {
        var unknown = ByteBuffer()
        unknown.writeMultipleIntegers(UInt32(length) << 12 | 0xf << 8 | 0x99, UInt32(7))
        unknown.writeRepeatingByte(0xee, count: length)
        let bytes = MuxFrame.ping(1).wire + Array(unknown.readableBytesView) + MuxFrame.pong(2).wire
        for piece in [1, 3, 9, 4096, bytes.count] where bytes.count / piece < 5000 {
            var reader = MuxReader()
            var rest = bytes[...]
            while !rest.isEmpty {
                try reader.feed(rest.prefix(piece))
                rest = rest.dropFirst(piece)
            }
            try reader.messageEnded()
            #expect(reader.frames == [.ping(1), .pong(2)], "pieces of \(piece)")
        }
    }

    struct Oversized: CustomTestStringConvertible {
        let kind: UInt32
        let longest: Int
        var testDescription: String { "type \(kind), \(longest) bytes" }
    }

    @Test(
        arguments: [
            Oversized(kind: 0, longest: 100), Oversized(kind: 1, longest: 104),
            Oversized(kind: 2, longest: 100),
            Oversized(kind: 4, longest: 100), Oversized(kind: 5, longest: 516),
            Oversized(kind: 6, longest: 4),
            Oversized(kind: 7, longest: 8), Oversized(kind: 8, longest: 516),
        ])
    func aFrameTooBigIsRefusedByItsHeader(_ example: Oversized) throws {
        func header(_ length: Int) -> [UInt8] {
            let word = UInt32(length) << 12 | example.kind
            return Array(ByteBuffer(integer: UInt64(word) << 32 | 1).readableBytesView)
        }
        var reader = MuxReader(maximumHeadBytes: 100)
        try reader.feed(header(example.longest))
        var strict = MuxReader(maximumHeadBytes: 100)
        #expect(throws: MuxError.frameTooBig) { try strict.feed(header(example.longest + 1)) }
    }

    @Test(arguments: [(0, 3), (1, 3), (5, 3), (6, 3), (7, 7), (8, 3)] as [(UInt32, Int)])
    func aFrameTooShortForItsTypeIsMalformed(kind: UInt32, length: Int) {
        for count in (kind == 0 ? 1 : 0)...length {
            var buffer = ByteBuffer()
            buffer.writeMultipleIntegers(UInt32(count) << 12 | kind, UInt32(1))
            buffer.writeRepeatingByte(0, count: count)
            var reader = MuxReader()
            #expect(throws: MuxError.malformedFrame) { try reader.feed(buffer.readableBytesView) }
        }
    }

    @Test func anUnknownResetCodeReadsAsAnInternalError() throws {
        for number in [7, 8, 99, UInt32.max] {
            var buffer = ByteBuffer()
            buffer.writeMultipleIntegers(UInt32(4) << 12 | 5, UInt32(1), number)
            var reader = MuxReader()
            try reader.feed(buffer.readableBytesView)
            #expect(reader.frames == [.reset(StreamID(1), .internalError, reason: "")])
        }
    }

    @Test func longReasonsAreCutAndBrokenTextIsMended() throws {
        let long = String(repeating: "x", count: 10_000)
        var reader = MuxReader()
        try reader.feed(MuxFrame.reset(StreamID(1), .cancelled, reason: long).wire)
        try reader.feed(MuxFrame.goAway(lastTaken: StreamID(1), reason: long).wire)
        var broken = ByteBuffer()
        broken.writeMultipleIntegers(UInt32(6) << 12 | 5, UInt32(1), UInt32(1))
        broken.writeBytes([0xff, 0xfe])
        try reader.feed(broken.readableBytesView)
        #expect(
            reader.frames == [
                .reset(StreamID(1), .cancelled, reason: String(long.prefix(512))),
                .goAway(lastTaken: StreamID(1), reason: String(long.prefix(512))),
                .reset(StreamID(1), .cancelled, reason: "\u{fffd}\u{fffd}"),
            ])
    }

    @Test(arguments: 0..<300 as Range<UInt64>) func garbageNeverCrashesNorGivesMoreThanItIs(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var reader = MuxReader(maximumHeadBytes: 1000)
        var fed = 0
        do {
            for _ in 0..<100 {
                var bytes = random.bytes(Int.random(in: 0...60, using: &random))
                // A known type with a plausible length, to get further.
                if bytes.count > 8, Bool.random(using: &random) {
                    (bytes[0], bytes[1]) = (0, 0)
                    bytes[3] = UInt8.random(in: 0...9, using: &random)
                }
                fed += bytes.count
                try reader.feed(bytes)
                if Int.random(in: 0..<20, using: &random) == 0 { try reader.messageEnded() }
            }
        } catch {
            #expect(
                [.malformedFrame, .frameTooBig, .frameAcrossMessages, .unsupportedVersion].contains(error))
        }
        #expect(reader.frames.count <= fed, "seed \(seed)")
    }
}
