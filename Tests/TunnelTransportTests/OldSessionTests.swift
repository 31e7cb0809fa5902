import AgentStatus
import NIOCore
import NIOEmbedded
import TestSupport
import Testing
import TunnelProtocol

@testable import TunnelTransport

/// Two sessions of protocol v1 over embedded channels.
struct OldSessionTests {
    private static let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    private static let events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    private static let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    private static let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n"

    /// Frames as `opcode in hexadecimal, the final bit included` and payload.
    private func frames(_ writes: [ByteBuffer], masked: Bool) -> [String] {
        var frames: [String] = []
        var bytes = ByteBuffer()
        for write in writes { bytes.writeImmutableBuffer(write) }
        while let (first, second) = bytes.readMultipleIntegers(as: (UInt8, UInt8).self) {
            #expect(second & 0x80 == (masked ? 0x80 : 0))
            var length = Int(second & 0x7f)
            if length == 126 { length = Int(bytes.readInteger(as: UInt16.self) ?? 0) }
            var key: [UInt8] = [0, 0, 0, 0]
            if masked { key = bytes.readBytes(length: 4) ?? key }
            let payload = (bytes.readBytes(length: length) ?? []).enumerated().map { $1 ^ key[$0 % 4] }
            frames.append(String(first, radix: 16) + " " + String(decoding: payload, as: UTF8.self))
        }
        return frames
    }

    /// An unmasked frame, as a server sends it.
    private func frame(_ first: UInt8, _ payload: String) -> ByteBuffer {
        var bytes = ByteBuffer(bytes: [first, UInt8(payload.utf8.count)])
        bytes.writeString(payload)
        return bytes
    }

    @Test(arguments: [1, 7, 4096]) func anExchangeCrossesWholeHoweverItsBytesAreCut(_ size: Int) throws {
        let pair = try SessionPair(isOld: true)
        pair.pieceSize = size
        #expect(pair.server.owner.events == [.ready(tunnelName: "")])
        let caller = RecordingReceiver()
        let id = try #require(
            pair.server.session.open(head: ByteBuffer(string: Self.post), isLast: false, receiver: caller))
        _ = pair.server.session.send(id, ByteBuffer(string: "question"))
        try pair.run()
        #expect(pair.client.owner.events.count == 1, "it waits until it is whole")
        let taker = RecordingReceiver()
        pair.server.session.finish(id)
        pair.loop.run()
        for write in try pair.server.written() {
            var rest = write
            while let piece = rest.readSlice(length: min(size, rest.readableBytes)), piece.readableBytes > 0 {
                pair.client.receive(piece)
                pair.client.session.accept(StreamID(1), receiver: taker)
            }
        }
        #expect(pair.client.owner.events.contains(.opened(StreamID(1), Self.post, isLast: false)))
        if size < 100 { #expect(taker.text == "question" && taker.events == [.end]) }

        pair.client.session.respond(
            StreamID(1), head: ByteBuffer(string: Self.answer), isInterim: false, isLast: false)
        _ = pair.client.session.send(StreamID(1), ByteBuffer(string: "reply"))
        pair.client.session.finish(StreamID(1))
        try pair.run()
        #expect(caller.text == "reply")
        #expect(caller.events == [.head(Self.answer, isInterim: false, isLast: false), .end])
        #expect(pair.server.owner.ends.isEmpty && pair.client.owner.ends.isEmpty)
    }

    // MARK: Frames

