import NIOCore
import TestSupport
import Testing

@testable import TunnelProtocol

@Suite struct WebSocketMaskTests {
    private static let key: [UInt8] = [0xa1, 0x02, 0xf3, 0x54]
    private static let mask = WebSocketMask(wire: 0xa102_f354)

    private func byByte(_ bytes: [UInt8], from offset: Int = 0) -> [UInt8] {
        bytes.enumerated().map { $1 ^ Self.key[($0 + offset) & 3] }
    }

    @Test func copyingIsTheByteWiseDefinitionAtEveryOffsetAndLength() {
        var random = SplitMix64(seed: 1)
        let bytes = random.bytes(320)
        for length in 0...300 {
            for offset in 0...9 {
                var source = ByteBuffer(bytes: bytes)
                source.moveReaderIndex(to: offset)
                guard let piece = source.readSlice(length: length) else { continue }
                var target = ByteBuffer(bytes: [UInt8](repeating: 0, count: offset))
                Self.mask.copy(piece, to: &target)
                let masked = Array(target.readableBytesView.dropFirst(offset))
                #expect(masked == byByte(Array(bytes[offset..<offset + length])), "\(offset), \(length)")
            }
        }
    }

    @Test func maskingInPlaceIsTheByteWiseDefinitionAtEveryOffsetAndLength() {
        var random = SplitMix64(seed: 2)
        let bytes = random.bytes(320)
        for length in 0...300 {
            for offset in 0...9 {
                var buffer = ByteBuffer(bytes: bytes[..<(offset + length)])
                Self.mask.apply(to: &buffer, from: offset)
                let expected = Array(bytes[..<offset]) + byByte(Array(bytes[offset..<offset + length]))
                #expect(Array(buffer.readableBytesView) == expected, "\(offset), \(length)")
            }
        }
    }

    @Test func aPayloadInPiecesIsMaskedAsAWhole() {
        var random = SplitMix64(seed: 3)
        let bytes = random.bytes(300)
        for first in 0...140 {
            for second in [0, 1, 2, 3, 4, 7, 8, 63, 64, 65] {
                var mask = Self.mask
                var target = ByteBuffer()
                for piece in [bytes[..<first], bytes[first..<first + second], bytes[(first + second)...]] {
                    mask.copy(ByteBuffer(bytes: piece), to: &target)
                    mask.advance(by: piece.count)
                }
                #expect(Array(target.readableBytesView) == byByte(bytes), "\(first) + \(second)")
            }
        }
    }

    @Test func twiceIsNothing() {
        var random = SplitMix64(seed: 4)
        let bytes = random.bytes(1000)
        let mask = WebSocketMask(random: 0x1234_5678)
        var buffer = ByteBuffer(bytes: bytes)
        mask.apply(to: &buffer, from: 0)
        #expect(Array(buffer.readableBytesView) != bytes)
        mask.apply(to: &buffer, from: 0)
        #expect(Array(buffer.readableBytesView) == bytes)
    }

    @Test func theKeyOnTheWireIsTheKeyThatMasks() {
        let mask = WebSocketMask(random: 0xdead_beef)
        var zeros = ByteBuffer(bytes: [0, 0, 0, 0])
        mask.apply(to: &zeros, from: 0)
        #expect(zeros == ByteBuffer(integer: mask.wire))
        #expect(WebSocketMask(wire: mask.wire) == mask)
    }
}
