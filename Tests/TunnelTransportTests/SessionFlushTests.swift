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

    /// TLS keeps what is written until the flush, and says nothing before: what would be ahead of a small answer then is
    /// bounded all the same, and becomes more where the connection is rid of it at once.
    @Test func aChannelThatSeemsToTakeEverythingIsGivenLittleAtOnce() throws {
        let pair = try SessionPair()
        let meter = FlushMeter()
        try pair.server.channel.pipeline.syncOperations.addHandler(meter, position: .first)
        let opened = try (0..<Self.streams).map { _ in try #require(try pair.open(isLast: false)) }
        for (id, _, _) in opened {
            _ = pair.server.session.send(id, ByteBuffer(repeating: 0x61, count: Self.body))
        }
        pair.loop.run()
        let least = meter.most
        #expect(least > 32 << 10 && least <= 48 << 10)
        for _ in 0..<4 {
            pair.server.setWritable(true)
            pair.loop.advanceTime(by: .milliseconds(1))
        }
        #expect(meter.most > 2 * least)
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

/// The most bytes that were written between two flushes.
private final class FlushMeter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    private(set) var most = 0
    private var unflushed = 0

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        unflushed += unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
    }

    func flush(context: ChannelHandlerContext) {
        most = max(most, unflushed)
        unflushed = 0
        context.flush()
    }
}
