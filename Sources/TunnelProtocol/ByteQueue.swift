import DequeModule

import struct NIOCore.ByteBuffer

/// Bytes that wait to be sent, in the pieces in which they came.
struct ByteQueue {
    private var pieces = Deque<ByteBuffer>()
    /// Bytes that wait.
    private(set) var count = 0

    /// How many pieces they lie in.
    var pieceCount: Int { pieces.count }

    /// A piece keeps the whole buffer alive that it was read into, so that a trickle of small ones would hold many
    /// times what it counts: they are put together.
    mutating func append(_ bytes: ByteBuffer) {
        count += bytes.readableBytes
        if bytes.readableBytes <= 1024, let last = pieces.indices.last, pieces[last].readableBytes <= 4096 {
            pieces[last].writeImmutableBuffer(bytes)
        } else {
            pieces.append(bytes)
        }
    }

    /// Moves the oldest bytes, at most so many.
    mutating func take(atMost limit: Int, into output: inout ByteBuffer) {
        var left = limit
        while left > 0, let first = pieces.first {
            if first.readableBytes <= left {
                left -= first.readableBytes
                output.writeImmutableBuffer(first)
                _ = pieces.popFirst()
            } else {
                if let part = pieces[0].readSlice(length: left) { output.writeImmutableBuffer(part) }
                left = 0
            }
        }
        count -= limit - left
    }
}
