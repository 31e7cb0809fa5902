import NIOCore
import TestSupport
import Testing
import TunnelProtocol

@Suite struct WebSocketWritingTests {
    @Test(arguments: [nil, 0x3d21_fa37] as [UInt32?])
    func aMessageIsReadBackAtEveryLengthForm(bits: UInt32?) throws {
        var random = SplitMix64(seed: 5)
        for length in Array(0...130) + [65533, 65534, 65535, 65536, 65537, 100_000] {
            let payload = random.bytes(length)
            var message = FrameBuffer(capacity: Int.random(in: 0...200, using: &random))
            message.buffer.writeBytes(payload)
            let wire = Array(
                message.finished(
                    as: .binary, mask: bits.map(WebSocketMask.init(random:))
                ).readableBytesView)
            let mask = bits == nil ? nil : Array(wire.dropFirst(wire.count - length - 4).prefix(4))
            #expect(wire == FrameBytes(opcode: 2, mask: mask, payload: payload).bytes, "\(length) bytes")
            #expect(try WebSocketReader.read(wire, expectsMask: bits != nil) == [.message(payload)])
        }
    }

    /// Many frames of a few bytes may wait for a peer that lets go a byte at a time while much waits.
    @Test(arguments: [nil, 0x3d21_fa37] as [UInt32?])
    func aShortFrameKeepsNoRoomThatWasMadeForALongOne(bits: UInt32?) throws {
        let mask = bits.map(WebSocketMask.init(random:))
        for (length, room) in [(0, 8192), (11, 8192), (11, 100_000), (2000, 8192)] {
            let payload = [UInt8](repeating: 7, count: length)
            var message = FrameBuffer(capacity: 256)
            message.buffer.reserveCapacity(minimumWritableBytes: room)
            message.buffer.writeBytes(payload)
            let frame = message.finished(as: .binary, mask: mask)
            #expect(frame.storageCapacity <= max(1024, 2 * length + 64), "\(length) bytes in \(room)")
            let read = try WebSocketReader.read(Array(frame.readableBytesView), expectsMask: bits != nil)
            #expect(read == [.message(payload)])
        }
    }

    @Test func thePongAndTheCloseFrameAreThoseOfTheStandard() throws {
        var buffer = ByteBuffer()
        buffer.writeWebSocketPong(ByteBuffer(string: "Hello"), mask: nil)
        buffer.writeWebSocketClose(.goingAway, mask: nil)
        #expect(Array(buffer.readableBytesView) == [0x8a, 5] + Array("Hello".utf8) + [0x88, 2, 0x03, 0xe9])
    }

    @Test func maskedControlFramesAreReadBack() throws {
        var buffer = ByteBuffer()
        let mask = WebSocketMask(random: 77)
        buffer.writeWebSocketPong(ByteBuffer(bytes: [UInt8](repeating: 1, count: 125)), mask: mask)
        buffer.writeWebSocketClose(.messageTooBig, mask: mask)
        let read = try WebSocketReader.read(Array(buffer.readableBytesView), expectsMask: true)
        #expect(read == [.pong([UInt8](repeating: 1, count: 125)), .close(1009)])
    }
}
