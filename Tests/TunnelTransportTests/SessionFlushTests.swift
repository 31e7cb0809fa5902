import NIOCore
import NIOEmbedded
import Testing
import TunnelProtocol

@testable import TunnelTransport

/// How much a session writes before others have their turn of the event loop.
@Suite struct SessionFlushTests {
    private static let streams = 40
    private static let body = 60 << 10

    @Test func muchIsWrittenInSeveralTurnsOfTheEventLoop() throws {
        let pair = try SessionPair()
        let opened = try (0..<Self.streams).map { _ in try #require(try pair.open(isLast: false)) }
        for (id, _, _) in opened {
            _ = pair.server.session.send(id, ByteBuffer(repeating: 0x61, count: Self.body))
        }
        pair.loop.run()
        var written = 0
        while written < Self.streams * Self.body {
            let turn = try pair.server.written().reduce(0) { $0 + $1.readableBytes }
            #expect(turn > 0 && turn <= 640 << 10)
            guard turn > 0 else { break }
            written += turn
            pair.loop.advanceTime(by: .milliseconds(1))
        }
        #expect(try pair.server.written().isEmpty)
    }

    @Test func whatComesMeanwhileGoesOnWithIt() throws {
        let pair = try SessionPair()
        let opened = try (0..<Self.streams).map { _ in try #require(try pair.open(isLast: false)) }
        for (id, _, _) in opened {
            _ = pair.server.session.send(id, ByteBuffer(repeating: 0x61, count: Self.body))
        }
        try pair.run()
        // Whatever the peer sends calls for a flush: no time passes.
        for _ in 0..<10 {
            pair.server.channel.pipeline.fireChannelReadComplete()
            try pair.run()
        }
        for (_, _, taker) in opened { #expect(taker.received.count == Self.body) }
    }
}
