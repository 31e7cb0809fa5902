import NIOCore

/// How much of what an origin sends is of no use to anybody: frames that ask for nothing (PING, SETTINGS, PRIORITY,
/// WINDOW_UPDATE, empty DATA, and what belongs to no stream). One that sends too much of it is given up (RFC 9113 §10.5).
struct HTTP2Nuisance {
    /// Bytes beside answers.
    private static let mostIdleBytes = 128 << 10
    /// What of them is forgotten in a second.
    private static let idleBytesPerSecond = 16 << 10
    /// What each frame of a request allows for: who reads it opens two windows behind it.
    private static let perFrameSent = 2 * 13

    private var idleBytes = 0
    private var forgotten: NIODeadline

    init(now: NIODeadline) { forgotten = now }

    var isTooMuch: Bool { idleBytes > Self.mostIdleBytes }

    /// - Parameters:
    ///   - bytes: that came.
    ///   - useful: those of them that were answers, or the ends of streams.
    mutating func received(_ bytes: Int, useful: Int, now: NIODeadline) {
        let passed = (now - forgotten).nanoseconds / 1_000_000
        let forgets = Int(min(passed, 60_000)) * Self.idleBytesPerSecond / 1000
        // What is less than a byte is forgotten later.
        if forgets > 0 {
            forgotten = now
            idleBytes = max(0, idleBytes - forgets)
        }
        idleBytes += max(0, bytes - useful)
    }

    mutating func sentFrame() { idleBytes = max(0, idleBytes - Self.perFrameSent) }
}
