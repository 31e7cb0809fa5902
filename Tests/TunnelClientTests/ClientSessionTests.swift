import HTTPMessage
import Logging
import NIOCore
import NIOEmbedded
import Observability
import Testing
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

@testable import TunnelClient

/// A client's session and the server's end of it, on one embedded loop; each request is answered by a refusal.
private final class LinkedSession: SessionOwner {
    let loop = EmbeddedEventLoop()
    let life: SessionLife
    private let client: EmbeddedChannel
    private let server: EmbeddedChannel
    private(set) var opener: (any Session)?

    /// - Parameter serverFeatures: what the server says that it knows.
    init(serverFeatures: SessionFeatures = []) throws {
        let configuration = TunnelClientConfiguration(
            name: "t", tunnel: TunnelURL(isSecure: false, host: "a", port: 1),
            hostPattern: try HostPattern(source: "http://a"),
            token: try RendezvousToken("a-token-for-the-test"))
        life = SessionLife(on: loop)
        let owner = ClientSession(
            setup: CurrentSetup(
                try ClientSetup(configuration, trusting: TrustPool(), logger: Logger(label: "test")) { _ in }),
            identity: TunnelIdentity(),
            limits: SessionLimits(), eventLoop: loop, life: life,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) {}
        let settings = SessionSettings(maximumStreams: 1000, initialWindow: 1 << 16, software: "test")
        var serverSettings = settings
        serverSettings.features = serverFeatures
        client = EmbeddedChannel(loop: loop)
        server = EmbeddedChannel(loop: loop)
        let acceptor = MuxSession(
            role: .acceptor, limits: SessionLimits(), settings: settings, budget: ProcessReceiveBudget(),
            owner: owner)
        life.began(SessionReference(acceptor, eventLoop: loop))
        let opener = MuxSession(
            role: .opener, limits: SessionLimits(), settings: serverSettings, budget: ProcessReceiveBudget(),
            owner: self)
        self.opener = opener
        for (channel, session) in [(client, acceptor), (server, opener)] {
            try channel.pipeline.syncOperations.addHandler(WebSocketCarrier(session))
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        }
        try exchange()
        try exchange()
    }

    /// One turn of the loop, then everything that was written goes to the other side.
    func exchange() throws {
        loop.run()
        for (source, target) in [(server, client), (client, server)] {
            var bytes = ByteBuffer()
            while let piece = try source.readOutbound(as: ByteBuffer.self) {
                bytes.writeImmutableBuffer(piece)
            }
            guard bytes.readableBytes > 0 else { continue }
            target.pipeline.fireChannelRead(bytes)
            target.pipeline.fireChannelReadComplete()
        }
    }

    /// Opens a stream as the server.
    func open(_ receiver: Answer, isLast: Bool = true) throws -> StreamID {
        let head = ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return try #require(opener?.open(head: head, isLast: isLast, receiver: receiver))
    }

    func close() {
        life.close()
        opener?.close()
        loop.run()
    }

    func sessionReady(_ session: any Session, peer: SessionSettings) {}
    func session(_ session: any Session, opened id: StreamID, head: ByteBuffer, isLast: Bool) {}
    func sessionPeerDrains(_ session: any Session, reason: String) {}
    func sessionEnded(_ session: any Session, _ end: SessionEnd) {}
}

/// What the server hears on one stream.
private final class Answer: StreamReceiver {
    private(set) var head: String?
    private(set) var originTime: UInt32?
    private(set) var isReset = false

    func streamReceived(head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32?) {
        self.head = String(buffer: head)
        self.originTime = originTime
    }
    func streamReceived(data: ByteBuffer, isLast: Bool) {}
    func streamReceived(trailers: ByteBuffer) {}
    func streamWasReset(_ end: StreamTermination, reason: String) { isReset = true }
    func streamBecameWritable() {}
}

@Suite struct ClientSessionTests {
    /// Also of what is answered in the origin's place.
    @Test(arguments: [SessionFeatures.originTimes, [], .hostNames])
    func aServerThatTakesItIsToldHowLongTheOriginTook(features: SessionFeatures) throws {
        let link = try LinkedSession(serverFeatures: features)
        defer { link.close() }
        let answer = Answer()
        _ = try link.open(answer)
        try link.exchange()
        // It begins in another turn.
        link.loop.advanceTime(by: .milliseconds(300))
        for _ in 0..<3 { try link.exchange() }
        #expect(answer.head?.hasPrefix("HTTP/1.1 403") == true)
        #expect(answer.originTime.map { $0 <= 400_000 } == (features == .originTimes ? true : nil))
    }

    @Test func manyRequestsAtOnceAreBegunAFewAtATime() throws {
        let session = try LinkedSession()
        let answers = (0..<100).map { _ in Answer() }
        for answer in answers { _ = try session.open(answer) }
        try session.exchange()
        #expect(answers.count { $0.head != nil } == 0)
        var counts: [Int] = []
        for _ in 0..<12 {
            session.loop.advanceTime(by: .milliseconds(1))
            try session.exchange()
            try session.exchange()
            counts.append(answers.count { $0.head != nil })
        }
        let steps = zip(counts, [0] + counts).map { $0 - $1 }
        #expect(steps.allSatisfy { $0 <= 32 }, "\(steps)")
        #expect(answers.allSatisfy { $0.head?.hasPrefix("HTTP/1.1 403 ") == true })
        session.close()
    }

    @Test func requestsThatAreResetAtOnceAreNotBegun() throws {
        let session = try LinkedSession()
        let loser = Answer()
        for _ in 0..<500 {
            let id = try session.open(loser)
            session.opener?.reset(id, .cancelled)
        }
        let answer = Answer()
        _ = try session.open(answer)
        // A thousand frames take several turns of the loop; five hundred exchanges would take thirty times as long.
        for _ in 0..<20 {
            session.loop.advanceTime(by: .microseconds(50))
            try session.exchange()
        }
        // It is the only one left: nothing of the 500 took its turn.
        #expect(answer.head?.hasPrefix("HTTP/1.1 403 ") == true)
        #expect(loser.head == nil)
        session.close()
    }

    @Test func bodiesThatComeBeforeTheExchangeBeginsKeepTheirPlace() throws {
        let session = try LinkedSession()
        let answer = Answer()
        let id = try session.open(answer, isLast: false)
        _ = session.opener?.send(id, ByteBuffer(string: "body"))
        session.opener?.finish(id)
        for _ in 0..<3 { try session.exchange() }
        #expect(answer.head?.hasPrefix("HTTP/1.1 403 ") == true)
        #expect(!answer.isReset)
        session.close()
    }
}

/// How the body of a request is told to an origin.
@Suite struct RequestFramingTests {
    @Test(arguments: [
        (HeaderFields(), true, BodyFraming.none), (HeaderFields(), false, .chunked),
        (HeaderFields([.contentLength: "3"]), false, .length(3)),
        (HeaderFields([.contentLength: "0"]), false, .none),
        (HeaderFields([.connection: "Upgrade", .upgrade: "websocket"]), false, .none),
        (HeaderFields([.connection: "Upgrade", .upgrade: "h2c"]), false, .none),
    ])
    func itFollowsFromTheHead(fields: HeaderFields, isLast: Bool, expected: BodyFraming) throws {
        let head = RequestHead(method: "GET", target: "/", fields: fields)
        #expect(try ClientSession.framing(head, isLast: isLast) == expected)
    }
}
