import TestSupport
import Testing
import TunnelProtocol

@Suite struct WebSocketDecoderTests {
    private static let key: [UInt8] = [0x37, 0xfa, 0x21, 0x3d]

    /// RFC 6455 §5.7, and its text examples as the binary messages that this tunnel takes.
    struct Golden: CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
        let isMasked: Bool
        let expected: [WebSocketReceived]
    }

    static let hello = Array("Hello".utf8)
    static let golden: [Golden] = [
        Golden(
            testDescription: "an unmasked message", bytes: [0x82, 0x05] + hello, isMasked: false,
            expected: [.message(hello)]),
        Golden(
            testDescription: "a masked message",
            bytes: [0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58], isMasked: true,
            expected: [.message(hello)]),
        Golden(
            testDescription: "a fragmented message",
            bytes: [0x02, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f], isMasked: false,
            expected: [.message(hello)]),
        Golden(
            testDescription: "an unmasked ping", bytes: [0x89, 0x05] + hello, isMasked: false,
            expected: [.ping(hello)]),
        Golden(
            testDescription: "a masked pong",
            bytes: [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58], isMasked: true,
            expected: [.pong(hello)]),
        Golden(
            testDescription: "256 bytes with a 16-bit length",
            bytes: [0x82, 0x7e, 0x01, 0x00] + [UInt8](repeating: 7, count: 256), isMasked: false,
            expected: [.message([UInt8](repeating: 7, count: 256))]),
        Golden(
            testDescription: "64 KiB with a 64-bit length",
            bytes: [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0] + [UInt8](repeating: 9, count: 65536),
            isMasked: false, expected: [.message([UInt8](repeating: 9, count: 65536))]),
    ]

    @Test(arguments: golden) func theExamplesOfTheStandardAreRead(_ example: Golden) throws {
        #expect(try WebSocketReader.read(example.bytes, expectsMask: example.isMasked) == example.expected)
    }

    /// Every kind of frame once, with control frames between fragments.
    private static func everything(mask: [UInt8]?) -> (bytes: [UInt8], expected: [WebSocketReceived]) {
        let long = (0..<300).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let frames = [
            FrameBytes(isFinal: false, opcode: 2, mask: mask, payload: hello),
            FrameBytes(opcode: 9, mask: mask, payload: [1, 2, 3]),
            FrameBytes(isFinal: false, opcode: 0, mask: mask, payload: []),
            FrameBytes(opcode: 10, mask: mask, payload: []),
            FrameBytes(opcode: 0, mask: mask, payload: long),
            FrameBytes(opcode: 2, mask: mask, payload: []),
            FrameBytes(opcode: 2, mask: mask, payload: long),
            FrameBytes(opcode: 9, mask: mask, payload: [UInt8](repeating: 5, count: 125)),
            FrameBytes(isFinal: false, opcode: 2, mask: mask, payload: hello),
            FrameBytes(opcode: 0, mask: mask, payload: []),
            FrameBytes(opcode: 8, mask: mask, payload: [0x03, 0xe9] + Array("bye".utf8)),
        ]
        return (
            frames.flatMap(\.bytes),
            [
                .ping([1, 2, 3]), .pong([]), .message(hello + long), .message([]), .message(long),
                .ping([UInt8](repeating: 5, count: 125)), .message(hello), .close(1001),
            ]
        )
    }

    @Test(arguments: [nil, key]) func everySplitPointGivesTheSame(mask: [UInt8]?) throws {
        let (bytes, expected) = Self.everything(mask: mask)
        for split in 0...bytes.count {
            var reader = WebSocketReader(expectsMask: mask != nil)
            try reader.feed(bytes[..<split])
            try reader.feed(bytes[split...])
            #expect(reader.received == expected, "split at \(split)")
            #expect(reader.idleEvents == 0)
        }
    }

    @Test(arguments: [nil, key]) func byteByByteGivesTheSame(mask: [UInt8]?) throws {
        let (bytes, expected) = Self.everything(mask: mask)
        var reader = WebSocketReader(expectsMask: mask != nil)
        for byte in bytes { try reader.feed([byte]) }
        #expect(reader.received == expected)
    }

    @Test func whatIsCutOffIsNeverWhole() throws {
        let (bytes, expected) = Self.everything(mask: Self.key)
        for length in 0..<bytes.count {
            var reader = WebSocketReader(expectsMask: true)
            try reader.feed(bytes[..<length])
            #expect(reader.received.count < expected.count)
            #expect(reader.received == Array(expected.prefix(reader.received.count)), "cut at \(length)")
        }
    }

    @Test func aMessageIsHandedOnBeforeItIsWhole() throws {
        var reader = WebSocketReader(expectsMask: true)
        let bytes = FrameBytes(opcode: 2, mask: Self.key, payload: Self.hello).bytes
        try reader.feed(bytes.dropLast(2))
        #expect(reader.messageBytes == 3)
        #expect(reader.received.isEmpty)
    }

    @Test(arguments: 0..<200 as Range<UInt64>) func garbageNeverCrashesNorLoops(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var reader = WebSocketReader(expectsMask: Bool.random(using: &random), maximumMessageBytes: 4096)
        do {
            for _ in 0..<200 {
                // Half of it looks like frames, so that the garbage gets past the first byte.
                if Bool.random(using: &random) {
                    try reader.feed(random.bytes(Int.random(in: 0...40, using: &random)))
                } else {
                    try reader.feed(Self.randomFrame(&random).bytes)
                }
                #expect(reader.idleEvents == 0, "seed \(seed)")
            }
        } catch {
            #expect(error.closeCode.rawValue >= 1000)
        }
    }

    @Test(arguments: 0..<100 as Range<UInt64>) func goodFramesAtRandomPiecesAreAllRead(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var expected: [WebSocketReceived] = []
        var bytes: [UInt8] = []
        for _ in 0..<40 {
            let payload = random.bytes(Int.random(in: 0...700, using: &random))
            let parts = Int.random(in: 1...4, using: &random)
            var rest = payload[...]
            for part in 1...parts {
                let count = part == parts ? rest.count : Int.random(in: 0...rest.count, using: &random)
                let frame = FrameBytes(
                    isFinal: part == parts, opcode: part == 1 ? 2 : 0, mask: random.bytes(4),
                    payload: Array(rest.prefix(count)))
                bytes += frame.bytes
                rest = rest.dropFirst(count)
                if part < parts, Bool.random(using: &random) {
                    let ping = random.bytes(Int.random(in: 0...125, using: &random))
                    bytes += FrameBytes(opcode: 9, mask: random.bytes(4), payload: ping).bytes
                    expected.append(.ping(ping))
                }
            }
            expected.append(.message(payload))
        }
        var reader = WebSocketReader(expectsMask: true)
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...900, using: &random)
            try reader.feed(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        #expect(reader.received == expected, "seed \(seed)")
    }

    private static func randomFrame(_ random: inout SplitMix64) -> FrameBytes {
        FrameBytes(
            isFinal: Bool.random(using: &random), reserved: UInt8.random(in: 0...20, using: &random) / 20,
            opcode: [0, 0, 2, 2, 2, 8, 9, 10, 3].randomElement(using: &random) ?? 0,
            mask: Bool.random(using: &random) ? random.bytes(4) : nil,
            payload: random.bytes(Int.random(in: 0...140, using: &random)))
    }
}
