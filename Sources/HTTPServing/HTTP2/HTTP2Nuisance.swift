import NIOCore

/// How much of what comes on a connection is of no use to anybody: frames that ask for nothing (PING, SETTINGS, PRIORITY,
/// WINDOW_UPDATE, empty DATA), bytes that belong to no stream, and requests that are called off. Who sends too much of it is
/// cut off (RFC 9113 §10.5).
struct HTTP2Nuisance {
    /// Frames that ask for nothing, beyond those that answers allow for.
    private static let mostFrames = 2000
    private static let framesPerSecond = 500
    /// What each frame of an answer allows for: who reads it opens two windows behind it.
    private static let perFrameSent = 2
    /// Bytes that were part of no frame that counts: the largest head may come in pieces.
    private static let mostStray = 96 << 10
    private static let strayPerSecond = 16 << 10
    /// Bytes that may be on their way to streams that were reset.
    private static let mostExpected = 8 << 20
    /// Requests that were called off or made no sense, beyond those that were answered.
    private static let mostCancelled = 200
    private static let cancelledPerSecond = 20
    /// From so many frames on it is looked at more often, before so many more bytes are read: a read may hold thousands.
    private static let noticeable = 200
    private static let noticeableBytes = 4 << 10

    private var frames = 0
    private var stray = 0
    private var expected = 0
    private var cancelled = 0
    private var forgotten: NIODeadline

    init(now: NIODeadline) { forgotten = now }

    var isTooMuch: Bool {
        frames > Self.mostFrames || stray > Self.mostStray || cancelled > Self.mostCancelled
    }

    var bytesToNextLook: Int { frames < Self.noticeable ? .max : Self.noticeableBytes }

    /// A frame came that asks for nothing.
    mutating func idleFrameCame() { frames += 1 }

    /// - Parameters:
    ///   - bytes: that came.
    ///   - counted: those of them that were frames of streams, or counted otherwise.
    mutating func received(_ bytes: Int, counted: Int, now: NIODeadline) {
        forget(now)
        let more = bytes - counted
        let foreseen = max(0, min(expected, more))
        expected -= foreseen
        // What comes in pieces counts once it is whole.
        stray = max(0, stray + more - foreseen)
    }

    /// A stream was reset on which so much may be on its way.
    mutating func expects(_ bytes: Int) { expected = min(Self.mostExpected, expected + max(0, bytes)) }

    mutating func sentFrame() { frames = max(0, frames - Self.perFrameSent) }

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
        frames = max(0, frames - steps.multiplied(by: Self.framesPerSecond / 20))
        stray = max(0, stray - steps.multiplied(by: Self.strayPerSecond / 20))
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
