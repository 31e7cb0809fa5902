import NIOCore

/// How much of what comes on a connection is of no use to anybody: frames that ask for nothing (PING, SETTINGS, PRIORITY,
/// WINDOW_UPDATE, empty DATA and what belongs to no stream), and requests that are called off. Who sends too much of it is
/// cut off (RFC 9113 §10.5).
struct HTTP2Nuisance {
    /// Bytes beside requests and their bodies.
    private static let mostIdleBytes = 128 << 10
    /// What of them is forgotten in a second.
    private static let idleBytesPerSecond = 16 << 10
    /// What each frame of an answer allows for: who reads it opens two windows behind it.
    private static let perFrameSent = 2 * 13
    /// Requests that were called off or made no sense, beyond those that were answered.
    private static let mostCancelled = 200
    private static let cancelledPerSecond = 20

    private var idleBytes = 0
    private var cancelled = 0
    private var forgotten: NIODeadline

    init(now: NIODeadline) { forgotten = now }

    var isTooMuch: Bool { idleBytes > Self.mostIdleBytes || cancelled > Self.mostCancelled }

    /// - Parameters:
    ///   - bytes: that came.
    ///   - useful: those of them that were requests and bodies.
    mutating func received(_ bytes: Int, useful: Int, now: NIODeadline) {
        forget(now)
        idleBytes += max(0, bytes - useful)
    }

    mutating func sentFrame() { idleBytes = max(0, idleBytes - Self.perFrameSent) }

    mutating func wasCancelled(now: NIODeadline) {
        forget(now)
        cancelled += 1
    }

    mutating func wasAnswered() { cancelled = max(0, cancelled - 1) }

    private mutating func forget(_ now: NIODeadline) {
        // Whole twentieths of a second, of which each forgets at least one.
        let steps = Int((now - forgotten).nanoseconds / 50_000_000)
        guard steps > 0 else { return }
        forgotten = forgotten + .milliseconds(Int64(steps) * 50)
        idleBytes = max(0, idleBytes - steps.multiplied(by: Self.idleBytesPerSecond / 20))
        cancelled = max(0, cancelled - steps.multiplied(by: Self.cancelledPerSecond / 20))
    }
}

extension Int {
    /// The product, or the largest number there is.
    fileprivate func multiplied(by other: Int) -> Int {
        let (product, isTooLarge) = multipliedReportingOverflow(by: other)
        return isTooLarge ? .max : product
    }
}
