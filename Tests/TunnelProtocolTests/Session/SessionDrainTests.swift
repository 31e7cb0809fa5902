import NIOCore
import Testing

@testable import TunnelProtocol

/// Leaving: announced, confirmed, finished.
@Suite struct SessionDrainTests {
    private let head = SessionProbe.head

    private func ping(in frames: [MuxFrame]) throws -> UInt64 {
        guard case .ping(let clock)? = frames.last else { throw MuxError.malformedFrame }
        return clock
    }

    @Test func anAcceptorIsDrainedOnceEveryRequestSentBeforeHasCome() throws {
        let probe = try SessionProbe(.acceptor)
        probe.drain()
        let written = probe.written()
        #expect(written.first == .goAway(lastTaken: StreamID(UInt32(Int32.max)), reason: "reload"))
        let clock = try ping(in: written)
        #expect(!probe.isDrained, "a request may be on its way")
        try probe.take(1, isLast: true)
        try probe.receive(.pong(clock))
        #expect(!probe.isDrained)
        // What the peer sends although it knows is not taken.
        try probe.take(2, isLast: true)
        #expect(probe.written() == [.reset(StreamID(2), .refused, reason: "draining")])
        probe.respond(StreamID(1), isLast: true)
        #expect(!probe.isDrained, "the answer is not written")
        _ = probe.written()
        #expect(probe.isDrained)
    }

    @Test func theAnswerToAnOlderPingConfirmsNothing() throws {
        let probe = try SessionProbe(.acceptor, isReady: false)
        // The first ping, and one that is due, of the very instant of the drain.
        let first = try ping(in: probe.written())
        try probe.receive(.settings(SessionProbe.settings))
        probe.drain()
        let second = try ping(in: probe.written())
        #expect(first != second)
        try probe.receive(.pong(first))
        try probe.take(1, isLast: true)
        #expect(probe.streamCount == 1)
        try probe.receive(.pong(second))
        try probe.take(2, isLast: true)
        #expect(probe.streamCount == 1)
    }

    @Test func anOpenerIsDrainedWithItsLastStream() throws {
        let probe = try SessionProbe(.opener)
        let id = try probe.openAnswered(isLast: true)
        probe.drain()
        #expect(probe.open(isLast: true) == nil)
        _ = probe.written()
        #expect(!probe.isDrained)
        try probe.receive(.data(id, bytes(1), isLast: true))
        #expect(probe.isDrained)
    }

    @Test func aPeersGoAwayEndsWhatItDidNotTake() throws {
        let probe = try SessionProbe(.opener)
        let taken = try #require(probe.open(isLast: true))
        let answered = try #require(probe.open(isLast: true))
        try probe.receive(.response(answered, head: head, isInterim: true, isLast: false))
        let fresh = try #require(probe.open(isLast: true))
        let events = try probe.receive(.goAway(lastTaken: taken, reason: "reload"))
        #expect(
            events == [
                .peerDraining(reason: "reload"), .reset(answered, .internalError, reason: "reload"),
                .reset(fresh, .refused, reason: "reload"),
            ])
        #expect(probe.isPeerDraining)
        #expect(probe.open(isLast: true) == nil)
        #expect(probe.streamCount == 1)
        try probe.receive(.response(taken, head: head, isInterim: false, isLast: true))
        _ = probe.written()
        #expect(probe.isDrained)
        #expect(probe.budget.taken == 0)
    }

    @Test func drainingTwiceIsSaidOnce() throws {
        let probe = try SessionProbe(.acceptor)
        probe.drain()
        #expect(probe.written().count == 2)
        probe.drain()
        #expect(!probe.hasSomethingToWrite)
    }

    @Test func anAcceptorWhosePeerLeavesIsNotDrainedByThat() throws {
        let probe = try SessionProbe(.acceptor)
        try probe.receive(.goAway(lastTaken: StreamID(0), reason: "bye"))
        #expect(probe.isPeerDraining)
        #expect(!probe.isDrained, "the opener closes when it is through")
    }
}
