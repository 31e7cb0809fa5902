import HTTPMessage
import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPServing

/// What waits on a connection of HTTP/2, whom it holds up, and how the connection ends.
@Suite struct HTTP2FlowTests {
    private let reception = ScriptedReception()

    private func connect(_ settings: [UInt8] = HTTP2Peer.settings) throws -> HTTP2Peer {
        let peer = try HTTP2Peer(reception, settings: settings)
        _ = try peer.all()
        return peer
    }

    private func begin(_ peer: HTTP2Peer, _ streams: [Int]) throws {
        for stream in streams { peer.send(HTTP2Peer.request(stream)) }
        for exchange in reception.exchanges { try exchange.begin() }
        _ = try peer.all()
    }

    private func dataBytes(_ peer: HTTP2Peer) throws -> [Int: Int] {
        try peer.received().filter { $0.type == 0 }.reduce(into: [:]) {
            $0[$1.stream, default: 0] += $1.payload.count
        }
    }

    private static let long = String(repeating: "x", count: 100_000)

    // MARK: Answers

    @Test func aStreamThatDoesNotReadHoldsUpNoOther() throws {
        let peer = try connect(HTTP2Peer.settings(window: 10))
        peer.send(HTTP2Peer.window(0, 1 << 20))
        try begin(peer, [1, 3])
        let (slow, other) = (reception.exchanges[0], reception.exchanges[1])
        slow.send(Self.long)
        peer.loop.run()
        #expect(!slow.stream.isWritable && slow.stream.waiting == 99_990 && other.stream.isWritable)
        other.send("0123456789")
        #expect(try dataBytes(peer) == [1: 10, 3: 10])
        peer.send(HTTP2Peer.window(1, 200_000))
        #expect(try dataBytes(peer) == [1: 99_990])
        #expect(slow.log == ["writable"] && slow.stream.isWritable && slow.stream.waiting == 0)
    }

    @Test func streamsTakeTurnsWhereTheConnectionIsNarrow() throws {
        let peer = try connect(HTTP2Peer.settings(window: 1 << 20))
        try begin(peer, [1, 3])
        for exchange in reception.exchanges { exchange.send(Self.long) }
        #expect(try dataBytes(peer) == [1: 65_535])
        peer.send(HTTP2Peer.window(0, 4 * 16_384))
        let shares = try dataBytes(peer)
        #expect(shares[1] ?? 0 >= 16_384 && shares[3] ?? 0 >= 2 * 16_384)
        #expect(shares.values.reduce(0, +) == 4 * 16_384)
    }

    @Test func aWholeAnswerEndsAsSoonAsTheConnectionTakesAnything() throws {
        let peer = try connect(HTTP2Peer.settings(window: 1 << 20))
        try begin(peer, [1, 3])
        reception.exchanges[0].send(Self.long)
        reception.exchanges[1].send("", isLast: true)
        #expect(try dataBytes(peer) == [1: 65_535])
        // They take turns.
        peer.send(HTTP2Peer.window(0, 1), HTTP2Peer.window(0, 1))
        #expect(try peer.texts().contains("DATA 3  ."))
    }

    @Test func anEndWaitsWhereItsWindowIsBelowZero() throws {
        let peer = try connect()
        try begin(peer, [1])
        reception.exchanges[0].send("0123456789")
        peer.send(HTTP2Peer.settings(window: 5))
        reception.exchanges[0].send("", isLast: true)
        #expect(try peer.texts() == ["DATA 1 0123456789"])
        peer.send(HTTP2Peer.window(1, 5))
        #expect(try peer.texts() == ["DATA 1  ."] && peer.connection.streams.isEmpty)
    }

    @Test func aWindowThatIsTakenBackIsWaitedFor() throws {
        let peer = try connect()
        try begin(peer, [1])
        peer.send(HTTP2Peer.settings(window: 0))
        reception.exchanges[0].send("late", isLast: true)
        #expect(try peer.texts() == [])
        peer.send(HTTP2Peer.settings(window: 3))
        #expect(try peer.texts() == ["DATA 1 lat"])
        peer.send(HTTP2Peer.window(1, 1))
        #expect(try peer.texts() == ["DATA 1 e ."])
    }

