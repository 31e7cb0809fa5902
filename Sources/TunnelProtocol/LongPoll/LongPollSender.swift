import DequeModule

package import struct NIOCore.ByteBuffer

/// One direction of a stream of bytes, at the end that sends: keeps what it sends until the other end has it, and sends again
/// what was lost. The end of the direction counts as a byte, so that it is acknowledged like one.
package struct LongPollSender: Sendable, Hashable {
    /// Of what is sent and not acknowledged, and waits to be sent, in bytes.
    package static let mostKept = 4 << 20
    /// What is written little by little is gathered up to here, in bytes.
    private static let chunk = 64 << 10

    /// Part of what is to be sent.
    package struct Segment: Sendable, Hashable {
        package var offset: UInt64
        package var data: ByteBuffer
        package var isEnd: Bool

        /// The end included.
        package var range: Range<UInt64> {
            offset..<offset + UInt64(data.readableBytes) + (isEnd ? 1 : 0)
        }
    }

    /// From `acknowledged` on, gapless.
    private var kept = Deque<ByteBuffer>()
    /// What the other end has.
    package private(set) var acknowledged: UInt64 = 0
    /// The end of what was written.
    private var written: UInt64 = 0
    /// The end of what was ever sent.
    package private(set) var sent: UInt64 = 0
    /// What was sent and is to be sent again, in order, below `sent`.
    private var lost: [Range<UInt64>] = []
    /// What the other end takes.
    package private(set) var limit: UInt64
    /// The offset that the end of the direction has.
    private var end: UInt64?

    /// - Parameter limit: what the other end takes at first, in bytes.
    package init(limit: UInt64 = UInt64(LongPollReceiver.window)) { self.limit = limit }

    // MARK: What is written

    /// Bytes that are kept.
    package var keptBytes: Int { Int(written - min(acknowledged, written)) }
    /// Bytes that were never sent.
    package var unsentBytes: Int { Int(written - min(sent, written)) }
    /// Whether anything waits that may be sent now.
    package var canSend: Bool {
        if let first = lost.first { return first.lowerBound < limit || first.lowerBound == end }
        return sent < min(written, limit) || sent == end
    }
    /// Whether something was lost and not sent again.
    package var hasLost: Bool { !lost.isEmpty }
    /// Whether all is acknowledged that was ever sent.
    package var isAcknowledged: Bool { acknowledged == sent }
    package var hasEnded: Bool { end != nil }
    /// Whether the other end has everything, the end included.
    package var isDone: Bool { end.map { acknowledged > $0 } ?? false }

    package mutating func write(_ bytes: ByteBuffer) {
        guard end == nil else { return }
        written += UInt64(bytes.readableBytes)
        var bytes = bytes
        while bytes.readableBytes > 0 {
            // What was acknowledged at its front counts: a buffer to which something is added for ever would grow for ever.
            let room = kept.last.map { Self.chunk - $0.writerIndex } ?? 0
            guard room > 0 else {
                // Copied: what came may lie in a buffer that is far larger.
                kept.append(ByteBuffer())
                continue
            }
            guard let piece = bytes.readSlice(length: min(room, bytes.readableBytes)) else { return }
            kept[kept.count - 1].writeImmutableBuffer(piece)
        }
    }

    /// Nothing more is written.
    package mutating func finish() { if end == nil { end = written } }

    // MARK: What is sent

    /// The next part to be sent: what was lost goes first.
    ///
    /// - Parameter most: bytes of it.
    package mutating func next(atMost most: Int) -> Segment? {
        guard canSend else { return nil }
        let start = lost.first?.lowerBound ?? sent
        let upper = min(lost.first?.upperBound ?? written, limit, written, start + UInt64(most))
        let segment = segment(start..<max(start, upper))
        if let first = lost.first {
            lost[0] = min(segment.range.upperBound, first.upperBound)..<first.upperBound
            if lost[0].isEmpty { lost.removeFirst() }
        }
        // The end may go along with what was lost before it was known.
        sent = max(sent, segment.range.upperBound)
        return segment
    }

    /// The same part once more, as far as it is not acknowledged. An end that came to be known since is no part of it.
    package func again(_ range: Range<UInt64>, atMost most: Int = .max) -> Segment {
        let start = max(range.lowerBound, acknowledged)
        let longest = start + UInt64(min(most, Self.mostKept))
        var segment = segment(start..<max(start, min(range.upperBound, written, longest)))
        if let end, range.upperBound <= end { segment.isEnd = false }
        return segment
    }

    /// - Parameter range: within what is kept.
    private func segment(_ range: Range<UInt64>) -> Segment {
        var data = ByteBuffer()
        data.reserveCapacity(range.count)
        var start = acknowledged
        for piece in kept {
            let pieceEnd = start + UInt64(piece.readableBytes)
            let from = max(range.lowerBound, start)
            let to = min(range.upperBound, pieceEnd)
            if from < to,
                let part = piece.getSlice(at: piece.readerIndex + Int(from - start), length: Int(to - from))
            {
                data.writeImmutableBuffer(part)
            }
            start = pieceEnd
            guard start < range.upperBound else { break }
        }
        return Segment(offset: range.lowerBound, data: data, isEnd: range.upperBound == end)
    }

    // MARK: What became of it

    /// The other end has everything below the offset, and takes what is below the limit.
    ///
    /// - Returns: false when it cannot have that: it was never sent.
    package mutating func acknowledge(_ offset: UInt64, limit: UInt64) -> Bool {
        guard offset <= sent else { return false }
        self.limit = max(self.limit, limit)
        guard offset > acknowledged else { return true }
        var count = Int(min(offset, written) - acknowledged)
        while count > 0, let first = kept.first {
            if first.readableBytes <= count {
                count -= first.readableBytes
                kept.removeFirst()
            } else {
                kept[0].moveReaderIndex(forwardBy: count)
                count = 0
            }
        }
        acknowledged = offset
        lost = lost.compactMap { range in
            range.upperBound > offset ? max(range.lowerBound, offset)..<range.upperBound : nil
        }
        return true
    }

    /// That part did not arrive, or nobody knows.
    package mutating func lose(_ range: Range<UInt64>) {
        let (lower, upper) = (max(range.lowerBound, acknowledged), min(range.upperBound, sent))
        guard lower < upper else { return }
        var merged = lower..<upper
        var others: [Range<UInt64>] = []
        for other in lost {
            if other.upperBound < merged.lowerBound || other.lowerBound > merged.upperBound {
                others.append(other)
            } else {
                merged = min(other.lowerBound, merged.lowerBound)..<max(other.upperBound, merged.upperBound)
            }
        }
        others.append(merged)
        lost = others.sorted { $0.lowerBound < $1.lowerBound }
    }

    /// Nothing is known of what was sent and not acknowledged.
    package mutating func loseAll() { lose(acknowledged..<sent) }
}
