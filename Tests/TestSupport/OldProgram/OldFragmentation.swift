/// How an old peer cuts its messages into WebSocket fragments.
package enum OldFragmentation: Hashable, Sendable, CustomStringConvertible {
    /// A fragment for each piece that is written; one frame where the message is written at once.
    case asWritten
    /// One byte in each frame.
    case bytes
    /// At most so many bytes in each frame.
    case atMost(Int)
    /// Two digits of the id in the first frame, the others and the rest in the second.
    case insideTheID
    /// As written, but with empty frames first, between and last.
    case withEmptyFrames
    /// At most 7 bytes in each frame for the start, with a ping after each.
    case withPings
    /// Any lengths, 0 among them, and pings here and there.
    case random(seed: UInt64)

    package var description: String {
        switch self {
        case .asWritten: "as written"
        case .bytes: "byte by byte"
        case .atMost(let size): "at most \(size) bytes"
        case .insideTheID: "split inside the id"
        case .withEmptyFrames: "with empty frames"
        case .withPings: "with pings between"
        case .random(let seed): "random, seed \(seed)"
        }
    }
}

/// Cuts one message.
struct OldFragmenter {
    /// A frame of the message, or a ping between two of them.
    enum Frame {
        case data(ArraySlice<UInt8>, isFirst: Bool, isFinal: Bool)
        case ping
    }

    private let fragmentation: OldFragmentation
    private var random: SplitMix64
    private var isFirst = true
    private var written = 0

    init(_ fragmentation: OldFragmentation, message: UInt64) {
        self.fragmentation = fragmentation
        random = SplitMix64(seed: message)
        if case .random(let seed) = fragmentation { random = SplitMix64(seed: seed &+ message) }
    }

    /// The frames for the next piece of the message.
    mutating func frames(for piece: [UInt8], isEnd: Bool) -> [Frame] {
        var frames: [Frame] = []
        var rest = piece[...]
        if fragmentation == .withEmptyFrames { frames.append(data([], isFinal: false)) }
        while !rest.isEmpty {
            let size = nextSize(of: rest.count)
            let part = rest.prefix(size)
            rest = rest.dropFirst(size)
            written += size
            let isFinal = isEnd && rest.isEmpty && fragmentation != .withEmptyFrames
            frames.append(data(part, isFinal: isFinal))
            if !isFinal && wantsPing() { frames.append(.ping) }
        }
        let hasFinal = isEnd && !piece.isEmpty && fragmentation != .withEmptyFrames
        if isEnd && !hasFinal { frames.append(data([], isFinal: true)) }
        return frames
    }

    private mutating func data(_ bytes: ArraySlice<UInt8>, isFinal: Bool) -> Frame {
        defer { isFirst = false }
        return .data(bytes, isFirst: isFirst, isFinal: isFinal)
    }

    private mutating func nextSize(of rest: Int) -> Int {
        switch fragmentation {
        case .asWritten, .withEmptyFrames: rest
        case .bytes: 1
        case .atMost(let size): min(size, rest)
        case .insideTheID: written < 2 ? min(2 - written, rest) : rest
        case .withPings: written < 100 ? min(7, rest) : rest
        case .random: Int.random(in: 0...min(rest, max(8, rest / 8)), using: &random)
        }
    }

    private mutating func wantsPing() -> Bool {
        switch fragmentation {
        case .withPings: written <= 100
        case .random: Int.random(in: 0..<8, using: &random) == 0
        default: false
        }
    }
}
