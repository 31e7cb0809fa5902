import NIOCore
import Testing
import TunnelProtocol

@testable import TunnelTransport

/// A session asks nothing of its carrier that only a WebSocket has.
@Suite struct SessionCarrierTests {
    private static let body = 30_000
    private static let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(body)\r\n\r\n"
    private static let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"

    /// Opens a stream and sends all of the request.
    private func ask(_ pair: MemoryPair, _ caller: RecordingReceiver) throws -> StreamID {
        let session = pair.server.session
        let id = try #require(
            session.open(head: ByteBuffer(string: Self.head), isLast: false, receiver: caller))
        _ = session.send(id, ByteBuffer(repeating: 7, count: Self.body))
        session.finish(id)
        return id
    }

    @Test(arguments: [false, true], [1, 2, .max]) func anExchangeCrosses(isOld: Bool, room: Int) throws {
        let (caller, taker) = (RecordingReceiver(), RecordingReceiver())
        let pair = MemoryPair(isOld: isOld, taker: taker)
        (pair.server.room, pair.client.room) = (room, room)
        let id = try ask(pair, caller)
        pair.run()
        #expect(taker.received == [UInt8](repeating: 7, count: Self.body))
        #expect(taker.events == [.end])

        let session = pair.client.session
        session.respond(id, head: ByteBuffer(string: Self.answer), isInterim: false, isLast: false)
        _ = session.send(id, ByteBuffer(string: "reply"))
        session.finish(id)
        pair.run()
        #expect(caller.text == "reply")
        #expect(caller.events == [.head(Self.answer, isInterim: false, isLast: false), .end])
    }

    @Test(arguments: [false, true]) func aCarrierThatTakesNothingHoldsEverythingBack(isOld: Bool) throws {
        let taker = RecordingReceiver()
        let pair = MemoryPair(isOld: isOld, taker: taker)
        pair.server.room = 0
        _ = try ask(pair, RecordingReceiver())
        pair.run()
        #expect(pair.clientOwner.events.count == 1 && taker.received.isEmpty)
        pair.server.room = 1
        pair.server.session.becameWritable()
        pair.run()
        #expect(taker.received.count == Self.body)
    }

    @Test(arguments: [false, true]) func aDrainedSessionClosesBothCarriers(isOld: Bool) {
        let pair = MemoryPair(isOld: isOld, taker: RecordingReceiver())
        pair.client.session.drain(reason: "test")
        pair.run()
        // In protocol v1 a server hears of it by the end of the carrier alone.
        let heard: SessionEnd = isOld ? .closedByPeer(code: 1001) : .drained
        #expect(pair.server.ends == [heard] && pair.serverOwner.ends == [heard])
        #expect(pair.client.session.state == (isOld ? .closing : .serving))
        pair.client.session.carrierEnded(.closedByPeer(code: 1001))
        #expect(pair.client.ends == [.drained] && pair.clientOwner.ends == [.drained])
    }

    @Test(arguments: [false, true]) func aLostCarrierEndsSessionAndStreams(isOld: Bool) throws {
        let (caller, taker) = (RecordingReceiver(), RecordingReceiver())
        let pair = MemoryPair(isOld: isOld, taker: taker)
        _ = try ask(pair, caller)
        pair.run()
        pair.server.session.carrierEnded(.connectionLost("gone"))
        #expect(caller.events == [.reset(.sessionLost, "gone")])
        #expect(pair.serverOwner.ends == [.connectionLost("gone")])
        #expect(pair.server.ends == [.connectionLost("gone")])
        #expect(pair.server.session.state == .over)
    }

    @Test func whoHasNoCarrierYetClosesItWhenItComes() {
        let pair = MemoryPair(isOld: false, taker: RecordingReceiver())
        let session = MuxSession(
            role: .acceptor, limits: SessionLimits(),
            settings: SessionSettings(maximumStreams: 1, initialWindow: 0, software: "test"),
            budget: ProcessReceiveBudget(), owner: RecordingOwner())
        session.close()
        let carrier = MemoryCarrier(session)
        session.carrierOpened(carrier, on: pair.loop)
        #expect(carrier.ends == [.closedByUs])
    }
}
