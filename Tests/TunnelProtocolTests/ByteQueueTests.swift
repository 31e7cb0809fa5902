import NIOCore
import Testing

@testable import TunnelProtocol

@Suite struct ByteQueueTests {
    /// A sender that is let have as much as comes, and never all, would make the oldest piece longer and longer.
    @Test func whatWasTakenIsNotKeptForEver() {
        var queue = ByteQueue()
        let bytes = ByteBuffer(repeating: 7, count: 1000)
        queue.append(ByteBuffer(repeating: 7, count: 500))
        for _ in 0..<10_000 {
            queue.append(bytes)
            var output = ByteBuffer()
            queue.take(atMost: 1000, into: &output)
            #expect(output == bytes && queue.count == 500)
        }
        #expect(queue.first.storageCapacity <= 64 << 10)
    }
}