    @Test func anAnswerGoesOutInMaskedFragmentsWithPongsBetween() throws {
        let pair = try SessionPair(isOld: true)
        let (id, _, _) = try #require(try pair.open(Self.get))
        _ = try pair.client.written()
        let session = pair.client.session
        session.respond(id, head: ByteBuffer(string: Self.events), isInterim: false, isLast: false)
        pair.loop.run()
        _ = session.send(id, ByteBuffer(string: "re"))
        pair.loop.run()
        pair.client.receive(frame(0x89, "are you there?"))
        _ = session.send(id, ByteBuffer(string: "ply"))
        pair.loop.run()
        session.finish(id)
        pair.loop.run()
        let written = try pair.client.written()
        #expect(
            frames(written, masked: true) == [
                "2 0001HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
                "0 2\r\nre\r\n", "8a are you there?", "0 3\r\nply\r\n", "80 0\r\n\r\n",
            ])
    }

    @Test func aWholeMessageIsOneUnmaskedFrame() throws {
        let pair = try SessionPair(isOld: true)
        let id = pair.server.session.open(
            head: ByteBuffer(string: Self.get), isLast: true, receiver: RecordingReceiver())
        #expect(id != nil)
        pair.loop.run()
        #expect(frames(try pair.server.written(), masked: false) == ["82 0001" + Self.get])
    }

    @Test func aCallerThatLeavesCutsItsMessage() throws {
        var limits = SessionLimits()
        limits.minimumWindow = 4
        limits.v1.maximumSpilledBytes = 0
        let pair = try SessionPair(limits: limits, budget: 0, isOld: true)
        let session = pair.server.session
        let id = try #require(
            session.open(head: ByteBuffer(string: Self.post), isLast: false, receiver: RecordingReceiver()))
        _ = session.send(id, ByteBuffer(string: "half"))
        pair.loop.run()
        session.reset(id, .cancelled)
        pair.loop.run()
        let written = try pair.server.written()
        #expect(frames(written, masked: false) == ["2 0001" + Self.post + "half", "80 "])
        for write in written { pair.client.receive(write) }
        // Nobody took what came: the end of the message waits behind it.
        pair.client.session.consumed(StreamID(1), 4)
        pair.loop.run()
        let answer = frames(try pair.client.written(), masked: true)
        #expect(answer.last?.hasPrefix("82 0001HTTP/1.1 400 ") == true)
        #expect(pair.client.owner.ends.isEmpty)
    }

    @Test func aTextMessageEndsTheSession() throws {
        let pair = try SessionPair(isOld: true)
        pair.client.receive(frame(0x81, "0001"))
        #expect(pair.client.owner.ends.map(\.code.rawValue) == ["peer-misbehaved"])
    }

    @Test func aMessageWithoutANumberEndsTheSession() throws {
        let pair = try SessionPair(isOld: true)
        pair.client.receive(frame(0x82, "GET / HTTP/1.1\r\n\r\n"))
        #expect(
            pair.client.owner.ends == [
                .peerMisbehaved("a message that does not begin with a request's number")
            ])
    }

    // MARK: Back-pressure

    /// A client that is restarted right after it has sent an answer: all of it is here, though not yet with the caller.
    @Test func whatCameBeforeTheEndOfTheConnectionIsGivenOutThoughItsReaderIsSlow() throws {
        var limits = SessionLimits()
        limits.minimumWindow = 4
        limits.v1.maximumSpilledBytes = 0
        let pair = try SessionPair(limits: limits, budget: 0, isOld: true)
        pair.pieceSize = 16
        let caller = RecordingReceiver()
        let id = try #require(
            pair.server.session.open(head: ByteBuffer(string: Self.get), isLast: true, receiver: caller))
        try pair.run()
        let session = pair.client.session
        session.respond(
            StreamID(1), head: ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 80\r\n\r\n"),
            isInterim: false, isLast: false)
        let body = String(repeating: "0123456789", count: 8)
        _ = session.send(StreamID(1), ByteBuffer(string: body))
        session.finish(StreamID(1))
        try pair.run()
        #expect(caller.text.count < 80 && !caller.events.contains(.end), "\(id): it is slow")
        pair.server.channel.pipeline.fireChannelInactive()
        #expect(caller.text == body)
        #expect(caller.events.contains(.end))
    }

    @Test func aCallerThatTakesNothingStopsTheReadingUntilItDoes() throws {
        var limits = SessionLimits()
        limits.minimumWindow = 10
        limits.v1.maximumSpilledBytes = 0
        let pair = try SessionPair(limits: limits, budget: 0, isOld: true)
        let (id, caller, _) = try #require(try pair.open(Self.get))
        let head = ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n")
        pair.client.session.respond(id, head: head, isInterim: false, isLast: false)
        _ = pair.client.session.send(id, ByteBuffer(string: "0123456789"))
        try pair.run()
        #expect(caller.text == "0123456789")
        let reads = pair.server.reads.count
        pair.server.channel.pipeline.read()
        #expect(pair.server.reads.count == reads, "reading is held")
        // What was under way is kept.
        _ = pair.client.session.send(id, ByteBuffer(string: "abcdefghij"))
        pair.loop.run()
        for write in try pair.client.written() { pair.server.receive(write) }
        #expect(caller.text == "0123456789")
        // Some of it is not enough to go on twice.
        pair.server.session.consumed(id, 1)
        try pair.run()
        #expect(caller.text == "0123456789abcdefghij")
        #expect(pair.server.reads.count == reads, "it is full again")
        pair.server.session.consumed(id, 19)
        pair.loop.run()
        #expect(pair.server.reads.count == reads + 1, "the read that was held is done once")
        _ = pair.client.session.send(id, ByteBuffer(string: "ABCDEFGHIJklmnopqrst"))
        pair.client.session.finish(id)
        try pair.run()
        #expect(caller.text.utf8.count == 40 && caller.events.last == .end)
        pair.server.channel.pipeline.read()
        #expect(pair.server.reads.count == reads + 2, "an answer that is over holds nothing up")
    }

    @Test func aCallerThatLeavesLetsTheReadingGoOn() throws {
        var limits = SessionLimits()
        limits.minimumWindow = 10
        limits.v1.maximumSpilledBytes = 0
        let pair = try SessionPair(limits: limits, budget: 0, isOld: true)
        let (id, _, _) = try #require(try pair.open(Self.get))
        let head = ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n")
        pair.client.session.respond(id, head: head, isInterim: false, isLast: false)
        _ = pair.client.session.send(id, ByteBuffer(string: "0123456789"))
        try pair.run()
        let reads = pair.server.reads.count
        pair.server.channel.pipeline.read()
        #expect(pair.server.reads.count == reads)
        pair.server.session.reset(id, .cancelled)
        pair.loop.run()
        #expect(pair.server.reads.count == reads + 1)
    }

    @Test func aConnectionInUseIsToldToItsOwner() throws {
        let pair = try SessionPair(isOld: true)
        let (id, _, _) = try #require(try pair.open(Self.get))
        #expect(!pair.server.owner.events.contains(.occupied(true)))
        let head = ByteBuffer(string: Self.events)
        pair.client.session.respond(id, head: head, isInterim: false, isLast: false)
        try pair.run()
        #expect(pair.client.owner.events.last == .occupied(true))
        #expect(pair.server.owner.events.last == .occupied(true))
        _ = pair.client.session.send(id, ByteBuffer(string: "reply"))
        pair.client.session.finish(id)
        try pair.run()
        #expect(pair.client.owner.events.last == .occupied(false))
        #expect(
            pair.server.owner.events.filter { $0 != .ready(tunnelName: "") } == [
                .occupied(true), .occupied(false),
            ])
    }

    // MARK: Ends

    @Test func aClientThatLeavesSaysGoodbyeAndTakesNothingMore() throws {
        let pair = try SessionPair(isOld: true)
        let (id, caller, _) = try #require(try pair.open(Self.get))
        pair.client.session.drain(reason: "going home")
        pair.loop.run()
        #expect(frames(try pair.client.written(), masked: true).allSatisfy { !$0.hasPrefix("88") })
        pair.client.session.respond(
            id, head: ByteBuffer(string: Self.answer), isInterim: false, isLast: false)
        _ = pair.client.session.send(id, ByteBuffer(string: "reply"))
        pair.client.session.finish(id)
        pair.loop.run()
        let last = try pair.client.written()
        #expect(frames(last, masked: true).map { $0.prefix(3) } == ["82 ", "88 "])
        #expect(pair.client.owner.ends.isEmpty && pair.client.channel.isActive, "the server closes")
        let told = pair.client.owner.events.count
        pair.client.receive(frame(0x82, "0002" + Self.get))
        pair.client.receive(frame(0x89, "ping"))
        pair.loop.run()
        #expect(pair.client.owner.events.count == told)
        #expect(try pair.client.written().isEmpty)

        for write in last { pair.server.receive(write) }
        #expect(caller.text == "reply" && caller.events.contains(.end))
        try pair.run()
        #expect(pair.client.owner.ends == [.drained])
        #expect(pair.server.owner.ends == [.drained])
    }

    /// What crosses the client's goodbye was not run: it may go to the client's successor.
    @Test func whatAClientThatLeavesDidNotLookAtMayBeSentElsewhere() throws {
        let pair = try SessionPair(isOld: true)
        pair.client.session.drain(reason: "going home")
        pair.loop.run()
        let crossing = RecordingReceiver()
        let head = ByteBuffer(string: Self.get)
        #expect(pair.server.session.open(head: head, isLast: true, receiver: crossing) != nil)
        pair.loop.run()
        try pair.run()
        #expect(pair.client.owner.events == [.ready(tunnelName: ""), .ended(.drained)])
        #expect(crossing.events == [.reset(.refused, SessionEnd.drained.message)])
    }

    /// A program that just goes away may have begun with it.
    @Test(arguments: [1000, 1001] as [UInt16]) func whatAnotherClientWasGivenIsLost(_ code: UInt16) throws {
        let pair = try SessionPair(isOld: true)
        let (_, caller, _) = try #require(try pair.open(Self.get))
        var close = ByteBuffer(bytes: [0x88, 0x82, 0, 0, 0, 0])
        close.writeInteger(code)
        pair.server.receive(close)
        try pair.run()
        #expect(pair.server.owner.ends == [.closedByPeer(code: code)])
        #expect(caller.events == [.reset(.sessionLost, SessionEnd.closedByPeer(code: code).message)])
    }

    @Test func aServerThatDoesNotCloseIsNotWaitedForForEver() throws {
        let pair = try SessionPair(isOld: true)
        pair.client.session.drain(reason: "going home")
        pair.loop.run()
        #expect(pair.client.owner.ends.isEmpty)
        pair.loop.advanceTime(by: .seconds(11))
        #expect(pair.client.owner.ends == [.drained] && !pair.client.channel.isActive)
    }

    @Test func aServerThatLeavesClosesWhenItHasItsAnswers() throws {
        let pair = try SessionPair(isOld: true)
        let (id, caller, _) = try #require(try pair.open(Self.get))
        pair.server.session.drain(reason: "reload")
        try pair.run()
        #expect(pair.server.owner.ends.isEmpty)
        #expect(try pair.open(Self.get) == nil)
        pair.client.session.respond(
            id, head: ByteBuffer(string: "HTTP/1.1 204 No Content\r\n\r\n"), isInterim: false, isLast: true)
        try pair.run()
        #expect(caller.events.count == 2 && pair.server.owner.ends == [.drained])
        #expect(pair.client.owner.ends == [.closedByPeer(code: 1001)])
    }

    @Test func onlyWhatWasNotSentMayBeSentElsewhereWhenTheSessionIsLost() throws {
        let pair = try SessionPair(isOld: true)
        let (_, sent, _) = try #require(try pair.open(Self.get))
        let kept = RecordingReceiver()
        let session = pair.server.session
        #expect(session.open(head: ByteBuffer(string: Self.post), isLast: false, receiver: kept) != nil)
        try pair.run()
        pair.server.setWritable(false)
        let stuck = RecordingReceiver()
        #expect(session.open(head: ByteBuffer(string: Self.get), isLast: true, receiver: stuck) != nil)
        try pair.run()
        pair.client.channel.close(promise: nil)
        try pair.run()
        let reason = pair.server.owner.ends.first?.message ?? ""
        #expect(sent.events == [.reset(.sessionLost, reason)])
        #expect(kept.events == [.reset(.refused, reason)])
        #expect(stuck.events == [.reset(.refused, reason)])
    }

    @Test func aPeerThatNeverAnswersIsGivenNoMoreRequests() throws {
        let pair = try SessionPair(isOld: true)
        let session = pair.server.session
        for _ in 0..<16_000 {
            let id = try #require(
                session.open(
                    head: ByteBuffer(string: Self.get), isLast: true, receiver: RecordingReceiver()))
            pair.loop.run()
            session.reset(id, .cancelled)
        }
        _ = try pair.server.written()
        #expect(pair.server.owner.events == [.ready(tunnelName: "")])
        #expect(
            session.open(head: ByteBuffer(string: Self.get), isLast: true, receiver: RecordingReceiver())
                == nil)
        pair.loop.run()
        #expect(
            pair.server.owner.events.dropFirst().first
                == .peerDrains("too many requests were not answered"))
        #expect(pair.server.owner.ends == [.drained])
    }
}
