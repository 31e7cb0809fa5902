import NIOCore
import Testing

@testable import TunnelProtocol

/// What a peer may send, and when it may send more.
@Suite struct SessionWindowTests {
    /// Sends as much as the window has and takes it at once, again and again, each time so much later.
    ///
    /// - Returns: the windows that were granted, one after another.
    private func grants(_ probe: SessionProbe, every pause: Duration, times: Int) throws -> [Int] {
        let id = StreamID(1)
        var grants: [Int] = []
        var credit = 64 << 10
        try probe.take(1)
        for case .window(_, let increment) in probe.written() { credit += increment }
        for _ in 0..<times {
            probe.advance(pause)
            try probe.receive(data(id, credit))
            probe.consumed(id, credit)
            credit = 0
            for case .window(_, let increment) in probe.written() { credit += increment }
            grants.append(credit)
        }
        return grants
    }

    /// As many bytes in frames that a frame can hold.
    private func data(_ id: StreamID, _ count: Int) -> [MuxFrame] {
        stride(from: 0, to: count, by: 500_000).map {
            .data(id, bytes(min(500_000, count - $0)), isLast: false)
        }
    }

    private func probe(budget: Int = 1 << 30, roundTrip: Duration = .milliseconds(50)) throws -> SessionProbe
    {
        let probe = try SessionProbe(.acceptor, budget: budget)
        probe.advance(roundTrip)
        try probe.receive(.pong(1_000_000_000))
        #expect(probe.roundTrip == roundTrip)
        return probe
    }

    @Test func aWindowUsedUpWithinTwoRoundTripsDoublesUpToItsMaximum() throws {
        let grants = try grants(probe(), every: .milliseconds(60), times: 9)
        #expect(grants == [19, 20, 21, 22, 23, 24, 24, 24, 24].map { 1 << $0 })
    }

    @Test func aReaderThatIsSlowKeepsItsWindow() throws {
        let grants = try grants(probe(), every: .milliseconds(101), times: 9)
        #expect(grants == [Int](repeating: 256 << 10, count: 9))
    }

    @Test func aPeerThatAnswersPingsLateGetsNoLargeWindowForIt() throws {
        let grants = try grants(probe(roundTrip: .seconds(25)), every: .seconds(3), times: 9)
        #expect(grants == [Int](repeating: 256 << 10, count: 9))
    }

    @Test func windowsStayWithinTheBudget() throws {
        let probe = try probe(budget: 1_500_000)
        let grants = try grants(probe, every: .milliseconds(10), times: 9)
        #expect(grants.max() == 1 << 20)
        #expect(probe.budget.taken == (1 << 20) - (64 << 10))
        #expect(probe.budget.most <= 1_500_000)
    }

    @Test func withoutABudgetEveryStreamHasItsMinimum() throws {
        let probe = try SessionProbe(.acceptor, budget: 0)
        try probe.take(1)
        #expect(!probe.hasSomethingToWrite, "the minimum is known from the settings")
        try probe.receive(.data(StreamID(1), bytes(64 << 10), isLast: false))
        probe.consumed(StreamID(1), 64 << 10)
        #expect(probe.written() == [.window(StreamID(1), 64 << 10)])
    }

    @Test func smallReadsAreGrantedTogether() throws {
        let probe = try SessionProbe(.acceptor, budget: 0)
        try probe.take(1)
        try probe.receive(.data(StreamID(1), bytes(64 << 10), isLast: false))
        probe.advance(.seconds(5))
        for _ in 0..<31 { probe.consumed(StreamID(1), 1024) }
        #expect(!probe.hasSomethingToWrite)
        probe.consumed(StreamID(1), 1024)
        #expect(probe.written() == [.window(StreamID(1), 32 << 10)])
    }

    @Test func nothingIsGrantedAfterTheEnd() throws {
        let probe = try SessionProbe(.acceptor)
        try probe.take(1)
        _ = probe.written()
        try probe.receive(.data(StreamID(1), bytes(200_000), isLast: true))
        probe.consumed(StreamID(1), 200_000)
        #expect(!probe.hasSomethingToWrite)
    }

    @Test func theOpenerTellsItsWindowWithTheRequest() throws {
        let probe = try SessionProbe(.opener, budget: 240 << 10)
        let first = try #require(probe.open(isLast: true))
        let second = try #require(probe.open(isLast: true))
        #expect(
            probe.written() == [
                .request(first, window: 256 << 10, head: SessionProbe.head, isLast: true),
                .request(second, window: 16 << 10, head: SessionProbe.head, isLast: true),
            ])
    }

    @Test(arguments: [0, 1]) func aPeerMaySendItsWindowAndNoByteMore(surplus: Int) throws {
        let probe = try SessionProbe(.acceptor)
        try probe.take(1)
        let frame = MuxFrame.data(StreamID(1), bytes((256 << 10) + surplus), isLast: false)
        if surplus == 0 {
            #expect(try probe.receive(frame).count == 1)
        } else {
            #expect(throws: MuxError.flowControl) { try probe.receive(frame) }
        }
    }
}

/// What a reader still holds counts against the budget, also when its stream is over.
@Suite struct UnreadBudgetTests {
    /// A server's machine with one stream whose answer of so many bytes has come whole.
    private func probe(answer count: Int) throws -> (SessionProbe, StreamID) {
        let probe = try SessionProbe(.opener)
        let id = try #require(probe.open(isLast: true))
        #expect(probe.budget.taken > 0)
        let body = ByteBuffer(repeating: 0x61, count: count)
        try probe.receive(
            .response(id, head: SessionProbe.head, isInterim: false, isLast: false),
            .data(id, body, isLast: true))
        #expect(probe.streamCount == 0)
        return (probe, id)
    }

    @Test func theWindowIsGivenBackWhenEverythingWasTaken() throws {
        let (probe, id) = try probe(answer: 100_000)
        #expect(probe.budget.taken == 100_000 - (16 << 10), "only what lies unread needs memory")
        probe.consumed(id, 99_999)
        #expect(probe.budget.taken > 0)
        probe.consumed(id, 1)
        #expect(probe.budget.taken == 0)
    }

    @Test func aReaderThatLetsGoGivesItBackAtOnce() throws {
        let (probe, id) = try probe(answer: 100_000)
        #expect(probe.budget.taken > 0)
        probe.machine.forget(id)
        #expect(probe.budget.taken == 0)
    }

    @Test(arguments: [0, 1000, 16 << 10]) func aSmallAnswerHoldsNothing(_ count: Int) throws {
        let (probe, _) = try probe(answer: count)
        #expect(probe.budget.taken == 0)
        #expect(probe.unreadCount == 0)
    }
}
