import NIOCore
import TestSupport
import Testing
import TunnelProtocol

/// The bytes of a raw stream in the messages of a WebSocket.
@Suite struct RawMessagesTests {
    /// What came in all.
    private struct Reading: Equatable {
        var bytes: [UInt8] = []
        var pings: [[UInt8]] = []
        var ends = 0
        var code: UInt16?
    }

    private static func frame(
        _ opcode: WebSocketOpcode, _ payload: [UInt8] = [], isFinal: Bool = true
    ) -> [UInt8] {
        var frame = FrameBuffer(capacity: payload.count)
        frame.buffer.writeBytes(payload)
        return Array(frame.finished(as: opcode, isFinal: isFinal, mask: nil).readableBytesView)
    }

    /// Reads pieces of so many bytes.
    private static func read(_ bytes: [UInt8], inPiecesOf size: Int) throws(WebSocketError) -> Reading {
        var (reader, input, reading) = (RawMessageReader(expectsMask: false), ByteBuffer(), Reading())
        for start in stride(from: 0, to: bytes.count, by: size) {
            input.writeBytes(bytes[start..<min(start + size, bytes.count)])
            while let event = try reader.next(&input) {
                switch event {
                case .bytes(let piece): reading.bytes += piece.readableBytesView
                case .ping(let payload): reading.pings.append(Array(payload.readableBytesView))
                case .end: reading.ends += 1
                case .close(let code): reading.code = code
                }
            }
        }
        return reading
    }

    @Test(arguments: [1, 2, 3, 5, 7, 64, 100_000]) func aStreamIsReadHoweverItIsCut(size: Int) throws {
        var random = SplitMix64(seed: 7)
        let (first, second) = (random.bytes(300), random.bytes(70_000))
        let wire =
            Self.frame(.binary, first) + Self.frame(.ping, [1, 2]) + Self.frame(.pong, [3])
            + Self.frame(.binary, Array(second[..<1000]), isFinal: false) + Self.frame(.ping)
            + Self.frame(.continuation, Array(second[1000...]), isFinal: false) + Self.frame(.continuation)
            + Self.frame(.binary) + Self.frame(.close, [0x03, 0xe8])
        let expected = Reading(bytes: first + second, pings: [[1, 2], []], ends: 1, code: 1000)
        #expect(try Self.read(wire, inPiecesOf: size) == expected)
    }

    /// A proxy may cut and join fragments, but no messages.
    @Test func onlyAnEmptyMessageIsAnEnd() throws {
        let fragments = Self.frame(.binary, isFinal: false) + Self.frame(.continuation)
        #expect(try Self.read(fragments, inPiecesOf: 1000) == Reading(ends: 1))
        let late = Self.frame(.binary, isFinal: false) + Self.frame(.continuation, [1])
        #expect(try Self.read(late, inPiecesOf: 1000) == Reading(bytes: [1]))
        let early = Self.frame(.binary, [1], isFinal: false) + Self.frame(.continuation)
        #expect(try Self.read(early, inPiecesOf: 1000) == Reading(bytes: [1]))
        #expect(try Self.read(early + Self.frame(.binary), inPiecesOf: 1) == Reading(bytes: [1], ends: 1))
    }

    @Test(arguments: [[], [1]] as [[UInt8]]) func nothingMayComeBehindTheEndButControlFrames(late: [UInt8])
        throws
    {
        let end = Self.frame(.binary)
        #expect(throws: WebSocketError.dataBehindEnd) {
            try Self.read(end + Self.frame(.binary, late), inPiecesOf: 1000)
        }
        let reading = try Self.read(end + Self.frame(.ping) + Self.frame(.close), inPiecesOf: 1)
        #expect(reading == Reading(pings: [[]], ends: 1, code: 1005))
    }

    @Test func aTextMessageIsRefused() {
        #expect(throws: WebSocketError.textMessage) {
            try Self.read(Self.frame(.text, [1]), inPiecesOf: 1000)
        }
    }

    @Test func noBytesAtRandomEndInATrap() {
        for seed in 0..<500 as Range<UInt64> {
            var random = SplitMix64(seed: seed)
            var wire = Self.frame(.binary, random.bytes(20)) + Self.frame(.binary) + Self.frame(.close)
            for _ in 0..<3 {
                wire[Int(random.next() % UInt64(wire.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            _ = try? Self.read(wire, inPiecesOf: 3)
        }
    }
}
