import AgentStatus
import TestSupport
import Testing

@testable import Webhooks

/// What a webhook is told, and when.
@Suite struct WebhookQueueTests {
    private let start = ContinuousClock.now
    private var random = SplitMix64(seed: 7)

    private static func queue(_ count: Int, waiting: Int = 1000, tries: Int = 3) -> WebhookQueue {
        var queue = WebhookQueue(.init(waiting: waiting, tries: tries, age: .seconds(600)))
        queue.take((0..<count).map(event), now: .now)
        return queue
    }

    private static func event(_ number: Int) -> AgentEvent { AgentEvent(.error, message: "\(number)") }

    private func number(_ step: WebhookQueue.Step) -> Int? {
        if case .send(let event) = step { Int(event.message) } else { nil }
    }

    @Test func eventsGoInTheirOrder() {
        var queue = Self.queue(3)
        for number in 0..<3 {
            #expect(self.number(queue.next(now: start)) == number)
            #expect(self.number(queue.next(now: start)) == number)
            queue.succeeded()
        }
        #expect(queue.next(now: start) == .idle)
        #expect(queue.delivered == 3 && queue.failures == 0 && queue.deadLetters == 0)
    }

    @Test mutating func whatWasNotTakenIsTriedAgainLaterAndLater() {
        var queue = Self.queue(2, tries: 100)
        var now = start
        var longest = Duration.zero
        for _ in 0..<12 {
            #expect(number(queue.next(now: now)) == 0)
            queue.failed(.init(), now: now, using: &random)
            guard case .wait(let wait) = queue.next(now: now) else { continue }
            #expect(wait <= .seconds(300))
            longest = max(longest, wait)
            // Another event does not hurry it.
            #expect(queue.next(now: now + wait - .milliseconds(1)) != queue.next(now: now + wait))
            now += wait
            if now - start > .seconds(500) { break }
        }
        #expect(longest > .seconds(8))
        queue.succeeded()
        #expect(number(queue.next(now: now)) == 1 && queue.deadLetters == 0)
    }

    @Test mutating func afterSoManyTriesItIsGivenUp() {
        var queue = Self.queue(2, tries: 3)
        var now = start
        for _ in 0..<3 {
            #expect(number(queue.next(now: now)) == 0)
            queue.failed(.init(), now: now, using: &random)
            now += .seconds(10)
        }
        #expect(number(queue.next(now: now)) == 1)
        #expect(queue.deadLetters == 1 && queue.failures == 3)
    }

    @Test mutating func whatNobodyWillEverTakeIsGivenUpAtOnce() {
        var queue = Self.queue(2)
        _ = queue.next(now: start)
        queue.failed(.init(isFinal: true), now: start, using: &random)
        #expect(number(queue.next(now: start)) == 1 && queue.deadLetters == 1)
    }

    @Test mutating func whoAsksForTimeGetsIt() {
        for (asked, least, most) in [(30, 30, 30), (86_400, 300, 300), (0, 0, 1)] {
            var queue = Self.queue(1)
            _ = queue.next(now: start)
            queue.failed(.init(retryAfter: .seconds(asked)), now: start, using: &random)
            guard case .wait(let wait) = queue.next(now: start) else { continue }
            #expect(wait >= .seconds(least) && wait <= .seconds(most))
        }
    }

    @Test func theOldestAreGivenUpWhereTooManyWait() {
        var queue = Self.queue(25, waiting: 10)
        #expect(queue.count == 10 && queue.deadLetters == 15)
        #expect(number(queue.next(now: start)) == 15)
        // The one under way counts beside those that wait.
        queue.take([Self.event(100), Self.event(101)], now: start)
        #expect(queue.count == 11 && queue.deadLetters == 16)
        queue.succeeded()
        #expect(number(queue.next(now: start)) == 17)
    }

    @Test mutating func whatIsTooOldIsNotSent() {
        var queue = Self.queue(2)
        let later = ContinuousClock.now + .seconds(300)
        queue.take([Self.event(2)], now: later)
        _ = queue.next(now: start)
        queue.failed(.init(), now: start, using: &random)
        let end = later + .seconds(400)
        #expect(number(queue.next(now: end)) == 2)
        #expect(queue.deadLetters == 2)
    }

    @Test mutating func inAHurryEachIsTriedOnceUntilOneFails() {
        var queue = Self.queue(4)
        _ = queue.next(now: start)
        queue.failed(.init(retryAfter: .seconds(100)), now: start, using: &random)
        queue.hurry()
        #expect(number(queue.next(now: start)) == 0)
        queue.succeeded()
        #expect(number(queue.next(now: start)) == 1)
        queue.failed(.init(), now: start, using: &random)
        #expect(queue.next(now: start) == .idle)
        #expect(queue.delivered == 1 && queue.deadLetters == 3 && queue.count == 0)
    }

    @Test mutating func anotherAddressIsTriedAtOnce() {
        var queue = Self.queue(1)
        _ = queue.next(now: start)
        queue.failed(.init(retryAfter: .seconds(100)), now: start, using: &random)
        queue.retryNow()
        #expect(number(queue.next(now: start)) == 0)
    }
}