    @Test func whatAConnectionDoesNotTakeWaitsInItsStreams() throws {
        let peer = try connect(HTTP2Peer.settings(window: 1 << 20))
        peer.send(HTTP2Peer.window(0, 1 << 20))
        try begin(peer, [1, 3])
        peer.setReading(false)
        for exchange in reception.exchanges { exchange.send(Self.long, isLast: true) }
        #expect(try peer.texts() == [])
        #expect(try peer.connection.machine.waiting == 200_000)
        peer.setReading(true)
        #expect(try dataBytes(peer) == [1: 100_000, 3: 100_000])
        #expect(try peer.connection.machine.waiting == 0 && peer.connection.streams.isEmpty)
    }

    /// What is whole has no exchange any more that would look at the time.
    @Test func anAnswerThatNobodyTakesIsGivenUp() throws {
        let peer = try connect(HTTP2Peer.settings(window: 0))
        try begin(peer, [1])
        reception.exchanges[0].send("late", isLast: true)
        peer.loop.advanceTime(by: .seconds(59))
        #expect(try peer.texts() == [])
        peer.loop.advanceTime(by: .seconds(1))
        #expect(try peer.texts() == ["RESET 1 8"])
    }

    @Test func anExchangeLooksAtTheTimeWhenItAskedTo() throws {
        let peer = try connect()
        try begin(peer, [1, 3])
        let now = peer.loop.now
        reception.exchanges[0].stream.ring(by: now + .seconds(5))
        reception.exchanges[1].stream.ring(by: now + .seconds(7))
        peer.loop.advanceTime(by: .seconds(5))
        #expect(reception.exchanges.map(\.log) == [["time"], []])
        peer.loop.advanceTime(by: .seconds(2))
        #expect(reception.exchanges.map(\.log) == [["time"], ["time"]])
    }

    // MARK: Bodies

    @Test func aBodyThatIsNotTakenIsNotAskedForAndHoldsUpNoOther() throws {
        let peer = try connect()
        reception.takesBytes = false
        let post = HTTP2Peer.request(1, "POST", isLast: false)
        peer.send(post)
        for _ in 0..<3 { peer.send(HTTP2Peer.data(1, String(repeating: "a", count: 16_384))) }
        let slow = reception.exchanges[0]
        #expect(slow.body == "" && slow.log == [])
        #expect(try !peer.all().contains { $0.type == 8 && $0.stream == 1 })
        reception.takesBytes = true
        peer.send(HTTP2Peer.request(3, "POST", isLast: false), HTTP2Peer.data(3, "b", isLast: true))
        #expect(reception.exchanges[1].body == "b" && reception.exchanges[1].log == ["end"])
        slow.takesBytes = true
        slow.stream.requestMayFlow()
        #expect(slow.body.utf8.count == 3 * 16_384)
        #expect(try peer.all().contains { $0.type == 8 && $0.stream == 1 && $0.last == 3 * 16_384 })
    }

    /// Beyond its window, by RFC 9113 §6.9.1.
    @Test func whoSendsMoreThanTheWindowIsReset() throws {
        let peer = try connect()
        reception.takesBytes = false
        peer.send(HTTP2Peer.request(1, "POST", isLast: false))
        for _ in 0..<5 { peer.send(HTTP2Peer.data(1, String(repeating: "a", count: 16_384))) }
        #expect(try peer.texts() == ["RESET 1 3"])
        #expect(reception.exchanges[0].log == ["left"])
        #expect(try peer.connection.machine.window.held == 0)
    }

    @Test func whatNobodyWantsIsGivenBack() throws {
        let peer = try connect()
        reception.takesBytes = false
        for stream in stride(from: 1, to: 40, by: 2) {
            peer.send(HTTP2Peer.request(stream, "POST", isLast: false))
            peer.send(HTTP2Peer.data(stream, String(repeating: "a", count: 16_384)), HTTP2Peer.reset(stream))
        }
        #expect(try peer.connection.machine.window.held == 0)
        let windows = try peer.all().filter { $0.type == 8 }.reduce(0) { $0 + $1.last }
        #expect(windows >= 20 * 16_384 - (128 << 10) && peer.isOpen)
    }

    // MARK: Nuisances

