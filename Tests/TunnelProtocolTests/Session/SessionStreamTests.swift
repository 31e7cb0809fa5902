import NIOCore
import Testing

@testable import TunnelProtocol

/// The life of single streams.
@Suite struct SessionStreamTests {
    private let head = SessionProbe.head

    @Test func settingsAndAPingAreWrittenFirst() throws {
        let probe = try SessionProbe(.acceptor, isReady: false)
        let limits = SessionLimits()
        var announced = SessionProbe.settings
        announced.maximumStreams = limits.maximumStreams
        announced.initialWindow = limits.minimumWindow
        #expect(probe.written() == [.settings(announced), .ping(probe.now.nanoseconds)])
    }

    @Test func noStreamIsOpenedBeforeThePeersSettings() throws {
        let probe = try SessionProbe(.opener, isReady: false)
        #expect(probe.open(isLast: true) == nil)
        try probe.receive(.settings(SessionProbe.settings))
        #expect(probe.open(isLast: true) == StreamID(1))
    }

    @Test func noMoreStreamsAreOpenedThanThePeerTakes() throws {
        var peer = SessionProbe.settings
        peer.maximumStreams = 2
        let probe = try SessionProbe(.opener, peer: peer)
        let first = try probe.openAnswered(isLast: true)
        #expect(probe.open(isLast: true) != nil)
        #expect(probe.open(isLast: true) == nil)
        try probe.receive(.data(first, ByteBuffer(), isLast: true))
        #expect(probe.open(isLast: true) == StreamID(3))
        #expect(probe.streamCount == 2)
    }

