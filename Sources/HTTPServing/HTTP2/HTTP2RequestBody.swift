import DequeModule
import HTTPMessage

import struct NIOCore.ByteBuffer

/// What comes of one request behind its head, without I/O: held to the length that it promised, and kept while the exchange
/// takes nothing. How much that is, the windows bound.
struct HTTP2RequestBody {
    enum Part {
        case bytes(ByteBuffer)
        case end(trailers: HeaderFields?)
    }

    private enum End {
        case open
        /// - Parameter trailers: those that came with it.
        case came(trailers: HeaderFields?)
        /// The exchange knows.
        case told
    }

    /// Pieces that wait are joined up to this size, in bytes.
    private static let joined = 16 << 10

    /// Bytes that are still to come, where that is known.
    private var left: Int?
    private let isRaw: Bool
    /// The exchange waits for no body: what was promised is nothing.
    private let isNone: Bool
    private var kept = Deque<ByteBuffer>()
    private var end = End.open

    /// - Parameters:
    ///   - isLast: nothing follows the head.
    ///   - isRaw: what follows is raw bytes, once the answer says so.
    init(_ framing: BodyFraming, isLast: Bool, isRaw: Bool) {
        isNone = framing == .none && !isRaw
        self.isRaw = isRaw
        left =
            switch framing {
            case .none: isRaw ? nil : 0
            case .length(let length): length
            case .chunked, .untilClose: nil
            }
        if isLast { end = .told }
    }

    /// So many more bytes came.
    ///
    /// - Throws: for more than was promised.
    mutating func check(_ count: Int) throws(HTTPMessageError) {
        guard let left else { return }
        guard count <= left else { throw Self.wrongLength }
        self.left = left - count
    }

    mutating func keep(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        guard let last = kept.indices.last,
            kept[last].readableBytes + bytes.readableBytes <= Self.joined
        else { return kept.append(bytes) }
        kept[last].writeImmutableBuffer(bytes)
    }

    /// What waits is kept without the rest of the buffer that it was read into.
    mutating func settle() {
        guard let last = kept.indices.last else { return }
        let bytes = kept[last]
        if bytes.storageCapacity > 2 * max(bytes.readableBytes, 512) {
            kept[last] = ByteBuffer(bytes: bytes.readableBytesView)
        }
    }

    /// - Throws: for less than was promised.
    mutating func ended(trailers: HeaderFields?) throws(HTTPMessageError) {
        guard left ?? 0 == 0 else { throw Self.wrongLength }
        guard !isRaw || trailers == nil else {
            throw HTTPMessageError(.malformed, "trailers of what is no HTTP")
        }
        end = isNone ? .told : .came(trailers: trailers)
    }

    /// The next part that the exchange is to have.
    mutating func next() -> Part? {
        if let bytes = kept.popFirst() { return .bytes(bytes) }
        guard case .came(let trailers) = end else { return nil }
        end = .told
        return .end(trailers: trailers)
    }

    /// Nobody wants it any more.
    ///
    /// - Returns: how many bytes were kept.
    mutating func drop() -> Int {
        let count = kept.reduce(0) { $0 + $1.readableBytes }
        kept = []
        return count
    }

    private static let wrongLength = HTTPMessageError(
        .malformed, "the body is not as long as Content-Length says")
}
