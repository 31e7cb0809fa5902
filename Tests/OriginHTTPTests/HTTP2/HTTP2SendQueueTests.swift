import NIOCore
import Testing

@testable import OriginHTTP

@Suite struct HTTP2SendQueueTests {
    /// An origin that takes as much as comes, and never all, would make what waits longer and longer.
    @Test func whatHasGoneOutIsNotKeptForEver() {
        var queue = HTTP2SendQueue(window: 0)
        let bytes = ByteBuffer(repeating: 7, count: 1000)
        queue.append(ByteBuffer(repeating: 7, count: 500))
        for _ in 0..<10_000 {
            queue.append(bytes)
            queue.window += 1000
            var taken = 0
            while case .bytes(let piece, _)? = queue.next(1 << 20) { taken += piece.readableBytes }
            #expect(taken == 1000 && queue.waiting == 500)
        }
        #expect(queue.pieces.allSatisfy { $0.storageCapacity <= 128 << 10 })
    }
}
