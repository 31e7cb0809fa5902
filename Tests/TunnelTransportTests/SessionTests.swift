import AgentStatus
import NIOCore
import NIOEmbedded
import TestSupport
import Testing
import TunnelProtocol

@testable import TunnelTransport

/// Two sessions that talk to each other over embedded channels.
struct SessionTests {
    private static let answer = "HTTP/1.1 200 OK\r\n\r\n"

    @Test(arguments: [1, 7, 4096]) func anExchangeCrossesWholeHoweverItsBytesAreCut(_ size: Int) throws {
        let pair = try SessionPair(isReady: false)
        pair.pieceSize = size
        #expect(
            pair.server.session.open(head: ByteBuffer(), isLast: true, receiver: RecordingReceiver()) == nil)
        try pair.run()
        #expect(pair.server.owner.events == [.ready(tunnelName: "acceptor")])
        #expect(pair.client.owner.events == [.ready(tunnelName: "opener")])

        let head = "POST /x HTTP/1.1\r\n\r\n"
        let (id, caller, taker) = try #require(try pair.open(head, isLast: false))
        #expect(pair.client.owner.events.last == .opened(id, head, isLast: false))
        _ = pair.server.session.send(id, ByteBuffer(string: "ques"))
        _ = pair.server.session.send(id, ByteBuffer(string: "tion"))
        pair.server.session.finish(id, trailers: ByteBuffer(string: "A: b\r\n"))
        try pair.run()
        #expect(taker.text == "question")
        #expect(taker.events == [.trailers("A: b\r\n")])

