import NIOCore
import Testing

@testable import TunnelProtocol

/// Pings, round trips and death, by a clock moved by hand.
@Suite struct SessionKeepaliveTests {
    private func pings(_ frames: [MuxFrame]) -> Int {
        frames.count { frame in
            if case .ping = frame { true } else { false }
        }
    }

    @Test func pingsGoOutAtEachInterval() throws {
        let probe = try SessionProbe(.acceptor)
        let start = probe.now
        #expect(probe.tick() == start.advanced(by: .seconds(10)))
        #expect(!probe.hasSomethingToWrite)
        for _ in 0..<20 {
            probe.advance(.seconds(10))
            let next = probe.tick()
            #expect(next == probe.now.advanced(by: .seconds(10)))
            #expect(pings(probe.written()) == 1)
            try probe.receive(.pong(0))
        }
    }

    @Test func aServerAsksNobodyWhoseOwnPingsTell() throws {
        let probe = try SessionProbe(.opener)
        for _ in 0..<20 {
            probe.advance(.seconds(10))
            try probe.receive(.ping(1))
            #expect(probe.tick() == probe.now.advanced(by: .seconds(12)))
            #expect(pings(probe.written()) == 0)
        }
    }

    @Test func aServerAsksAClientThatFellSilentTwice() throws {
        let probe = try SessionProbe(.opener)
        probe.advance(.seconds(11.9))
        #expect(probe.tick() == probe.now.advanced(by: .seconds(0.1)))
        #expect(pings(probe.written()) == 0)
        probe.advance(.seconds(0.1))
        #expect(probe.tick() == probe.now.advanced(by: .seconds(10)))
        probe.advance(.seconds(10))
        #expect(probe.tick() == probe.now.advanced(by: .seconds(8)))
        #expect(pings(probe.written()) == 2)
        probe.advance(.seconds(8))
        #expect(probe.tick() == nil)
    }

    @Test func aServerWithAStreamPingsAtEachInterval() throws {
        let probe = try SessionProbe(.opener)
        _ = try #require(probe.open(isLast: true))
        _ = probe.written()
        for _ in 0..<3 {
            probe.advance(.seconds(10))
            try probe.receive(.ping(1))
            _ = probe.tick()
            #expect(pings(probe.written()) == 1)
        }
    }

    @Test func aSilentPeerIsDeadAfterTheTimeout() throws {
        let probe = try SessionProbe(.acceptor)
        probe.advance(.seconds(29.5))
        #expect(probe.tick() == probe.now.advanced(by: .seconds(0.5)))
        probe.advance(.seconds(0.5))
        #expect(probe.tick() == nil)
    }

    @Test func anythingHeardKeepsThePeerAlive() throws {
        let probe = try SessionProbe(.acceptor)
        for _ in 0..<10 {
            probe.advance(.seconds(29))
            #expect(probe.tick() != nil)
            probe.machine.receive(ByteBuffer(), now: probe.now)
        }
        probe.advance(.seconds(30))
        #expect(probe.tick() == nil)
    }

    @Test(arguments: [(1, 3), (3, 3), (45, 45), (600, 600), (10_000, 600), (-5, 3)])
    func theTimeoutStaysWithinItsBounds(wanted: Int, held: Int) {
        let limits = SessionLimits(keepaliveTimeout: .seconds(wanted))
        #expect(limits.keepaliveTimeout == .seconds(held))
        #expect(limits.keepaliveInterval == .seconds(held) / 3)
    }

    @Test func aShorterTimeoutCountsFromNowOnAndPingsSooner() throws {
        let probe = try SessionProbe(.opener, limits: SessionLimits(keepaliveTimeout: .seconds(600)))
        probe.advance(.seconds(150))
        probe.setKeepaliveTimeout(.seconds(6))
        // The peer was silent for longer, as it was allowed to.
        #expect(probe.tick() == probe.now.advanced(by: .seconds(2)))
        probe.advance(.seconds(2))
        #expect(probe.tick() == probe.now.advanced(by: .seconds(2)))
        #expect(pings(probe.written()) == 1)
        probe.advance(.milliseconds(3900))
        #expect(probe.tick() != nil)
        probe.advance(.milliseconds(100))
        #expect(probe.tick() == nil)
    }

    @Test func aLongerTimeoutKeepsASilentPeer() throws {
        let probe = try SessionProbe(.acceptor, limits: SessionLimits(keepaliveTimeout: .seconds(6)))
        probe.advance(.seconds(5))
        probe.setKeepaliveTimeout(.seconds(60))
        probe.advance(.seconds(59))
        #expect(probe.tick() == probe.now.advanced(by: .seconds(1)))
        probe.advance(.seconds(1))
        #expect(probe.tick() == nil)
    }

    @Test(arguments: [(1, 3), (10_000, 600)]) func aNewTimeoutStaysWithinTheBounds(wanted: Int, held: Int)
        throws
    {
        let probe = try SessionProbe(.opener)
        probe.setKeepaliveTimeout(.seconds(wanted))
        probe.advance(.seconds(held) - .milliseconds(1))
        #expect(probe.tick() != nil)
        probe.advance(.milliseconds(1))
        #expect(probe.tick() == nil)
    }

    @Test func theRoundTripIsFromAPingToItsAnswer() throws {
        let probe = try SessionProbe(.opener, isReady: false)
        let start = probe.now
        try probe.receive(.settings(SessionProbe.settings))
        #expect(probe.roundTrip == nil)
        probe.advance(.milliseconds(30))
        try probe.receive(.pong(start.nanoseconds))
        #expect(probe.roundTrip == .milliseconds(30))
    }

    @Test(arguments: [0, 1, 999_999_999, 1_000_000_001, UInt64.max])
    func aPongThatAnswersNothingMeasuresNothing(clock: UInt64) throws {
        let probe = try SessionProbe(.opener)
        probe.advance(.milliseconds(30))
        try probe.receive(.pong(clock))
        #expect(probe.roundTrip == nil)
        let sent = MonotonicInstant(nanoseconds: 1_000_000_000)
        try probe.receive(.pong(sent.nanoseconds))
        probe.advance(.seconds(5))
        try probe.receive(.pong(sent.nanoseconds))
        #expect(probe.roundTrip == .milliseconds(30), "the second answer to one ping counts for nothing")
    }

    @Test func pingsAreAnsweredWithTheirClock() throws {
        let probe = try SessionProbe(.acceptor)
        try probe.receive(.ping(7), .ping(.max))
        #expect(probe.written() == [.pong(7), .pong(.max)])
    }
}
