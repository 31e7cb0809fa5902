import NIOCore
import Testing

@testable import TunnelProtocol

/// How long one stream may keep others waiting.
@Suite struct HoldAllowanceTests {
    private let start = MonotonicInstant(nanoseconds: 1_000_000_000)

    private func after(_ duration: Duration) -> MonotonicInstant { start.advanced(by: duration) }

    @Test func threeSecondsAreFree() {
        var hold = HoldAllowance.toLive
        #expect(hold.deadline == nil)
        hold.holds(true, now: start)
        hold.holds(true, now: after(.seconds(1)))
        #expect(hold.deadline == after(.seconds(3)))
        hold.holds(false, now: after(.seconds(2)))
        #expect(hold.deadline == nil)
        hold.holds(true, now: after(.seconds(10)))
        #expect(hold.deadline == after(.seconds(11)), "the time that was used is gone")
        hold.holds(false, now: after(.seconds(20)))
        hold.holds(true, now: after(.seconds(30)))
        #expect(hold.deadline == after(.seconds(30)))
    }

    @Test func whatMovesEarnsTimeUpToTheFull() {
        var hold = HoldAllowance.toLive
        hold.holds(true, now: start)
        hold.holds(false, now: after(.seconds(2.5)))
        hold.moved(256 << 10)
        hold.holds(true, now: after(.seconds(4)))
        #expect(hold.deadline == after(.seconds(5.5)))
        hold.holds(false, now: after(.seconds(4)))
        hold.moved(1 << 30)
        hold.holds(true, now: after(.seconds(5)))
        #expect(hold.deadline == after(.seconds(8)))
    }

    @Test func whoeverGoesOnMovingNeverRunsOut() {
        var hold = HoldAllowance.toLive
        for second in 0..<100 {
            let now = after(.seconds(second))
            if let deadline = hold.deadline { #expect(deadline > now) }
            hold.holds(true, now: now)
            hold.moved(256 << 10)
        }
    }

    @Test func aTrickleEarnsNothing() {
        var hold = HoldAllowance.toLive
        hold.holds(true, now: start)
        hold.holds(false, now: after(.seconds(3)))
        hold.moved(1)
        hold.holds(true, now: after(.seconds(3)))
        #expect((hold.deadline ?? start) < after(.seconds(3.001)))
    }
}

/// Streams of protocol v1 that stand in each other's way, where nothing of them can be kept in files.
@Suite struct MessageHoldTests {
    private let answer = "HTTP/1.1 200 OK|Content-Length: 999999||"

    private func limits() -> SessionLimits {
        var limits = SessionLimits()
        (limits.minimumWindow, limits.v1.maximumStoredBytes) = (1000, 4000)
        limits.v1.maximumSpilledBytes = 0
        return limits
    }

