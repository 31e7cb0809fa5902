import NIOCore
import Testing

@testable import TunnelProtocol

/// Keepalive and the end of sessions of protocol v1, by a clock moved by hand.
@Suite struct MessageLifeTests {
    @Test func aClientPingsAtOnceAndAtEachInterval() throws {
        let probe = try MessageProbe(.acceptor)
        for _ in 0..<10 {
            #expect(probe.tick() == probe.now.advanced(by: .seconds(10)))
            #expect(probe.written() == ["ping"])
            probe.machine.heard(now: probe.now)
            probe.advance(.milliseconds(9900))
            probe.tick()
            #expect(probe.written() == [])
            probe.advance(.milliseconds(100))
        }
    }

    @Test func aServerNeverPings() throws {
        let probe = try MessageProbe(.opener)
        for _ in 0..<10 {
            probe.advance(.seconds(29))
            #expect(probe.tick() == probe.now.advanced(by: .seconds(1)))
            #expect(!probe.hasSomethingToWrite)
            probe.machine.heard(now: probe.now)
        }
        #expect(!probe.canProbe)
        #expect(try MessageProbe(.acceptor).canProbe)
    }

    @Test(arguments: [SessionRole.opener, .acceptor]) func aSilentPeerIsDeadAfterTheTimeout(
        _ role: SessionRole
    )
        throws
    {
        let probe = try MessageProbe(role, limits: SessionLimits(keepaliveTimeout: .seconds(6)))
        probe.advance(.milliseconds(5900))
        #expect(probe.tick() != nil)
        probe.advance(.milliseconds(100))
        #expect(probe.tick() == nil)
    }

    @Test func aShorterTimeoutCountsFromNowOnAndPingsSooner() throws {
        let probe = try MessageProbe(.acceptor, limits: SessionLimits(keepaliveTimeout: .seconds(600)))
        probe.tick()
        _ = probe.written()
        probe.advance(.seconds(150))
        probe.setKeepaliveTimeout(.seconds(6))
        // The peer was silent for longer, as it was allowed to.
        #expect(probe.tick() == probe.now.advanced(by: .seconds(2)))
        probe.advance(.seconds(2))
        probe.tick()
        #expect(probe.written() == ["ping"])
        probe.advance(.seconds(4))
        #expect(probe.tick() == nil)
    }

    @Test(arguments: [SessionRole.opener, .acceptor]) func aLongerTimeoutKeepsASilentPeer(_ role: SessionRole)
        throws
    {
        let probe = try MessageProbe(role, limits: SessionLimits(keepaliveTimeout: .seconds(6)))
        probe.advance(.seconds(5))
        probe.setKeepaliveTimeout(.seconds(60))
        probe.advance(.seconds(59))
        #expect(probe.tick() != nil)
        probe.advance(.seconds(1))
        #expect(probe.tick() == nil)
    }

    @Test func anythingHeardKeepsThePeerAlive() throws {
        let probe = try MessageProbe(.opener)
        for _ in 0..<10 {
            probe.advance(.seconds(29))
            #expect(probe.tick() != nil)
            // Of an answer that nobody waits for.
            try probe.receive("0001", isLast: false)
        }
        probe.advance(.milliseconds(29_900))
        #expect(probe.tick() != nil)
        probe.advance(.milliseconds(100))
        #expect(probe.tick() == nil)
    }

    @Test func aPingGoesBetweenTheFragmentsOfAMessage() throws {
        let probe = try MessageProbe(.acceptor)
        try probe.receive("0001GET / HTTP/1.1|Host: a||")
        probe.respond(StreamID(1), liveAnswer)
        #expect(probe.written().count == 1)
        probe.machine.sendPing(now: probe.now)
        probe.send(StreamID(1), "x")
        #expect(probe.written() == ["ping", "1|x|"])
    }

    // MARK: Draining

    @Test func aServerThatLeavesOpensNothingAndFinishesWhatItHas() throws {
        let probe = try MessageProbe(.opener)
        let sent = try #require(probe.open())
        _ = probe.written()
        let waiting = try #require(probe.open())
        probe.drain()
        #expect(probe.open() == nil)
        #expect(probe.isDraining && !probe.isDrained)
        #expect(probe.written().count == 1)
        try probe.receive("0002HTTP/1.1 204 No Content||")
        #expect(!probe.isDrained)
        try probe.receive("0001HTTP/1.1 204 No Content||")
        #expect(probe.isDrained && sent < waiting)
    }

    @Test func aCutMessageIsEndedBeforeTheSessionIs() throws {
        var limits = SessionLimits()
        limits.minimumWindow = 10
        limits.v1.maximumSpilledBytes = 0
        let probe = try MessageProbe(.opener, limits: limits, budget: 0)
        let id = try #require(probe.open("POST / HTTP/1.1|Host: a||", isLast: false))
        probe.send(id, bytes: bytes(100))
        _ = probe.written()
        probe.drain()
        probe.reset(id)
        #expect(!probe.isDrained)
        #expect(probe.written() == [">"])
        #expect(probe.isDrained)
    }

    @Test func aClientThatLeavesServesWhatComesUntilNothingIsOpen() throws {
        let probe = try MessageProbe(.acceptor)
        try probe.receive("0001GET / HTTP/1.1|Host: a||")
        probe.drain()
        #expect(!probe.isDrained)
        #expect(try probe.receive("0002GET / HTTP/1.1|Host: a||").count == 1)
        for id in 1...2 {
            #expect(!probe.isDrained)
            probe.respond(StreamID(UInt32(id)), "HTTP/1.1 204 No Content||", isLast: true)
            #expect(probe.written().count == 1)
        }
        #expect(probe.isDrained)
    }

    @Test func aClientThatLeavesWaitsForARequestThatHasBegunToCome() throws {
        let message = wire("0001GET / HTTP/1.1|Host: a||")
        for length in 1..<message.readableBytes {
            let probe = try MessageProbe(.acceptor)
            let parts = halves(message, at: length)
            _ = try probe.receive(parts[0])
            probe.drain()
            #expect(!probe.isDrained, "after \(length) bytes")
            #expect(
                MessageProbe.story(try probe.receive(parts[1])) == ["1 request GET / HTTP/1.1|Host: a|| last"]
            )
            #expect(try probe.endMessage() == [])
            probe.respond(StreamID(1), "HTTP/1.1 204 No Content||", isLast: true)
            _ = probe.written()
            #expect(probe.isDrained)
        }
    }
}
