import DequeModule

import struct NIOCore.ByteBuffer

/// Bytes that wait to be sent, in the pieces in which they came.
struct ByteQueue {
    /// Bytes that are kept in front of a piece once they were taken.
    private static let mostTaken = 8192

    /// The oldest piece; without bytes when there is none. Most bodies are one, for which no queue is made.
    private(set) var first = ByteBuffer()
    private var others = Deque<ByteBuffer>()
    /// Bytes that wait.
    private(set) var count = 0

    /// How many pieces they lie in.
    var pieceCount: Int { count > 0 ? 1 + others.count : 0 }

    /// A piece keeps the whole buffer alive that it was read into, so that a trickle of small ones would hold many
    /// times what it counts: they are put together.
    mutating func append(_ bytes: ByteBuffer) {
        let length = bytes.readableBytes
        guard length > 0 else { return }
        defer { count += length }
        guard count > 0 else {
            first = bytes
            return
        }
        let isShort = length <= 1024
        if let last = others.indices.last {
            if isShort, others[last].readableBytes <= 4096 {
                others[last].writeImmutableBuffer(bytes)
            } else {
                others.append(bytes)
            }
        } else if isShort, first.readableBytes <= 4096 {
            // What was taken stands in front of the rest: who is let have a part again and again would make it long.
            if first.readerIndex > Self.mostTaken { first.discardReadBytes() }
            first.writeImmutableBuffer(bytes)
        } else {
            others.append(bytes)
        }
    }

    /// Moves the oldest bytes, at most so many.
    ///
    /// - Parameter header: what is written before them, also where there are none.
    mutating func take(atMost limit: Int, behind header: UInt64? = nil, into output: inout ByteBuffer) {
        var left = min(limit, count)
        var header = header
        while left > 0 || header != nil {
            let length = min(left, first.readableBytes)
            output.writeFrame(header.take(), nil, first, length)
            left -= length
            count -= length
            if length < first.readableBytes {
                first.moveReaderIndex(forwardBy: length)
            } else if length > 0 {
                first = others.popFirst() ?? ByteBuffer()
            }
        }
    }
}