    /// A server that has sent so many requests.
    private func asked(_ count: Int, budget: Int = 0) throws -> MessageProbe {
        let probe = try MessageProbe(.opener, limits: limits(), budget: budget)
        for _ in 0..<count { #expect(probe.open() != nil) }
        _ = probe.written()
        return probe
    }

    // MARK: Receiving

    @Test(arguments: [(0, 1000), (1000, 2000), (2999, 2000), (3000, 4000), (1 << 20, 4000)])
    func aReaderThatTakesNothingStopsTheSessionOnceItsShareIsFull(_ budget: Int, _ most: Int) throws {
        let probe = try asked(1, budget: budget)
        try probe.receive("0001" + answer, isLast: false)
        var unread = 0
        while !probe.isBlocked, unread < 10_000 {
            _ = try probe.receive(bytes(100))
            unread += 100
        }
        #expect(unread == most)
        #expect(probe.budget.taken == most - 1000)
        probe.consumed(StreamID(1), 1)
        #expect(!probe.isBlocked)
        probe.reset(StreamID(1))
        #expect(probe.budget.taken == 0)
    }

    @Test func whatCameAndWasNotTakenOutlivesItsStream() throws {
        let probe = try asked(2, budget: 5000)
        try probe.receive("0001HTTP/1.1 200 OK|Content-Length: 3000||", isLast: false)
        _ = try probe.receive(bytes(3000))
        #expect(try MessageProbe.story(probe.endMessage()) == [])
        #expect(probe.streamCount == 1 && probe.unreadCount == 1 && !probe.isBlocked)
        #expect(probe.budget.taken == 3000)
        probe.consumed(StreamID(1), 2999)
        #expect(probe.budget.taken == 3000)
        probe.consumed(StreamID(1), 1)
        #expect(probe.budget.taken == 0 && probe.unreadCount == 0)
    }

    @Test func aBodyThatIsWholeHoldsUpNobodyThoughItIsNotTaken() throws {
        let probe = try MessageProbe(.acceptor, limits: limits(), budget: 0)
        let body = String(repeating: "x", count: 2000)
        try probe.receive("0001POST / HTTP/1.1|Host: a|Content-Length: 2000||" + body, isLast: false)
        #expect(!probe.isBlocked && probe.streamCount == 1)
        #expect(MessageProbe.story(try probe.endMessage()) == [])
        #expect(try probe.receive("0002GET / HTTP/1.1|Host: a||").count == 1)
        #expect(probe.urgency == nil)
    }

    @Test func whoHoldsUpOthersIsEndedAfterThreeSeconds() throws {
        let probe = try asked(2)
        try probe.receive("0001" + answer + String(repeating: "x", count: 2000), isLast: false)
        #expect(probe.isBlocked)
        #expect(probe.urgency == .seconds(3))
        probe.advance(.milliseconds(2900))
        probe.tick()
        #expect(try probe.events() == [])
        probe.advance(.milliseconds(100))
        probe.tick()
        #expect(try probe.events() == ["1 reset tooSlow"])
        #expect(!probe.isBlocked && probe.streamCount == 1)
        // Its rest is dropped, and the next answer comes.
        #expect(try probe.receive("the rest") == [])
        #expect(try probe.receive("0002HTTP/1.1 204 No Content||").count == 1)
    }

    @Test func whoHoldsUpNobodyMayTakeItsTime() throws {
        let probe = try asked(1)
        try probe.receive("0001" + answer + String(repeating: "x", count: 9000), isLast: false)
        for _ in 0..<20 {
            #expect(probe.urgency == .seconds(6))
            probe.advance(.seconds(5))
            #expect(probe.tick() != nil, "a peer that is not read cannot be silent")
            probe.consumed(StreamID(1), 10)
            #expect(try probe.events() == [])
        }
        #expect(probe.isBlocked)
        #expect(probe.open() != nil)
        #expect(try probe.events() == [])
        #expect(probe.urgency == .seconds(3))
    }

    /// What is not read holds up the peer's pings as well.
    @Test func whoTakesNothingIsEndedThoughItIsAlone() throws {
        let probe = try asked(1)
        try probe.receive("0001" + answer + String(repeating: "x", count: 2000), isLast: false)
        probe.advance(.milliseconds(5900))
        probe.tick()
        #expect(try probe.events() == [])
        probe.advance(.milliseconds(100))
        probe.tick()
        #expect(try probe.events() == ["1 reset tooSlow"])
        #expect(!probe.isBlocked && probe.streamCount == 0)
    }

    @Test func behindALargeMessageTheSmallOnesGoBeforeTheNextLargeOne() throws {
        let probe = try MessageProbe(.opener, limits: limits(), budget: 0)
        let uploads = try (0..<3).map { _ in
            try #require(
                probe.open("POST /large HTTP/1.1|Host: a|Content-Length: 3000||", isLast: false))
        }
        for id in uploads { probe.send(id, bytes: bytes(2000)) }
        for _ in 0..<2 { #expect(probe.open("GET /small HTTP/1.1|Host: a||") != nil) }
        var begun = probe.written().filter { $0.hasPrefix("<") }
        for id in uploads {
            probe.send(id, bytes: bytes(1000))
            probe.finish(id)
            begun += probe.written().filter { $0.hasPrefix("<") }
        }
        #expect(begun.map { $0.prefix(5) } == ["<0001", "<0004", "<0005", "<0002", "<0003"])
    }

    /// Who asked for little does not wait until all who asked for much have it.
    @Test func smallMessagesGoBeforeLargeOnesThatHaveNotBegun() throws {
        let probe = try MessageProbe(.acceptor)
        for number in 1...6 { try probe.receive("000\(number)GET / HTTP/1.1|Host: a||") }
        for number in 1...3 {
            probe.respond(StreamID(UInt32(number)), "HTTP/1.1 200 OK|Content-Length: 100000||")
            probe.send(StreamID(UInt32(number)), bytes: bytes(100_000))
            probe.finish(StreamID(UInt32(number)))
        }
        var begun = [try #require(probe.frame()).prefix(5)]
        for number in 4...6 {
            probe.respond(StreamID(UInt32(number)), "HTTP/1.1 204 No Content||", isLast: true)
        }
        begun += probe.written().filter { $0.hasPrefix("<") }.map { $0.prefix(5) }
        #expect(begun == ["<0001", "<0004", "<0005", "<0006", "<0002", "<0003"])
    }

    @Test func aLargeMessageHasItsTurnHoweverManySmallOnesThereAre() throws {
        let probe = try MessageProbe(.acceptor)
        let head = "GET / HTTP/1.1|Host: a||"
        try probe.receive("0001" + head)
        for number in 16...255 { try probe.receive("00\(String(number, radix: 16))" + head) }
        probe.respond(StreamID(1), "HTTP/1.1 200 OK|Content-Length: 100000||")
        probe.send(StreamID(1), bytes: bytes(100_000))
        probe.finish(StreamID(1))
        for number in 2...241 {
            probe.respond(StreamID(UInt32(number)), "HTTP/1.1 200 OK|Content-Length: 10000||")
            probe.send(StreamID(UInt32(number)), bytes: bytes(10_000))
            probe.finish(StreamID(UInt32(number)))
        }
        let begun = probe.written().filter { $0.hasPrefix("<") }
        #expect(begun.count == 241)
        #expect(begun.firstIndex { $0.hasPrefix("<0001") } == (1 << 20) / 10_000 + 1)
    }

    @Test func eachAnswerHasAnAllowanceOfItsOwn() throws {
        let probe = try asked(4)
        for number in 1...3 {
            try probe.receive("000\(number)" + answer + String(repeating: "x", count: 2000), isLast: false)
            #expect(probe.urgency == .seconds(3), "the one before has used up its own alone")
            probe.advance(.seconds(3))
            probe.tick()
            #expect(try probe.events() == ["\(number) reset tooSlow"])
            try probe.receive("")
        }
    }

    @Test func aReaderThatGoesOnLives() throws {
        let probe = try asked(2)
        try probe.receive("0001" + answer, isLast: false)
        for _ in 0..<40 {
            _ = try probe.receive(bytes(256 << 10))
            probe.advance(.seconds(0.9))
            probe.tick()
            probe.consumed(StreamID(1), 256 << 10)
            #expect(try probe.events() == [])
        }
    }

    @Test func whatAnotherReaderTakesEarnsNothing() throws {
        let probe = try MessageProbe(.acceptor, limits: limits(), budget: 0)
        let head = "POST / HTTP/1.1|Host: a|Content-Length: "
        try probe.receive("0001\(head)900||" + String(repeating: "x", count: 900))
        try probe.receive("0002\(head)99999||" + String(repeating: "x", count: 2000), isLast: false)
        #expect(probe.urgency == .seconds(3))
        probe.advance(.seconds(2))
        probe.consumed(StreamID(2), 1500)
        #expect(try probe.events() == [])
        #expect(probe.urgency == nil)
        probe.consumed(StreamID(1), 1 << 20)
        _ = try probe.receive(bytes(2000))
        #expect((probe.urgency ?? .zero) < .seconds(1.1))
    }

    @Test func aRequestBodyThatNobodyTakesHoldsUpAServersOthers() throws {
        let probe = try MessageProbe(.acceptor, limits: limits(), budget: 0)
        try probe.receive("0001GET / HTTP/1.1|Host: a||")
        try probe.receive(
            "0002POST / HTTP/1.1|Host: a|Content-Length: 9999||" + String(repeating: "x", count: 2000),
            isLast: false)
        probe.advance(.seconds(3))
        probe.tick()
        #expect(try probe.events() == ["2 reset tooSlow"])
        #expect(probe.written().filter { $0 != "ping" }.map { $0.prefix(17) } == ["<0002HTTP/1.1 502"])
    }

    // MARK: Sending

    /// A client on which an answer in parts has the connection, and another is whole.
    private func occupied() throws -> MessageProbe {
        let probe = try MessageProbe(.acceptor)
        probe.tick()
        try probe.receive("0001GET / HTTP/1.1|Host: a||")
        probe.respond(StreamID(1), liveAnswer)
        #expect(probe.written() == ["ping", "<0001" + liveBegin])
        #expect(probe.isOccupied)
        try probe.receive("0002GET / HTTP/1.1|Host: a||")
        #expect(probe.urgency == nil)
        probe.respond(StreamID(2), "HTTP/1.1 204 No Content||", isLast: true)
        #expect(probe.written() == [])
        #expect(try probe.events() == [])
        return probe
    }

    @Test func anAnswerThatStopsIsCutForTheOthers() throws {
        let probe = try occupied()
        #expect(probe.urgency == .seconds(3))
        probe.advance(.milliseconds(2999))
        probe.tick()
        #expect(probe.written() == [])
        probe.advance(.milliseconds(1))
        probe.tick()
        #expect(probe.written() == [">", "<0002HTTP/1.1 204 No Content||>"])
        #expect(try probe.events() == ["1 reset tooSlow"])
        #expect(probe.streamCount == 0 && probe.numbersInUse == 0 && !probe.isOccupied)
        #expect(probe.urgency == nil)
    }

    @Test func anAnswerThatMovesKeepsTheConnection() throws {
        let probe = try occupied()
        for _ in 0..<40 {
            probe.advance(.seconds(0.9))
            probe.tick()
            probe.send(StreamID(1), bytes: bytes(256 << 10))
            #expect(probe.written(budget: 1 << 20).filter { $0 != "ping" }.count == 1)
            #expect(try probe.events() == ["1 writable"])
        }
        probe.finish(StreamID(1))
        #expect(probe.written() == ["0||>", "<0002HTTP/1.1 204 No Content||>"])
    }

    @Test func anAnswerThatTricklesIsCut() throws {
        let probe = try occupied()
        var seconds = 0
        while probe.machine.streams[StreamID(1)] != nil, seconds < 100 {
            seconds += 1
            probe.advance(.seconds(1))
            probe.tick()
            probe.send(StreamID(1), "x")
            _ = probe.written()
            _ = try probe.events()
        }
        #expect((3...4).contains(seconds))
    }

    @Test func anUploadThatStopsIsCutForTheOthers() throws {
        let probe = try MessageProbe(.opener, limits: limits(), budget: 0)
        let slow = try #require(probe.open("POST / HTTP/1.1|Host: a||", isLast: false))
        probe.send(slow, bytes: bytes(2000))
        #expect(probe.written().count == 1)
        let other = try #require(probe.open())
        #expect(try probe.events() == ["\(slow) writable"])
        #expect(probe.written() == [])
        probe.advance(.seconds(3))
        probe.tick()
        #expect(try probe.events() == ["\(slow) reset tooSlow"])
        #expect(probe.written() == [">", "<0002GET / HTTP/1.1|Host: a||>"])
        #expect(probe.untouched.isEmpty && probe.machine.streams[other] != nil)
    }

    @Test func aSmallUploadIsKeptUntilItIsWhole() throws {
        let probe = try MessageProbe(.opener)
        let slow = try #require(probe.open("POST / HTTP/1.1|Host: a||", isLast: false))
        probe.send(slow, "a little")
        let other = try #require(probe.open())
        #expect(probe.written() == ["<0002GET / HTTP/1.1|Host: a||>"])
        #expect(probe.untouched == [slow] && other == StreamID(2))
        for _ in 0..<5 {
            probe.advance(.seconds(5))
            probe.machine.heard(now: probe.now)
            probe.tick()
        }
        #expect(probe.written() == [] && !probe.isOccupied)
        probe.finish(slow)
        #expect(probe.written().count == 1)
    }
}
