import HTTPServing
import NIOCore

/// How long an exchange waits, and how long it has.
struct ExchangePatience: Sendable {
    struct Limits: Sendable {
        /// How long a request waits for a session, in all.
        var queue: TimeAmount
        /// How long nothing may move while a request is under way.
        var stalled: TimeAmount
        /// How long nothing may move once both directions are raw; nil for any time.
        var idle: TimeAmount?
    }

    private let limits: Limits
    /// When bytes last went either way, as far as is known.
    private var progress: DeliveryProgress
    private var queueDeadline: NIODeadline?

    init(_ limits: Limits, now: NIODeadline) {
        self.limits = limits
        self.progress = DeliveryProgress(now: now)
    }

    /// When it has stalled, unless something moves.
    var stalledDeadline: NIODeadline { progress.last + limits.stalled }

    /// The same where both directions are raw.
    var idleDeadline: NIODeadline { limits.idle.map { progress.last + $0 } ?? .distantFuture }

    /// Bytes went either way.
    mutating func progressed(_ now: NIODeadline) { progress.moved(now: now) }

    /// When the request has waited too long. That holds for all its waiting, also when a session that took it is lost.
    mutating func queue(now: NIODeadline) -> NIODeadline {
        let deadline = queueDeadline ?? now + limits.queue
        queueDeadline = deadline
        return deadline
    }

    /// Whether a caller that was slow to read what came before has taken some of it since this was last asked.
    mutating func callerTakes(_ undelivered: Int, now: NIODeadline) -> Bool {
        progress.sees(undelivered: undelivered, now: now)
    }
}
