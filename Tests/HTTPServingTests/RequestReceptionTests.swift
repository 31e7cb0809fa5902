import HTTPMessage
import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPServing

/// What a connection tells of itself to whom it is for.
@Suite struct RequestReceptionTests {
    private final class Reception: RequestReception {
        let stall = TimeAmount.seconds(60)
        var isStopping = false
        var keepsNoConnections = false
        var welcome = Welcome.stays
        var outcome = RequestOutcome.answer(OwnAnswer(200, line: "here"), closes: false)
        private(set) var log: [String] = []

        func welcome(_ connection: any CallerConnection, on channel: any Channel) -> Welcome {
            log.append("welcome")
            return welcome
        }
        func left(_ connection: any CallerConnection) { log.append("left") }
        func receive(
            _ head: RequestHead, _ framing: BodyFraming, for stream: any CallerStream
        ) -> RequestOutcome {
            log.append(head.target)
            return outcome
        }
        func refuse(_ fault: RequestFault) -> OwnAnswer {
            log.append("refused")
            return OwnAnswer(400, line: "no")
        }
    }

    private let loop = EmbeddedEventLoop()
    private let reception = Reception()

    private func connect() throws -> EmbeddedChannel {
        let handler = CallerHandler(
            on: loop, limits: ConnectionLimits(), date: DateStamp(), budget: nil, reception: reception)
        let channel = EmbeddedChannel(handler: handler, loop: loop)
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        return channel
    }

    private func send(_ text: String, on channel: EmbeddedChannel) throws -> String {
        channel.pipeline.fireChannelRead(ByteBuffer(string: text.replacing("|", with: "\r\n")))
        channel.pipeline.fireChannelReadComplete()
        return try written(by: channel)
    }

    private func written(by channel: EmbeddedChannel) throws -> String {
        var text = ""
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
        return text
    }

    @Test func whoStaysLeavesOnce() throws {
        let channel = try connect()
        #expect(try send("GET /a HTTP/1.1|Host: a||", on: channel).contains("here"))
        #expect(reception.log == ["welcome", "/a"])
        channel.close(promise: nil)
        loop.run()
        #expect(reception.log == ["welcome", "/a", "left"])
    }

    @Test func whoIsRefusedGetsTheAnswerAndDoesNotLeave() throws {
        reception.welcome = .isRefused(OwnAnswer(503, line: "full"))
        let channel = try connect()
        let text = try written(by: channel)
        #expect(text.hasPrefix("HTTP/1.1 503") && text.contains("Connection: close") && text.contains("full"))
        loop.advanceTime(by: .seconds(60))
        #expect(!channel.isActive && reception.log == ["welcome"])
    }

    @Test func whoIsClosedGetsNothing() throws {
        reception.welcome = .isClosed
        let channel = try connect()
        #expect(try written(by: channel) == "")
        #expect(!channel.isActive && reception.log == ["welcome"])
    }

    @Test func whatLeavesHTTPIsAnothersWithAllThatCameBehindIt() throws {
        var leftover = ""
        reception.outcome = .upgrade { _, tell in
            tell(
                .leavesHTTP { context, handler, bytes in
                    leftover = String(buffer: bytes)
                    context.pipeline.syncOperations.removeHandler(handler, promise: nil)
                })
        }
        let channel = try connect()
        #expect(try send("GET /a HTTP/1.1|Host: a||behind it", on: channel) == "")
        loop.run()
        #expect(leftover == "behind it" && channel.isActive)
        #expect(reception.log == ["welcome", "/a", "left"])
    }

    @Test func anUpgradeThatIsRefusedIsTheLastRequest() throws {
        reception.outcome = .upgrade { _, tell in tell(.refused(OwnAnswer(401, line: "no"))) }
        let channel = try connect()
        let text = try send("GET /a HTTP/1.1|Host: a||GET /b HTTP/1.1|Host: a||", on: channel)
        #expect(text.hasPrefix("HTTP/1.1 401") && text.contains("Connection: close"))
        #expect(reception.log.prefix { $0 != "left" } == ["welcome", "/a"])
    }

    @Test func whatIsNoRequestIsAskedAbout() throws {
        let channel = try connect()
        #expect(try send("nonsense||", on: channel).hasPrefix("HTTP/1.1 400"))
        #expect(reception.log.prefix { $0 != "left" } == ["welcome", "refused"])
    }

    /// A body that comes with what is answered at once is not read.
    @Test(arguments: [
        ("GET /a HTTP/1.1|Host: a||", false), ("GET /a HTTP/1.1|Host: a|Connection: close||", true),
        ("GET /a HTTP/1.0||", true), ("POST /a HTTP/1.1|Host: a|Content-Length: 3||abc", true),
    ])
    func anAnswerAtOnceEndsTheConnectionWhereItHasTo(_ request: String, closes: Bool) throws {
        let channel = try connect()
        #expect(try send(request, on: channel).contains("Connection: close") == closes)
    }

    /// Who has an answer of one that keeps connections may have sent another request already.
    @Test func whereNoConnectionsAreKeptTheNextAnswerIsTheLast() throws {
        let (channel, idle, new) = (try connect(), try connect(), try connect())
        #expect(try !send("GET /a HTTP/1.1|Host: a||", on: idle).contains("Connection: close"))
        #expect(try !send("GET /a HTTP/1.1|Host: a||", on: channel).contains("Connection: close"))
        reception.keepsNoConnections = true
        #expect(try send("GET /b HTTP/1.1|Host: a||", on: channel).contains("Connection: close"))
        for channel in [idle, new] {
            try channel.pipeline.syncOperations.handler(type: CallerHandler.self).shed()
            #expect(channel.isActive)
        }
        loop.advanceTime(by: .seconds(1))
        #expect(!idle.isActive && new.isActive)
        #expect(try send("GET /c HTTP/1.1|Host: a||", on: new).contains("Connection: close"))
    }

    @Test func aServerThatStopsAnswersOnceMore() throws {
        let channel = try connect()
        reception.isStopping = true
        #expect(try send("GET /a HTTP/1.1|Host: a||", on: channel).contains("Connection: close"))
    }
}
