import NIOCore
import NIOEmbedded
import TestSupport
import Testing
import TunnelProtocol

@testable import HostSystem
@testable import TunnelTransport

/// Peers that send very much that is very little: the event loop looks at its other sockets in between.
@Suite struct SessionTurnTests {
    /// Several servers' sessions on one loop, whose peers the test plays.
    private final class Crowd {
        let loop = EmbeddedEventLoop()
        let owner = RecordingOwner()
        private(set) var sessions: [(session: any Session, channel: EmbeddedChannel)] = []

        init(_ count: Int, isOld: Bool = false) throws {
            for _ in 0..<count {
                let budget = ProcessReceiveBudget(bytes: 64 << 20)
                let session: any Session =
                    isOld
                    ? MessageSession(
                        role: .opener, limits: SessionLimits(), peer: "test", budget: budget,
                        numbering: CountedNumbers(), owner: owner)
                    : MuxSession(
                        role: .opener, limits: SessionLimits(),
                        settings: SessionSettings(maximumStreams: 0, initialWindow: 0, software: "test"),
                        budget: budget, owner: owner)
                let channel = EmbeddedChannel(handler: WebSocketCarrier(session), loop: loop)
                channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
                sessions.append((session, channel))
                if !isOld {
                    let settings = SessionSettings(
                        maximumStreams: 1000, initialWindow: 1 << 20, software: "test")
                    receive(message(of: [.settings(settings)]), at: sessions.count - 1)
                }
            }
            loop.run()
            for index in 0..<count { _ = try pongs(at: index) }
        }

        func receive(_ bytes: ByteBuffer, at index: Int) {
            sessions[index].channel.pipeline.fireChannelRead(bytes)
            sessions[index].channel.pipeline.fireChannelReadComplete()
        }

        func message(of frames: [MuxFrame]) -> ByteBuffer {
            var frame = FrameBuffer(capacity: 256)
            for muxFrame in frames { frame.buffer.writeMuxFrame(muxFrame) }
            return frame.finished(as: .binary, mask: WebSocketMask(random: 7))
        }

        /// How many answers to pings of the mux have been written since.
        func pongs(at index: Int) throws -> Int {
            var carrier = WebSocketDecoder(expectsMask: false, maximumMessageBytes: .max)
            var decoder = MuxDecoder(maximumHeadBytes: 1 << 16)
            var count = 0
            while var bytes = try sessions[index].channel.readOutbound(as: ByteBuffer.self) {
                while case .message(let payload, _)? = try carrier.next(&bytes) {
                    decoder.feed(payload)
                    while let frame = try decoder.next() { if case .pong = frame { count += 1 } }
                }
            }
            return count
        }
    }

    private static let flood = 20_000

    private func pings(_ crowd: Crowd, _ count: Int = flood) -> ByteBuffer {
        crowd.message(of: (0..<count).map { .ping(UInt64($0)) })
    }

    @Test func pingsOfManySessionsAreAnsweredInShares() throws {
        let crowd = try Crowd(20)
        let flood = pings(crowd)
        var answered = Array(repeating: 0, count: 20)
        for index in answered.indices {
            crowd.receive(flood, at: index)
            answered[index] = try crowd.pongs(at: index)
        }
        let atOnce = answered.reduce(0, +)
        #expect(atOnce <= TurnAllowance<Int>.perTurn + 20 * TurnAllowance<Int>.least)
        #expect(answered.allSatisfy { $0 > 0 })
        for _ in 0..<2000 where answered.contains(where: { $0 < Self.flood }) {
            crowd.loop.advanceTime(by: .microseconds(50))
            let before = answered.reduce(0, +)
            for index in answered.indices { answered[index] += try crowd.pongs(at: index) }
            let inTurn = answered.reduce(0, +) - before
            #expect(inTurn > 0 && inTurn <= TurnAllowance<Int>.perTurn)
            // Nobody is far ahead of the others.
            if answered.allSatisfy({ $0 < Self.flood }) {
                let most = answered.max() ?? 0
                #expect((answered.min() ?? 0) + 2 * TurnAllowance<Int>.perTurn >= most)
            }
        }
        #expect(answered.allSatisfy { $0 == Self.flood })
        #expect(crowd.owner.ends.isEmpty)
    }