        let hints = "HTTP/1.1 103 Early Hints\r\n\r\n"
        pair.client.session.respond(id, head: ByteBuffer(string: hints), isInterim: true, isLast: false)
        pair.client.session.respond(
            id, head: ByteBuffer(string: Self.answer), isInterim: false, isLast: false)
        _ = pair.client.session.send(id, ByteBuffer(string: "reply"))
        pair.client.session.finish(id, trailers: ByteBuffer(string: "C: d\r\n"))
        try pair.run()
        #expect(caller.text == "reply")
        #expect(
            caller.events == [
                .head(hints, isInterim: true, isLast: false),
                .head(Self.answer, isInterim: false, isLast: false),
                .trailers("C: d\r\n"),
            ])
        #expect(pair.server.owner.ends.isEmpty)
    }

    @Test func aBodyWithoutTrailersEndsWithItsLastByte() throws {
        let pair = try SessionPair()
        let (id, caller, taker) = try #require(try pair.open(isLast: false))
        _ = pair.server.session.send(id, ByteBuffer(string: "question"))
        pair.server.session.finish(id)
        try pair.run()
        #expect(taker.text == "question")
        #expect(taker.events == [.end])
        pair.client.session.respond(id, head: ByteBuffer(string: Self.answer), isInterim: false, isLast: true)
        try pair.run()
        #expect(caller.events == [.head(Self.answer, isInterim: false, isLast: true)])
    }

    @Test func theOwnerHearsOfEachAnswerToAPing() throws {
        let pair = try SessionPair(isReady: false)
        #expect(pair.client.owner.answerCount == 0)
        try pair.run()
        #expect(pair.client.owner.answerCount == 1)
        pair.client.session.probe(within: .seconds(5))
        try pair.run()
        #expect(pair.client.owner.answerCount == 2)
        // A ping of the peer's, or a message, is no answer.
        pair.server.session.probe(within: .seconds(5))
        _ = try pair.open(isLast: true)
        try pair.run()
        #expect(pair.client.owner.answerCount == 2)
        var pong = ByteBuffer()
        pong.writeWebSocketPong(ByteBuffer(), mask: nil)
        try pair.client.channel.writeInbound(pong)
        #expect(pair.client.owner.answerCount == 3)
    }

    @Test func onlyTheClientMasksWhatItSends() throws {
        let pair = try SessionPair(isReady: false)
        let fromServer = try #require(try pair.server.written().first)
        let fromClient = try #require(try pair.client.written().first)
        #expect(fromServer.getInteger(at: fromServer.readerIndex + 1, as: UInt8.self).map { $0 & 0x80 } == 0)
        #expect(
            fromClient.getInteger(at: fromClient.readerIndex + 1, as: UInt8.self).map { $0 & 0x80 } == 0x80)
    }

    @Test func whatIsSentInOneTurnOfTheLoopSharesAMessage() throws {
        let pair = try SessionPair()
        for _ in 0..<10 {
            let id = pair.server.session.open(
                head: ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"), isLast: false,
                receiver: RecordingReceiver())
            _ = pair.server.session.send(try #require(id), ByteBuffer(string: "body"))
        }
        #expect(try pair.server.written().isEmpty)
        pair.loop.run()
        let messages = try pair.server.written()
        #expect(messages.count == 1)
        for message in messages { pair.client.receive(message) }
        #expect(pair.client.owner.events.count == 11)
    }

    // MARK: Back-pressure

    @Test func aChannelThatTakesNothingHoldsTheSenderBackUntilItDoes() throws {
        let pair = try SessionPair()
        let (id, caller, taker) = try #require(try pair.open(isLast: false))
        pair.server.setWritable(false)
        let piece = ByteBuffer(repeating: 7, count: 16 << 10)
        var pieces = 1
        while pair.server.session.send(id, piece), pieces < 1000 { pieces += 1 }
        #expect(pieces * piece.readableBytes == SessionLimits().sendHighWater)
        try pair.run()
        #expect(taker.received.isEmpty)
        #expect(caller.events.isEmpty)

        pair.server.setWritable(true)
        try pair.run()
        #expect(taker.received.count == pieces * piece.readableBytes)
        #expect(caller.events == [.writable])
        #expect(pair.server.session.send(id, piece))
    }

    @Test func aReaderThatTakesNothingHoldsTheSenderBackUntilItDoes() throws {
        let pair = try SessionPair()
        let (id, caller, taker) = try #require(try pair.open(isLast: false))
        let piece = ByteBuffer(repeating: 7, count: 16 << 10)
        var sent = 0
        var goesOn = true
        while goesOn, sent < 64 << 20 {
            repeat {
                goesOn = pair.server.session.send(id, piece)
                sent += piece.readableBytes
            } while goesOn
            let told = caller.events.count
            try pair.run()
            goesOn = caller.events.count > told
        }
        let limits = SessionLimits()
        #expect(taker.received.count == limits.initialWindow)
        #expect(sent <= limits.initialWindow + limits.sendHighWater + piece.readableBytes)

        let told = caller.events.count
        pair.client.session.consumed(id, taker.received.count)
        try pair.run()
        #expect(taker.received.count == sent)
        #expect(caller.events.count == told + 1)
        #expect(caller.events.last == .writable)
    }

    @Test func pingsOfAPeerThatDoesNotReadAreNotAnswered() throws {
        let pair = try SessionPair()
        pair.client.setWritable(false)
        var pings = ByteBuffer()
        for _ in 0..<1000 { pings.writeBytes([0x89, 1, 65]) }
        pair.client.receive(pings)
        #expect(try pair.client.written().isEmpty)
        pair.client.setWritable(true)
        pair.client.receive(ByteBuffer(bytes: [0x89, 1, 65]))
        // A masked pong of one byte.
        let pongs = try pair.client.written()
        #expect(pongs.map(\.readableBytes) == [7])
        #expect(pongs.first?.readableBytesView.first == 0x8a)
    }

    // MARK: Streams that end before their time

    @Test func aResetReachesTheOtherReceiverOnceAndOurOwnNever() throws {
        let pair = try SessionPair()
        let (id, caller, taker) = try #require(try pair.open(isLast: false))
        pair.server.session.reset(id, .cancelled, reason: "the caller left")
        pair.server.session.reset(id, .cancelled, reason: "again")
        try pair.run()
        #expect(taker.events == [.reset(.cancelled, "the caller left")])
        #expect(caller.events.isEmpty)
        // What is still said about the stream is nobody's business.
        _ = pair.client.session.send(id, ByteBuffer(string: "late"))
        pair.client.session.finish(id)
        pair.client.session.consumed(id, 10)
        try pair.run()
        #expect(caller.events.isEmpty && caller.received.isEmpty)
        #expect(pair.server.owner.ends.isEmpty && pair.client.owner.ends.isEmpty)
    }

    @Test func aRefusalTellsTheCallerThatItMayTryElsewhere() throws {
        let pair = try SessionPair()
        let (id, caller, _) = try #require(try pair.open())
        pair.client.session.reset(id, .refused, reason: "not now")
        try pair.run()
        #expect(caller.events == [.reset(.refused, "not now")])
    }

    @Test func moreStreamsThanThePeerTakesAreNotOpened() throws {
        var limits = SessionLimits()
        limits.maximumStreams = 3
        let pair = try SessionPair(limits: limits)
        let streams = try (0..<3).map { _ in try #require(try pair.open()) }
        #expect(try pair.open() == nil)
        pair.client.session.respond(
            streams[0].id, head: ByteBuffer(string: Self.answer), isInterim: false, isLast: true)
        try pair.run()
        #expect(try pair.open() != nil)
    }

    // MARK: The end of a session

    enum Loss: CaseIterable {
        case connectionClosed, error, closedHere, closedThere, garbage
    }

    @Test(arguments: Loss.allCases) func everyReceiverHearsOfALossExactlyOnce(_ loss: Loss) throws {
        let pair = try SessionPair()
        let streams = try (0..<3).map { _ in try #require(try pair.open(isLast: false)) }
        let expected: String
        switch loss {
        case .connectionClosed:
            pair.server.channel.close(promise: nil)
            expected = "connection-lost"
        case .error:
            pair.server.channel.pipeline.fireErrorCaught(IOError(errnoCode: 104, reason: "read"))
            expected = "connection-lost"
        case .closedHere:
            pair.server.session.close()
            expected = "closed"
        case .closedThere:
            pair.client.session.close()
            expected = "closed-by-peer"
        case .garbage:
            pair.server.receive(ByteBuffer(repeating: 0xff, count: 100))
            expected = "peer-misbehaved"
        }
        try pair.run()
        // A second reason, and commands that come late, change nothing.
        pair.server.session.close()
        for stream in streams {
            _ = pair.server.session.send(stream.id, ByteBuffer(string: "late"))
            pair.server.session.reset(stream.id, .cancelled)
            pair.server.session.consumed(stream.id, 1)
        }
        try pair.run()
        #expect(pair.server.owner.ends.map(\.code.rawValue) == [expected])
        #expect(pair.client.owner.ends.count == 1)
        let reason = pair.server.owner.ends.first?.message ?? ""
        for (_, caller, taker) in streams {
            #expect(caller.events == [.reset(.sessionLost, reason)])
            #expect(taker.events.count == 1)
        }
        #expect(!pair.server.channel.isActive && !pair.client.channel.isActive)
        #expect(try pair.open() == nil)
    }

    @Test func aBrokenProtocolIsAnsweredByACloseFrameThatSaysSo() throws {
        let pair = try SessionPair()
        pair.server.receive(ByteBuffer(bytes: [0x81, 0x80, 0, 0, 0, 0]))
        let last = try #require(try pair.server.written().last)
        // Text: 1003 (RFC 6455 §7.4.1).
        #expect(Array(last.readableBytesView) == [0x88, 2, 0x03, 0xeb])
    }

    @Test(arguments: [true, false]) func aDrainFinishesWhatIsInFlightThenCloses(_ isServers: Bool) throws {
        let pair = try SessionPair()
        let (id, caller, _) = try #require(try pair.open())
        let (leaving, staying) = isServers ? (pair.server, pair.client) : (pair.client, pair.server)
        leaving.session.drain(reason: "going home")
        try pair.run()
        #expect(staying.owner.events.contains(.peerDrains("going home")))
        #expect(try pair.open() == nil)
        #expect(pair.server.owner.ends.isEmpty && pair.client.owner.ends.isEmpty)

        pair.client.session.respond(
            id, head: ByteBuffer(string: Self.answer), isInterim: false, isLast: false)
        _ = pair.client.session.send(id, ByteBuffer(string: "whole"))
        pair.client.session.finish(id)
        try pair.run()
        #expect(caller.text == "whole")
        // Who has not let go of its stream hears of the session's end, too.
        #expect(caller.events.prefix(2) == [.head(Self.answer, isInterim: false, isLast: false), .end])
        #expect(pair.server.owner.ends == [.drained])
        #expect(pair.client.owner.ends == [.drained])
    }

    // MARK: Peers that are silent

    @Test func aProbeEndsASessionWhosePeerIsSilent() throws {
        let pair = try SessionPair()
        let (_, caller, _) = try #require(try pair.open())
        pair.server.session.probe(within: .seconds(3))
        // The ping is lost.
        _ = try pair.server.written()
        pair.loop.advanceTime(by: .milliseconds(2999))
        #expect(pair.server.owner.ends.isEmpty)
        pair.loop.advanceTime(by: .milliseconds(2))
        #expect(pair.server.owner.ends == [.peerSilent])
        #expect(caller.events.count == 1)
    }

    @Test func aProbeDoesNoHarmToASessionWhosePeerAnswers() throws {
        let pair = try SessionPair()
        pair.server.session.probe(within: .seconds(3))
        // No answer comes in no time.
        pair.loop.advanceTime(by: .milliseconds(1))
        try pair.run()
        pair.loop.advanceTime(by: .seconds(4))
        #expect(pair.server.owner.ends.isEmpty)
        #expect(try pair.open() != nil)
    }
}
