import NIOCore
import Testing

@testable import HTTPServing

/// What waits for a caller that does not read.
@Suite struct CallerOutputTests {
    @Test(arguments: [2049, 4096, 10_000, 16 << 10, 24 << 10, 40_001, 64 << 10])
    func whatHasToWaitTakesLittleMoreMemoryThanItsBytes(count: Int) throws {
        var frame = ByteBuffer(bytes: (0..<(64 << 10)).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        // As much again came for others.
        frame.writeRepeatingByte(0, count: 64 << 10)
        let bytes = try #require(frame.getSlice(at: 0, length: count))
        var joined = ByteBuffer()
        var memory = 0
        CallerOutput.compact(bytes) {
            joined.writeImmutableBuffer($0)
            memory += $0.storageCapacity
        }
        #expect(joined == bytes)
        #expect(memory <= count + (4 << 10))
    }

    @Test func whatFillsItsBufferIsNotCopied() {
        let bytes = ByteBuffer(repeating: 1, count: 60_000)
        var pieces: [ByteBuffer] = []
        CallerOutput.compact(bytes) { pieces.append($0) }
        #expect(pieces.map(\.storageCapacity) == [64 << 10])
    }
}
