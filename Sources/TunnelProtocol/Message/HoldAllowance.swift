/// How long one stream may keep a connection from others without using it.
///
/// Messages of protocol v1 cannot be interleaved: one that has begun and does not go on holds up all that are
/// behind it. The first three seconds of that are free, and what moves earns time back, so that a slow stream
/// lives and one that trickles does not.
struct HoldAllowance {
    private static let full: Duration = .seconds(3)
    /// Bytes that earn one second.
    private static let bytesPerSecond = 256 << 10

    private var left = Self.full
    /// Bytes that moved since `left` was last reckoned; they count once the time that they took is taken off.
    private var moved = 0
    private var since: MonotonicInstant?

    /// When the stream is to be ended; nil while it holds nobody up.
    var deadline: MonotonicInstant? { since?.advanced(by: left) }

    /// Whether others wait now for a stream that does not move.
    mutating func holds(_ isHolding: Bool, now: MonotonicInstant) {
        if let start = since.take() { left = max(.zero, left - now.since(start)) }
        if left < Self.full { left = min(Self.full, left + .seconds(1) * moved / Self.bytesPerSecond) }
        moved = 0
        if isHolding { since = now }
    }

    mutating func moved(_ bytes: Int) { moved += bytes }
}
