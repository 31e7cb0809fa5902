import AgentStatus
import HostSystem
import NIOCore
import Observability
import TestSupport
import Testing

@testable import TunnelServer

/// Where the time of a request went, and what else a server counts of it, on a clock that the test moves.
@Suite struct RequestSplitTests {
    private static func measures(_ server: EmbeddedServer) -> RequestMeasures {
        server.core.counts[0].counts.measures
    }

    private static func ask(_ server: EmbeddedServer) throws -> EmbeddedCaller {
        let caller = try server.caller()
        try caller.ask()
        return caller
    }

    /// Microseconds of the origin that the client tells of half a second; those that are believed.
    @Test(arguments: [(300_000, 300_000), (UInt32.max, 500_000), (0, 0), (nil, nil)] as [(UInt32?, Int64?)])
    func theTimeBehindTheQueueIsSplit(said: UInt32?, origin: Int64?) throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let caller = try Self.ask(server)
            #expect(Self.measures(server).inFlight == 1)
            server.advance(.milliseconds(500))
            tunnel.answer(0, "200 OK|Content-Length: 2", originTime: said)
            tunnel.send(0, "hi")
            try server.run()
            #expect(try caller.received().hasSuffix("hi"))
            let measures = Self.measures(server)
            let tally = measures.requests
            #expect(measures.inFlight == 0 && tally.began == 1 && tally.statuses[200] == 1)
            #expect(tally.responseBytes == 2)
            #expect(tally.queue.count == 1 && tally.queue.sum == 0)
            #expect(tally.whole.count == 1 && tally.whole.sum == 500_000)
            // Who says nothing is an older client.
            #expect(tally.origin.count == (origin == nil ? 0 : 1) && tally.origin.sum == origin ?? 0)
            #expect(tally.tunnel.count == tally.origin.count)
            #expect(tally.tunnel.sum == origin.map { 500_000 - $0 } ?? 0)
        }
    }

    @Test func waitingForASessionIsTheQueues() throws {
        try EmbeddedServer.run { server in
            let first = try server.tunnel()
            first.breakDown()
            try server.run()
            let caller = try Self.ask(server)
            server.advance(.seconds(1))
            let tunnel = try server.tunnel()
            try server.run()
            server.advance(.milliseconds(50))
            tunnel.answer(0, "204 No Content", isLast: true, originTime: 30_000)
            try server.run()
            #expect(try caller.received().hasPrefix("HTTP/1.1 204"))
            let tally = Self.measures(server).requests
            #expect(tally.queue.sum == 1_000_000 && tally.origin.sum == 30_000)
            #expect(tally.tunnel.sum == 20_000 && tally.whole.sum == 1_050_000)
            #expect(server.core.incidents.counts.sessionEnds.values.reduce(0, +) == 1)
        }
    }

    @Test func whoIsRefusedIsCountedByTheReason() throws {
        try EmbeddedServer.run { server in
            let caller = try server.caller()
            try caller.send("GET / HTTP/1.1|Host: a||")
            try server.run()
            #expect(try caller.received().hasPrefix("HTTP/1.1 400"))
            _ = try Self.ask(server)
            let measures = Self.measures(server)
            #expect(measures.refusals == [.missingToken: 1, .tunnelNotFound: 1])
            #expect(measures.inFlight == 0 && measures.requests.began == 1)
            #expect(measures.requests.statuses[400] == 1 && measures.requests.statuses[404] == 1)
        }
    }

    @Test func roundTripsAreThoseOfThePings() throws {
        try EmbeddedServer.run { server in
            _ = try server.tunnel()
            #expect(Self.measures(server).roundTrip.count == 1)
        }
    }
}
