import DequeModule

package import struct NIOCore.ByteBuffer

/// One direction of a stream of bytes, at the end that receives: puts in order what comes in any order, once, however often
/// it comes.
package struct LongPollReceiver: Sendable, Hashable {
    /// What the other end may send ahead of what was taken, in bytes.
    package static let window = 4 << 20
    /// Parts that are kept behind a gap; more are dropped, and have to be sent again.
    package static let mostHeld = 64

    /// What the other end did is against the rules.
    package enum Misuse: Error, Sendable, Hashable {
        /// It sent more than it was told to.
        case beyondLimit
        /// It sent something behind the end, or ended twice in different places.
        case beyondEnd
    }

    private struct Held: Sendable, Hashable {
        var offset: UInt64
        var bytes: ByteBuffer

        var end: UInt64 { offset + UInt64(bytes.readableBytes) }
    }

    /// What has come without a gap, the end included.
    package private(set) var received: UInt64 = 0
    /// What was taken.
    private var taken: UInt64 = 0
    private var ready = Deque<ByteBuffer>()
    /// Behind a gap, in order, without overlaps.
    private var held: [Held] = []
    /// The offset that the end of the direction has.
    private var end: UInt64?

    package init() {}

    /// What is taken of the other end, to tell it.
    package var limit: UInt64 { taken + UInt64(Self.window) }
    /// Whether something has come that stands behind a gap.
    package var hasGap: Bool { !held.isEmpty || (end.map { received < $0 } ?? false) }
    /// Bytes that wait behind a gap.
    package var heldBytes: Int { held.reduce(0) { $0 + $1.bytes.readableBytes } }
    /// Bytes that can be taken.
    package var readyBytes: Int { Int(min(received, end ?? received) - taken) }
    /// Whether everything has come, and the end.
    package var hasEnded: Bool { end.map { received > $0 } ?? false }

    /// - Parameter mayHold: whether there is room for what stands behind a gap.
    /// - Returns: whether all of it is here now, in order or behind a gap.
    package mutating func accept(
        _ offset: UInt64, _ bytes: ByteBuffer, isEnd: Bool = false, mayHold: Bool = true
    ) throws(Misuse) -> Bool {
        let (upper, isTooLarge) = offset.addingReportingOverflow(UInt64(bytes.readableBytes))
        guard !isTooLarge, upper <= limit else { throw .beyondLimit }
        if let end, upper > end || (isEnd && upper != end) { throw .beyondEnd }
        if isEnd {
            guard held.last.map({ $0.end <= upper }) ?? true,
                received <= upper || end == upper
            else { throw .beyondEnd }
            end = upper
        }
        defer { closeGap() }
        guard upper > received, bytes.readableBytes > 0 else { return true }
        if offset <= received {
            var rest = bytes
            rest.moveReaderIndex(forwardBy: Int(received - offset))
            append(rest)
            return true
        }
        return hold(offset, bytes, mayHold)
    }

    private mutating func append(_ bytes: ByteBuffer) {
        received += UInt64(bytes.readableBytes)
        ready.append(bytes)
    }

    /// Keeps what does not overlap with what is kept already.
    private mutating func hold(_ offset: UInt64, _ bytes: ByteBuffer, _ mayHold: Bool) -> Bool {
        var (offset, bytes) = (offset, bytes)
        var parts: [Held] = []
        for other in held {
            guard other.end > offset else { continue }
            if other.offset > offset {
                let length = min(Int(other.offset - offset), bytes.readableBytes)
                if let part = bytes.readSlice(length: length) {
                    parts.append(Held(offset: offset, bytes: part))
                }
                offset += UInt64(length)
            }
            let covered = min(Int(other.end - offset), bytes.readableBytes)
            bytes.moveReaderIndex(forwardBy: covered)
            offset += UInt64(covered)
            guard bytes.readableBytes > 0 else { break }
        }
        if bytes.readableBytes > 0 { parts.append(Held(offset: offset, bytes: bytes)) }
        guard !parts.isEmpty else { return true }
        guard mayHold, held.count + parts.count <= Self.mostHeld else { return false }
        for part in parts { keep(part) }
        return true
    }

    /// What follows on something is put behind it: there are as many parts as there are gaps.
    private mutating func keep(_ part: Held) {
        let place = held.firstIndex { $0.offset > part.offset } ?? held.count
        if place > 0, held[place - 1].end == part.offset {
            held[place - 1].bytes.writeImmutableBuffer(part.bytes)
        } else {
            // Copied: what came may lie in a buffer that is far larger.
            let bytes = ByteBuffer(bytes: part.bytes.readableBytesView)
            held.insert(Held(offset: part.offset, bytes: bytes), at: place)
        }
    }

    /// Takes what was behind a gap that is no more.
    private mutating func closeGap() {
        var count = 0
        for part in held {
            guard part.offset <= received else { break }
            count += 1
            let known = Int(received - part.offset)
            guard known < part.bytes.readableBytes else { continue }
            var rest = part.bytes
            rest.moveReaderIndex(forwardBy: known)
            append(rest)
        }
        held.removeFirst(count)
        if received == end { received += 1 }
    }

    /// The next bytes in order, which count as taken from now on.
    package mutating func next() -> ByteBuffer? {
        guard let bytes = ready.popFirst() else { return nil }
        taken += UInt64(bytes.readableBytes)
        return bytes
    }
}