    private static let floods: [(String, @Sendable (Int) -> [UInt8])] = [
        ("PING", { _ in HTTP2Peer.frame(6, 0, 0, Array("12345678".utf8)) }),
        ("SETTINGS", { _ in HTTP2Peer.settings }),
        ("SETTINGS with a window", { HTTP2Peer.settings(window: 65_535 + $0 % 2) }),
        ("PRIORITY", { _ in HTTP2Peer.frame(2, 0, 3, [0, 0, 0, 0, 1]) }),
        ("WINDOW_UPDATE", { _ in HTTP2Peer.window(0, 1) }),
        (
            "empty DATA",
            { ($0 == 0 ? HTTP2Peer.request(1, "POST", isLast: false) : []) + HTTP2Peer.data(1, "") }
        ),
        (
            "CONTINUATION",
            {
                $0 == 0
                    ? HTTP2Peer.frame(1, 0, 1, Array(HTTP2Peer.request(1).dropFirst(9)))
                    : HTTP2Peer.frame(9, 0, 1, [])
            }
        ),
        ("frames of no kind", { _ in HTTP2Peer.frame(200, 0, 0, []) }),
        ("heads of no sense", { HTTP2Peer.head(2 * $0 + 1, [("a", "b")]) }),
        ("RST_STREAM", { HTTP2Peer.request(2 * $0 + 1) + HTTP2Peer.reset(2 * $0 + 1) }),
    ]

