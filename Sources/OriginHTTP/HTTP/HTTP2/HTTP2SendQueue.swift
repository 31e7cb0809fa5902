import DequeModule
import NIOHPACK

import struct NIOCore.ByteBuffer

/// What waits of one request behind its head, without I/O: for the origin's windows, for other streams' turns, or for the
/// connection to take more.
struct HTTP2SendQueue {
    enum Piece {
        /// - Parameter isLast: the request ends with them.
        case bytes(ByteBuffer, isLast: Bool)
        case trailers(HPACKHeaders)
    }

    private enum End {
        case open
        case whole
        case trailers(HPACKHeaders)
        /// It has gone out.
        case gone
    }

    /// How much may wait before the sender is asked to stop, in bytes.
    static let mostWaiting = 64 << 10
    /// The longest piece, in bytes: any origin takes a frame of that.
    static let longestPiece = 16 << 10

    private(set) var pieces = Deque<ByteBuffer>()
    private var end = End.open
    /// What waits, in bytes.
    private(set) var waiting = 0
    /// What the origin takes of this stream for now; below zero where it took back some (RFC 9113 §6.9.2).
    var window: Int

    init(window: Int) { self.window = window }

    /// Whether the request has gone out as a whole.
    var isOver: Bool {
        if case .gone = end { true } else { false }
    }

    /// Whether something waits that could go out, if the connection takes it.
    var isReady: Bool {
        guard waiting == 0 else { return window > 0 }
        return switch end {
        // By a frame of data, though it is empty: the handler that writes it takes none where a window is below zero.
        case .whole: window >= 0
        case .trailers: true
        case .open, .gone: false
        }
    }

    mutating func append(_ bytes: ByteBuffer) {
        guard case .open = end, bytes.readableBytes > 0 else { return }
        waiting += bytes.readableBytes
        if let last = pieces.indices.last, bytes.readableBytes <= Output.largestCopy,
            pieces[last].readableBytes + bytes.readableBytes <= Self.longestPiece
        {
            // What has gone out stands in front of the rest: an origin that never takes all would make it longer and longer.
            if pieces[last].readerIndex > Self.longestPiece { pieces[last].discardReadBytes() }
            pieces[last].writeImmutableBuffer(bytes)
        } else {
            pieces.append(bytes)
        }
    }

    /// Nothing more comes behind what waits.
    ///
    /// - Parameter trailers: nil, or empty, for none.
    mutating func finish(trailers: HPACKHeaders? = nil) {
        guard case .open = end else { return }
        end = trailers.flatMap { $0.isEmpty ? nil : .trailers($0) } ?? .whole
    }

    /// - Parameter allowance: what the origin takes on all streams together, in bytes.
    mutating func next(_ allowance: Int) -> Piece? {
        guard isReady else { return nil }
        guard waiting > 0 else {
            if case .trailers(let trailers) = end {
                end = .gone
                return .trailers(trailers)
            }
            guard allowance > 0 else { return nil }
            end = .gone
            return .bytes(ByteBuffer(), isLast: true)
        }
        let count = min(window, allowance, Self.longestPiece)
        guard count > 0, var first = pieces.popFirst(),
            let bytes = first.readSlice(length: min(count, first.readableBytes))
        else { return nil }
        if first.readableBytes > 0 { pieces.prepend(first) }
        waiting -= bytes.readableBytes
        window -= bytes.readableBytes
        if waiting == 0, case .whole = end { end = .gone }
        return .bytes(bytes, isLast: isOver)
    }

    /// Nobody takes it any more.
    mutating func drop() {
        pieces = []
        waiting = 0
        end = .gone
    }
}
