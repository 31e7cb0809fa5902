import AgentStatus
import Logging
import Testing

@testable import Observability

/// What happens to an agent, numbered and bounded.
@Suite struct EventStreamTests {
    private static func event(_ kind: AgentEvent.Kind = .error, _ message: String = "x") -> AgentEvent {
        AgentEvent(kind, message: message)
    }

    @Test func anAgentThatStartsLaterGivesOutHigherNumbers() {
        let old = EventStream(startedAt: 1_764_550_000_000)
        for _ in 0..<100 { old.publish(Self.event()) }
        let new = EventStream(startedAt: 1_764_550_000_010)
        new.publish(Self.event())
        #expect(new.feed.last > old.feed.last)
        #expect(!new.feed.knows(old.feed.last) && !old.feed.knows(new.feed.last))
        // So that JavaScript and others who know floating point alone have it exactly, for 2,000 years.
        #expect(EventStream(startedAt: .max).feed.last < 1 << 53)
        #expect(EventStream(startedAt: -1).feed.last == 0)
    }

    @Test func numbersOfAnotherLifeReadEverything() {
        let stream = EventStream(startedAt: 1_764_550_000_000)
        for number in 1...3 { stream.publish(Self.event(.error, "\(number)")) }
        let first = stream.feed.last - 2
        #expect(stream.feed.knows(first - 1) && !stream.feed.knows(first - 2))
        for number in [0, 1, first - 2, first - 1] {
            let batch = stream.feed.read(after: number)
            #expect(batch.elements.map(\.message) == ["1", "2", "3"] && batch.missed == 0)
            #expect(batch.elements.map(\.id) == [first, first + 1, first + 2])
        }
        #expect(stream.feed.read(after: .max).elements.isEmpty)
    }

    @Test func whoComesLateIsToldHowManyHeMissed() {
        let feed = Feed<Int>(capacity: 3, beginningBehind: 1000)
        for number in 1...5 { feed.publish { _ in number } }
        let batch = feed.read(after: 1001)
        #expect(batch.elements == [3, 4, 5] && batch.missed == 1 && batch.last == 1005)
    }

    @Test func ofTooManyOfAKindSomeAreLeftOutAndCounted() {
        var budget = EventBudget()
        let start = ContinuousClock.now
        for _ in 0..<EventBudget.burst { #expect(budget.happened(now: start) == .told(suppressed: 0)) }
        #expect(budget.happened(now: start) == .firstSuppressed)
        #expect(budget.happened(now: start + .milliseconds(999)) == .suppressed)
        #expect(budget.happened(now: start + .seconds(1)) == .told(suppressed: 2))
        for _ in 1..<EventBudget.rate {
            #expect(budget.happened(now: start + .seconds(1)) == .told(suppressed: 0))
        }
        #expect(budget.happened(now: start + .milliseconds(1999)) == .firstSuppressed)
        // A long rest gives no more than a burst.
        let later = start + .seconds(1_000_000)
        #expect(budget.happened(now: later) == .told(suppressed: 1))
        for _ in 1..<EventBudget.burst { #expect(budget.happened(now: later) == .told(suppressed: 0)) }
        #expect(budget.happened(now: later) == .firstSuppressed)
    }

    @Test func aFloodOfOneKindWashesOutNoOther() {
        let stream = EventStream()
        stream.publish(Self.event(.banned, "the one"))
        for _ in 0..<10_000 { stream.publish(Self.event(.sessionUp)) }
        let kept = stream.feed.read(after: 0).elements
        #expect(kept.first?.message == "the one")
        #expect(kept.count(where: { $0.kind == .suppressed && $0.code == "session-up" }) == 1)
    }

    @Test func longTextsAreCut() throws {
        let stream = EventStream()
        var event = Self.event(.error, String(repeating: "é", count: 5000))
        event.tunnel = String(repeating: "t", count: 5000)
        stream.publish(event)
        let kept = try #require(stream.feed.read(after: 0).elements.first)
        #expect(kept.message.utf8.count < 1100 && kept.message.hasSuffix("…"))
        #expect((kept.tunnel?.utf8.count ?? 0) < 1100)
    }

    @Test func aFactIsToldToTheLogAndAsAnEvent() throws {
        var events: [AgentEvent] = []
        let lines = try linesLogged { sink in
            let log = AgentLog(sink: sink)
            var logger = log.makeLogger(label: "server")
            logger[.serverName] = "public"
            logger[.tokenHint] = "abcdefgh..."
            logger.tell(
                .sessionDown, .info, "Session left",
                metadata: [
                    .sessionID: .stringConvertible(UInt64(7)), .tunnelName: "web",
                    .errorCode: .code(.timedOut),
                    .closeReason: "silent", .peerAddress: "192.0.2.7",
                ])
            logger.tell(.limitReached, .warning, "Limit reached", metadata: [.limit: "rate"], detail: "rate")
            log.level.configure(.error)
            logger.tell(.banned, .warning, "Address banned")
            events = log.events.feed.read(after: 0).elements
        }
        #expect(lines.count == 2 && lines[0].contains(#"message="Session left""#))
        #expect(lines[0].contains("close.reason=silent") && lines[1].contains("limit=rate"))
        var expected = AgentEvent(
            .sessionDown, server: "public", tunnel: "web", tokenHint: "abcdefgh...", session: 7,
            address: "192.0.2.7", code: "timed-out", message: "Session left: silent")
        (expected.id, expected.at) = (events[0].id, events[0].at)
        #expect(events.count == 3 && events[0] == expected)
        #expect(events[1].code == "rate" && events[1].message == "Limit reached: rate")
        // Whoever reads events does not depend on what is logged.
        #expect(events[2].kind == .banned && events[2].code == nil)
    }
}