    @Test func anExchangeGoesThroughAndLeavesNothing() throws {
        let probe = try SessionProbe(.opener)
        let id = try #require(probe.open(isLast: false))
        #expect(probe.send(id, bytes(3)))
        probe.finish(id, trailers: ByteBuffer(string: "a: b\r\n"))
        #expect(
            probe.written() == [
                .request(id, window: 256 << 10, head: head, isLast: false),
                .data(id, bytes(3), isLast: false),
                .trailers(id, ByteBuffer(string: "a: b\r\n")),
            ])
        #expect(probe.streamCount == 1)
        let events = try probe.receive(
            .response(id, head: head, isInterim: true, isLast: false),
            .response(id, head: head, isInterim: false, isLast: false), .data(id, bytes(2), isLast: false),
            .trailers(id, ByteBuffer(string: "c: d\r\n")))
        #expect(
            events == [
                .response(id, head: head, isInterim: true, isLast: false),
                .response(id, head: head, isInterim: false, isLast: false),
                .data(id, bytes(2), isLast: false),
                .trailers(id, ByteBuffer(string: "c: d\r\n")),
            ])
        #expect(probe.streamCount == 0)
        probe.consumed(id, 2)
        #expect(probe.budget.taken == 0)
        #expect(!probe.hasSomethingToWrite)
    }

    @Test func whatIsSentBeyondTheCreditWaitsForIt() throws {
        let probe = try SessionProbe(.acceptor)
        try probe.take(1, window: 10, isLast: true)
        probe.respond(StreamID(1), isLast: false)
        #expect(probe.send(StreamID(1), bytes(25)))
        probe.finish(StreamID(1))
        #expect(probe.written().last == .data(StreamID(1), bytes(10), isLast: false))
        #expect(!probe.hasSomethingToWrite)
        try probe.receive(.window(StreamID(1), 15))
        #expect(probe.written() == [.data(StreamID(1), bytes(15), isLast: true)])
        #expect(probe.streamCount == 0)
    }

    /// What came from an origin before it failed is its answer as far as there is one.
    @Test func aStreamThatBreaksOffEndsBehindWhatWaits() throws {
        let probe = try SessionProbe(.acceptor)
        let id = StreamID(1)
        try probe.take(1, window: 10, isLast: false)
        probe.respond(id, isLast: false)
        #expect(probe.send(id, bytes(25)))
        probe.breakOff(id, .originFailed, reason: "it broke")
        #expect(probe.written().last == .data(id, bytes(10), isLast: false))
        // The rest of the request is not wanted, and what would be sent behind the end is dropped.
        #expect(try probe.receive(.data(id, bytes(3), isLast: false)) == [])
        #expect(probe.send(id, bytes(9)))
        #expect(!probe.hasSomethingToWrite)
        try probe.receive(.window(id, 15))
        #expect(
            probe.written() == [
                .data(id, bytes(15), isLast: false), .reset(id, .originFailed, reason: "it broke"),
            ])
        #expect(probe.streamCount == 0)
        #expect(probe.budget.taken == 0)
        // It may even have been answered in full.
        try probe.take(3, window: 10, isLast: false)
        probe.respond(StreamID(3), isLast: true)
        probe.breakOff(StreamID(3), .originFailed, reason: "")
        #expect(probe.written().last == .reset(StreamID(3), .originFailed, reason: ""))
        #expect(probe.streamCount == 0)
    }

    @Test func anEndNeedsNoCredit() throws {
        let probe = try SessionProbe(.acceptor)
        try probe.take(1, window: 0, isLast: true)
        probe.respond(StreamID(1), isLast: false)
        probe.finish(StreamID(1))
        #expect(probe.written().last == .data(StreamID(1), ByteBuffer(), isLast: true))
    }

    @Test func aSenderThatWaitsIsToldEvenIfItSendsOn() throws {
        var limits = SessionLimits()
        (limits.sendHighWater, limits.sendLowWater, limits.turnBytes) = (100, 20, 45)
        let probe = try SessionProbe(.opener, limits: limits)
        let id = try #require(probe.open(isLast: false))
        #expect(probe.send(id, bytes(99)))
        #expect(!probe.send(id, bytes(1)))
        _ = probe.message(budget: 30)
        #expect(try probe.events() == [])
        // 55 bytes wait: a piece more must not call the waiting off.
        #expect(!probe.send(id, bytes(1)))
        #expect(!probe.send(id, ByteBuffer()))
        _ = probe.written()
        #expect(try probe.events() == [.writable(id)])
        #expect(probe.send(id, bytes(1)))
    }

    @Test func aRestThatIsNotNeededIsDroppedAndThePeerTold() throws {
        let probe = try SessionProbe(.acceptor)
        try probe.take(1)
        probe.ignoreRest(StreamID(1))
        #expect(try probe.receive(.data(StreamID(1), bytes(5), isLast: false)) == [])
        probe.respond(StreamID(1), isLast: false)
        #expect(probe.send(StreamID(1), bytes(3)))
        probe.finish(StreamID(1))
        let written = probe.written()
        #expect(written.suffix(2).first == .data(StreamID(1), bytes(3), isLast: true))
        #expect(written.last == .reset(StreamID(1), .noError, reason: ""))
        #expect(probe.streamCount == 0)
        #expect(probe.budget.taken == 0)
        #expect(try probe.receive(.data(StreamID(1), bytes(5), isLast: true)) == [])
    }

    @Test func aRestThatIsNotNeededAfterTheEndIsToldAtOnce() throws {
        let probe = try SessionProbe(.acceptor)
        try probe.take(1)
        probe.respond(StreamID(1), isLast: true)
        probe.ignoreRest(StreamID(1))
        #expect(probe.written().last == .reset(StreamID(1), .noError, reason: ""))
        #expect(probe.streamCount == 0)
    }

    @Test func aWholeRequestIgnoredEndsWithoutAReset() throws {
        let probe = try SessionProbe(.acceptor)
        try probe.take(1)
        probe.ignoreRest(StreamID(1))
        try probe.receive(.data(StreamID(1), bytes(5), isLast: true))
        probe.respond(StreamID(1), isLast: true)
        let written = probe.written()
        #expect(written.last == .response(StreamID(1), head: head, isInterim: false, isLast: true))
        #expect(probe.streamCount == 0)
    }

    @Test func noErrorAfterAWholeAnswerOnlyWakesASenderThatWaits() throws {
        let probe = try SessionProbe(.opener)
        let quiet = try probe.openAnswered()
        try probe.receive(.data(quiet, bytes(1), isLast: true))
        #expect(try probe.receive(.reset(quiet, .noError, reason: "")) == [])
        let waiting = try probe.openAnswered()
        #expect(!probe.send(waiting, bytes(1 << 20)))
        try probe.receive(.data(waiting, bytes(1), isLast: true))
        #expect(try probe.receive(.reset(waiting, .noError, reason: "")) == [.writable(waiting)])
        #expect(probe.send(waiting, bytes(1 << 20)), "what comes now is dropped")
        #expect(probe.streamCount == 0)
        #expect(probe.budget.taken == 0)
    }

    @Test func noErrorBeforeTheEndOfTheAnswerIsTold() throws {
        let probe = try SessionProbe(.opener)
        let id = try probe.openAnswered()
        #expect(
            try probe.receive(.reset(id, .noError, reason: "x")) == [.reset(id, .noError, reason: "x")])
    }

    @Test func anAcceptorIsToldOfEveryReset() throws {
        let probe = try SessionProbe(.acceptor)
        try probe.take(1, isLast: true)
        let events = try probe.receive(.reset(StreamID(1), .noError, reason: ""))
        #expect(events == [.reset(StreamID(1), .noError, reason: "")])
    }

    @Test func aRefusalAfterAnAnswerIsNoneToSendAgain() throws {
        let probe = try SessionProbe(.opener)
        let answered = try probe.openAnswered()
        let fresh = try #require(probe.open(isLast: true))
        #expect(
            try probe.receive(.reset(answered, .refused, reason: ""), .reset(fresh, .refused, reason: ""))
                == [
                    .reset(answered, .internalError, reason: ""), .reset(fresh, .refused, reason: ""),
                ])
    }

    @Test func ourResetEndsTheStreamAndLateFramesAreDropped() throws {
        let probe = try SessionProbe(.opener)
        let id = try probe.openAnswered()
        #expect(probe.send(id, bytes(10)))
        probe.reset(id, .cancelled, reason: "the caller left")
        #expect(probe.written().last == .reset(id, .cancelled, reason: "the caller left"))
        #expect(
            try probe.receive(
                .data(id, bytes(10), isLast: false), .window(id, 5), .trailers(id, ByteBuffer()),
                .reset(id, .originFailed, reason: "")) == [])
        #expect(probe.send(id, bytes(10)))
        probe.consumed(id, 10)
        probe.finish(id)
        probe.reset(id, .cancelled)
        #expect(!probe.hasSomethingToWrite)
    }

    @Test func aHeadTooLargeIsRefusedHere() throws {
        var limits = SessionLimits()
        limits.maximumHeadBytes = 100
        let opener = try SessionProbe(.opener, limits: limits)
        #expect(opener.open(head: bytes(101), isLast: true) == nil)
        let acceptor = try SessionProbe(.acceptor, limits: limits)
        try acceptor.take(1)
        acceptor.respond(StreamID(1), head: bytes(101), isInterim: false, isLast: true)
        guard case .reset(StreamID(1), .malformedMessage, _)? = acceptor.written().last else {
            Issue.record("no reset")
            return
        }
    }

    @Test func aSessionWithoutIdentifiersDrains() throws {
        var limits = SessionLimits()
        limits.highestStream = 2
        let probe = try SessionProbe(.opener, limits: limits)
        for number in 1...2 as ClosedRange<UInt32> {
            let id = try probe.openAnswered(isLast: true)
            #expect(id == StreamID(number))
            try probe.receive(.data(id, ByteBuffer(), isLast: true))
        }
        #expect(!probe.isDraining)
        #expect(probe.open(isLast: true) == nil)
        #expect(probe.isDraining)
        _ = probe.written()
        #expect(probe.isDrained)
    }

    @Test(arguments: [true, false]) func aSessionThatIsLostGivesItsWindowsBack(grows: Bool) throws {
        let probe = try SessionProbe(.acceptor)
        for number in 1...5 as ClosedRange<UInt32> {
            try probe.take(number)
            try probe.receive(.data(StreamID(number), bytes(200_000), isLast: false))
            if grows { probe.consumed(StreamID(number), 200_000) }
        }
        #expect(probe.budget.taken == 5 * (grows ? 448 << 10 : 192 << 10))
        probe.machine.close()
        #expect(probe.budget.taken == 0)
    }
}