    @Test(arguments: floods.indices) func whoSendsNothingOfUseIsCutOff(index: Int) throws {
        let (name, frame) = Self.floods[index]
        let peer = try connect()
        var count = 0
        while peer.isOpen, count < 30_000 {
            peer.send(Array((0..<100).flatMap { frame(count + $0) }))
            count += 100
        }
        #expect(!peer.isOpen, "\(name)")
        let last = try peer.texts().last ?? ""
        #expect(
            last.hasPrefix("GOAWAY") && [" 11", " 1"].contains { last.hasSuffix($0) }, "\(name): \(last)")
        #expect(reception.exchanges.count <= 201)
        let calm = reception.log.count
        // What it goes on sending is dropped unread.
        for _ in 0..<100 { peer.send(HTTP2Peer.request(2 * count + 1)) }
        peer.loop.advanceTime(by: .seconds(120))
        #expect(!peer.channel.isActive && reception.log.count == calm + 1)
    }

    @Test func tooManyStreamsAtOnceEndTheConnection() throws {
        let peer = try connect()
        for stream in 0..<100 { peer.send(HTTP2Peer.request(2 * stream + 1)) }
        #expect(reception.exchanges.count == 100 && peer.isOpen)
        peer.send(HTTP2Peer.request(201))
        #expect(reception.exchanges.count == 100 && !peer.isOpen)
        #expect(reception.exchanges.allSatisfy { $0.log == ["left"] })
    }

    @Test func manyRequestsOneAfterAnotherAreNoNuisance() throws {
        let peer = try connect()
        for index in 0..<1000 {
            peer.send(HTTP2Peer.request(2 * index + 1, "GET", "/here"))
            #expect(try peer.received().count == 2)
        }
        #expect(peer.isOpen)
    }

    // MARK: Leaving

    @Test func aConnectionThatLeavesTakesWhatIsOnItsWay() throws {
        let peer = try connect()
        try begin(peer, [1])
        try peer.connection.leave()
        #expect(try peer.texts() == ["GOAWAY 2147483647 0", "PING"])
        peer.send(HTTP2Peer.request(3))
        #expect(reception.exchanges.count == 2)
        peer.send(HTTP2Peer.frame(6, 1, 0, [UInt8](repeating: 0, count: 8)), HTTP2Peer.request(5))
        #expect(try peer.texts() == ["GOAWAY 3 0"] && reception.exchanges.count == 2)
        try reception.exchanges[1].begin()
        for exchange in reception.exchanges { exchange.send("x", isLast: true) }
        #expect(try peer.texts() == ["HEADERS 3 200", "DATA 1 x .", "DATA 3 x ."] && !peer.isOpen)
        peer.loop.advanceTime(by: .seconds(3))
        #expect(!peer.channel.isActive)
    }

    @Test func whereNoConnectionsAreKeptTheNextRequestIsTheLast() throws {
        let peer = try connect()
        reception.keepsNoConnections = true
        // One that is new has its first request to come.
        try peer.connection.shed()
        #expect(try peer.texts() == [] && peer.isOpen)
        peer.send(HTTP2Peer.request(1))
        #expect(try peer.texts() == ["GOAWAY 2147483647 0", "PING"])
        peer.send(HTTP2Peer.frame(6, 1, 0, [UInt8](repeating: 0, count: 8)))
        try reception.exchanges[0].begin()
        reception.exchanges[0].send("x", isLast: true)
        #expect(try peer.texts() == ["GOAWAY 1 0", "HEADERS 1 200", "DATA 1 x ."] && !peer.isOpen)
    }

    @Test func aConnectionThatWaitsLeavesWhereNoneAreKept() throws {
        let peer = try connect()
        try begin(peer, [1])
        reception.exchanges[0].send("x", isLast: true)
        _ = try peer.texts()
        reception.keepsNoConnections = true
        try peer.connection.shed()
        #expect(try peer.texts() == ["GOAWAY 2147483647 0", "PING"])
        peer.send(HTTP2Peer.frame(6, 1, 0, [UInt8](repeating: 0, count: 8)))
        #expect(!peer.isOpen)
    }

    @Test func anAnswerThatClosesHasItsConnectionLeave() throws {
        let peer = try connect()
        try begin(peer, [1])
        peer.send(HTTP2Peer.request(3))
        reception.exchanges[1].stream.send(OwnAnswer(429, line: "no"), closes: true)
        reception.exchanges[1].stream.exchangeEnded()
        #expect(
            try peer.texts() == ["HEADERS 3 429", "DATA 3 no\n .", "GOAWAY 2147483647 0", "PING"])
        #expect(peer.isOpen)
    }

    @Test func aCallerThatDoesNotAnswerHasASecond() throws {
        let peer = try connect()
        try begin(peer, [1])
        reception.isStopping = true
        let quiet = NIOLoopBoundBox(false, eventLoop: peer.loop)
        try peer.connection.stop().whenSuccess { quiet.value = true }
        #expect(reception.exchanges[0].log == ["stops"] && !quiet.value)
        peer.loop.advanceTime(by: .milliseconds(999))
        #expect(!quiet.value)
        peer.loop.advanceTime(by: .milliseconds(1))
        #expect(try peer.texts().last == "GOAWAY 1 0" && quiet.value && peer.isOpen)
        reception.exchanges[0].send("x", isLast: true)
        #expect(try peer.texts() == ["DATA 1 x ."] && !peer.isOpen)
    }

    @Test func theEndOfTheGraceBreaksAnswersOff() throws {
        let peer = try connect(HTTP2Peer.settings(window: 0))
        try begin(peer, [1, 3])
        reception.exchanges[1].send("stuck")
        try peer.connection.cut()
        #expect(try peer.texts() == ["GOAWAY 3 0", "RESET 1 2"])
        #expect(reception.exchanges[0].log == ["cut", "out 0"])
        peer.loop.advanceTime(by: .seconds(1))
        #expect(!peer.channel.isActive && reception.exchanges[1].log == ["cut", "out 5"])
    }

    @Test func silenceEndsAConnection() throws {
        let peer = try connect()
        peer.loop.advanceTime(by: .seconds(10))
        #expect(try peer.texts() == ["GOAWAY 0 0"] && !peer.isOpen)
    }

    /// PINGs ask for nothing.
    @Test func anIdleConnectionEndsWhateverItSays() throws {
        let peer = try connect()
        peer.send(HTTP2Peer.request(1, "GET", "/here"))
        for _ in 0..<74 {
            peer.send(HTTP2Peer.frame(6, 0, 0, [UInt8](repeating: 0, count: 8)))
            peer.loop.advanceTime(by: .seconds(1))
        }
        #expect(peer.isOpen)
        peer.loop.advanceTime(by: .seconds(1))
        #expect(try peer.texts().last == "GOAWAY 1 0" && !peer.isOpen)
    }

    @Test func oneTooManyIsToldSoAndClosed() throws {
        reception.welcome = .stays
        let loop = EmbeddedEventLoop()
        let channel = EmbeddedChannel(loop: loop)
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        reception.welcome = .isRefused(OwnAnswer(503, line: "full"))
        try HTTP2CallerHandler.add(
            to: channel.pipeline.syncOperations, on: loop, limits: ConnectionLimits(), date: DateStamp(),
            budget: nil, reception: reception)
        loop.run()
        var bytes = ByteBuffer()
        while let more = try channel.readOutbound(as: ByteBuffer.self) { bytes.writeImmutableBuffer(more) }
        // SETTINGS, then GOAWAY with REFUSED_STREAM.
        #expect(
            bytes.readableBytesView.suffix(17).elementsEqual([
                0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,
            ]))
        #expect(reception.log == ["welcome"])
    }
}
