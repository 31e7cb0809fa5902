import DequeModule
import NIOHPACK

import struct NIOCore.ByteBuffer

/// What waits of one answer behind its head, without I/O: for the caller's windows, for other streams' turns, or for the
/// connection to take more.
struct HTTP2AnswerQueue {
    /// How the answer ends, once all before it has gone out.
    enum End {
        case whole
        case trailers(HPACKHeaders)
        /// There will be no more of it: by a reset (RFC 9113 §8.1).
        case broken
    }

    enum Piece {
        /// - Parameter isLast: the answer ends with them.
        case bytes(ByteBuffer, isLast: Bool)
        case trailers(HPACKHeaders)
        case broken
    }

    /// How much may wait of a stream whose caller is slow before its exchange is asked to wait, in bytes.
    static let usuallyKept = 16 << 10
    /// The longest piece, in bytes: any caller takes a frame of that.
    static let longestPiece = 16 << 10

    private var kept = Deque<ByteBuffer>()
    private(set) var waiting = 0
    private var end: End?
    private(set) var isOver = false
    /// What the caller takes of this stream for now; below zero where it took back some (RFC 9113 §6.9.2).
    var window: Int

    init(window: Int) { self.window = window }

    /// Whether nothing waits.
    var isEmpty: Bool { waiting == 0 && end == nil }
    /// Whether something waits that could go out, if the connection takes it.
    var isReady: Bool {
        guard waiting == 0 else { return window > 0 }
        switch end {
        // By a frame of data, though it is empty: the handler that writes it takes none where a window is below zero.
        case .whole: return window >= 0
        case .trailers, .broken: return true
        case nil: return false
        }
    }
    /// Whether its end is known.
    var hasEnd: Bool { end != nil || isOver }

    mutating func append(_ bytes: ByteBuffer) {
        guard !hasEnd, bytes.readableBytes > 0 else { return }
        waiting += bytes.readableBytes
        guard let last = kept.indices.last,
            kept[last].readableBytes + bytes.readableBytes <= Self.longestPiece
        else { return kept.append(bytes) }
        kept[last].writeImmutableBuffer(bytes)
    }

    /// What has to wait is kept without the rest of the buffer that it came in.
    mutating func settle() {
        guard let last = kept.popLast() else { return }
        CallerOutput.compact(last) { kept.append($0) }
    }

    /// A broken end comes in place of what was promised.
    mutating func finish(_ end: End) {
        guard !isOver else { return }
        if case .broken = end {
            if case .whole = self.end { return }
            if case .trailers = self.end { return }
        } else if self.end != nil {
            return
        }
        self.end = end
    }

    /// - Parameter allowance: what the connection takes, in bytes.
    mutating func next(_ allowance: Int) -> Piece? {
        guard isReady else { return nil }
        guard waiting > 0 else {
            guard let end else { return nil }
            if case .whole = end, allowance <= 0 { return nil }
            isOver = true
            self.end = nil
            switch end {
            case .whole: return .bytes(ByteBuffer(), isLast: true)
            case .trailers(let trailers): return .trailers(trailers)
            case .broken: return .broken
            }
        }
        let count = min(window, allowance, Self.longestPiece)
        guard count > 0, var first = kept.popFirst(),
            let bytes = first.readSlice(length: min(count, first.readableBytes))
        else { return nil }
        if first.readableBytes > 0 { kept.prepend(first) }
        waiting -= bytes.readableBytes
        window -= bytes.readableBytes
        if waiting == 0, case .whole = end {
            end = nil
            isOver = true
        }
        return .bytes(bytes, isLast: isOver)
    }

    /// Nobody takes it any more.
    mutating func drop() {
        kept = []
        waiting = 0
        end = nil
        isOver = true
    }
}
