/// How long one stream may keep a connection from others without using it.
///
/// Messages of protocol v1 cannot be interleaved: one that has begun and does not go on holds up all that are
/// behind it. Some of that is free, and what moves earns time back, so that a slow stream lives and one that
/// trickles does not.
struct HoldAllowance {
    private let full: Duration
    /// Bytes that earn one second.
    private let bytesPerSecond: Int
    private var left: Duration
    /// Bytes that moved since `left` was last reckoned; they count once the time that they took is taken off.
    private var moved = 0
    private var since: MonotonicInstant?

    private init(full: Duration, bytesPerSecond: Int) {
        self.full = full
        self.bytesPerSecond = bytesPerSecond
        left = full
    }

    /// Before a stream is ended.
    static var toLive: HoldAllowance { HoldAllowance(full: .seconds(3), bytesPerSecond: 256 << 10) }
    /// Before what comes is kept in a file. That costs little, so that only who is nearly as fast as a disk goes without.
    /// All readers of a session have it together: sixteen slow ones, one after another, hold up the others no longer than
    /// one does.
    static var toStayInMemory: HoldAllowance {
        HoldAllowance(full: .milliseconds(250), bytesPerSecond: 32 << 20)
    }

    /// When the time is over; nil while nobody is held up.
    var deadline: MonotonicInstant? { since?.advanced(by: left) }

    /// Whether others wait now for a stream that does not move.
    mutating func holds(_ isHolding: Bool, now: MonotonicInstant) {
        if let start = since.take() { left = max(.zero, left - now.since(start)) }
        if left < full { left = min(full, left + .seconds(1) * moved / bytesPerSecond) }
        moved = 0
        if isHolding { since = now }
    }

    mutating func moved(_ bytes: Int) { moved += bytes }
}
