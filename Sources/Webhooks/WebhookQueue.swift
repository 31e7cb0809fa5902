import AgentStatus
import DequeModule
import TunnelProtocol

/// What a webhook is to be told, one event after another, and when: no I/O, no clock.
///
/// Events go in their order. One that was not taken is tried again after a while, and the others wait behind it; one that is
/// too old, was tried too often, or that nobody will ever take, is given up.
struct WebhookQueue: Sendable {
    struct Limits: Sendable {
        /// Events that wait; of more the oldest are given up.
        var waiting = 1000
        var tries: Int
        var age: Duration
    }

    /// What to do now.
    enum Step: Equatable {
        /// Try this one; `delivered` or `failed` follows.
        case send(AgentEvent)
        /// Nothing, for so long.
        case wait(Duration)
        /// Nothing, until there are others.
        case idle
    }

    /// Why an event was not taken.
    struct Failure: Equatable {
        /// Whether it would be the same the next time.
        var isFinal = false
        /// How long the other end asks to be left alone.
        var retryAfter: Duration?
    }

    private struct Entry {
        let event: AgentEvent
        let arrivedAt: ContinuousClock.Instant
    }

    /// The wait behind the first failure, or less.
    private static let shortestWait: Duration = .seconds(1)
    /// The longest one, also where the other end asks for more.
    private static let longestWait: Duration = .seconds(300)

    var limits: Limits
    /// The one that is tried.
    private var current: Entry?
    private var waiting: Deque<Entry> = []
    private var tries = 0
    private var backoff = WebhookQueue.newBackoff
    private var notBefore: ContinuousClock.Instant?
    private var isHurried = false

    private(set) var delivered: UInt64 = 0
    private(set) var failures: UInt64 = 0
    /// Events that were given up.
    private(set) var deadLetters: UInt64 = 0

    init(_ limits: Limits) { self.limits = limits }

    private static var newBackoff: ReconnectBackoff {
        var backoff = ReconnectBackoff()
        (backoff.shortest, backoff.longest) = (shortestWait, longestWait)
        return backoff
    }

    /// How many wait, the one that is tried included.
    var count: Int { waiting.count + (current == nil ? 0 : 1) }

    /// These happened.
    mutating func take(_ events: [AgentEvent], now: ContinuousClock.Instant) {
        for event in events { waiting.append(Entry(event: event, arrivedAt: now)) }
        while waiting.count > limits.waiting {
            waiting.removeFirst()
            deadLetters += 1
        }
    }

    /// So many happened that nobody could take here.
    mutating func missed(_ count: UInt64) { deadLetters += count }

    mutating func next(now: ContinuousClock.Instant) -> Step {
        giveUpOld(now: now)
        if current == nil {
            current = waiting.popFirst()
            tries = 0
        }
        guard let current else { return .idle }
        if let notBefore, now < notBefore, !isHurried { return .wait(notBefore - now) }
        return .send(current.event)
    }

    private mutating func giveUpOld(now: ContinuousClock.Instant) {
        if let entry = current, now - entry.arrivedAt > limits.age { giveUp() }
        while let first = waiting.first, now - first.arrivedAt > limits.age {
            waiting.removeFirst()
            deadLetters += 1
        }
    }

    /// The one that was tried was taken.
    mutating func succeeded() {
        delivered += 1
        current = nil
        notBefore = nil
        backoff = Self.newBackoff
    }

    /// It was not.
    mutating func failed(
        _ failure: Failure, now: ContinuousClock.Instant, using random: inout some RandomNumberGenerator
    ) {
        failures += 1
        tries += 1
        if isHurried { return giveUpAll() }
        // Whoever answers is there: the next one need not wait.
        guard !failure.isFinal else { return giveUp() }
        let wait = max(backoff.next(using: &random), failure.retryAfter ?? .zero)
        notBefore = now + min(wait, Self.longestWait)
        if tries >= limits.tries { giveUp() }
    }

    private mutating func giveUp() {
        guard current != nil else { return }
        current = nil
        deadLetters += 1
    }

    /// Something has changed: what waits for another try is tried now.
    mutating func retryNow() {
        notBefore = nil
        backoff = Self.newBackoff
    }

    /// There is little time left: nothing waits for another try, and after a failure nothing is tried any more.
    mutating func hurry() { isHurried = true }

    /// Nothing is sent any more.
    mutating func giveUpAll() {
        giveUp()
        deadLetters += UInt64(waiting.count)
        waiting.removeAll()
    }
}