    @Test func whoSendsLittleIsNotInTheirLine() throws {
        let crowd = try Crowd(21)
        for index in 0..<20 { crowd.receive(pings(crowd), at: index) }
        for number in 0..<50 {
            crowd.receive(crowd.message(of: [.ping(UInt64(number))]), at: 20)
            #expect(try crowd.pongs(at: 20) == 1)
            crowd.loop.advanceTime(by: .microseconds(50))
        }
    }

    @Test func aSessionInLineReadsNoMoreThanItHas() throws {
        let reads = ReadCounter()
        let crowd = try Crowd(2)
        try crowd.sessions[0].channel.pipeline.syncOperations.addHandler(reads, position: .first)
        crowd.receive(pings(crowd), at: 1)
        crowd.receive(pings(crowd), at: 0)
        let before = reads.count
        crowd.sessions[0].channel.pipeline.read()
        #expect(reads.count == before)
        // What was read already waits with the rest.
        crowd.receive(pings(crowd, 10), at: 0)
        var answered = 0
        for _ in 0..<10_000 where answered < Self.flood + 10 {
            crowd.loop.advanceTime(by: .microseconds(50))
            answered += try crowd.pongs(at: 0)
        }
        #expect(reads.count == before + 1)
    }

    @Test(arguments: [false, true]) func tinyMessagesAndFragmentsAreTakenInShares(isOld: Bool) throws {
        let crowd = try Crowd(2, isOld: isOld)
        // Fragments of no bytes, and behind them a close frame that is only seen when all of them were taken.
        var flood = ByteBuffer()
        flood.writeBytes([0x02, 0x80, 0, 0, 0, 0])
        for _ in 0..<(isOld ? 50_000 : 900) { flood.writeBytes([0x00, 0x80, 0, 0, 0, 0]) }
        if !isOld { flood.writeBytes([0x80, 0x80, 0, 0, 0, 0]) }
        for _ in 0..<50_000 { flood.writeBytes([0x8a, 0x80, 0, 0, 0, 0]) }
        flood.writeBytes([0x88, 0x80, 0, 0, 0, 0])
        crowd.receive(flood, at: 0)
        #expect(crowd.owner.ends.isEmpty)
        var turns = 0
        while crowd.owner.ends.isEmpty, turns < 10_000 {
            crowd.loop.advanceTime(by: .microseconds(50))
            turns += 1
        }
        #expect(turns > 300 && turns < 1000)
        #expect(crowd.owner.ends == [.closedByPeer(code: 1005)])
    }

    @Test func pingsThatComeTogetherAreAnsweredTogether() throws {
        let crowd = try Crowd(1)
        var pings = ByteBuffer()
        for number in 0..<1000 { pings.writeBytes([0x89, 0x81, 0, 0, 0, 0, UInt8(number % 251)]) }
        crowd.receive(pings, at: 0)
        let pongs = try #require(try crowd.sessions[0].channel.readOutbound(as: ByteBuffer.self))
        #expect(Array(pongs.readableBytesView) == (0..<1000).flatMap { [0x8a, 1, UInt8($0 % 251)] })
        #expect(try crowd.sessions[0].channel.readOutbound(as: ByteBuffer.self) == nil)
    }

    /// A connection that ends behind a flood loses nothing of what came before.
    @Test func whatCameIsGivenOutThoughTheConnectionEnds() throws {
        let pair = try SessionPair()
        let (id, _, taker) = try #require(try pair.open(isLast: false))
        pair.server.session.finish(id)
        var message = FrameBuffer(capacity: 256)
        for _ in 0..<5000 { message.buffer.writeMuxFrame(.ping(1)) }
        message.buffer.writeMuxFrame(.data(id, ByteBuffer(string: "the end"), isLast: true))
        pair.client.channel.pipeline.fireChannelRead(
            message.finished(as: .binary, mask: nil))
        #expect(taker.events.isEmpty)
        pair.client.channel.close(promise: nil)
        pair.loop.run()
        #expect(taker.text == "the end")
    }
}
