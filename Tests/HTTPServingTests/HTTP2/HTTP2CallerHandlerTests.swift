import HTTPMessage
import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPServing

/// A connection of HTTP/2 on an embedded channel: frames in, frames out, the clock moved by hand.
@Suite struct HTTP2CallerHandlerTests {
    private let reception = ScriptedReception()

    private func connect(_ settings: [UInt8] = HTTP2Peer.settings) throws -> HTTP2Peer {
        let peer = try HTTP2Peer(reception, settings: settings)
        _ = try peer.all()
        return peer
    }

    private var exchange: ScriptedExchange { get throws { try #require(reception.exchanges.first) } }

    // MARK: Requests and answers

    @Test func aConnectionThatBeginsWithThePrefaceSpeaksHTTP2() throws {
        let peer = try HTTP2Peer(reception)
        #expect(try peer.all().map(\.description) == ["SETTINGS", "WINDOW 0 65537", "ACK"])
        // As a connection of HTTP/1 it left.
        #expect(reception.log == ["welcome", "left", "welcome"])
        peer.channel.close(promise: nil)
        peer.loop.run()
        #expect(reception.log.suffix(1) == ["left"] && reception.log.count == 4)
    }

    @Test func thePrefaceMayComeInPieces() throws {
        let loop = EmbeddedEventLoop()
        let handler = CallerHandler(
            on: loop, limits: ConnectionLimits(), date: DateStamp(), budget: nil, reception: reception)
        let channel = EmbeddedChannel(handler: handler, loop: loop)
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        for byte in HTTP2Peer.preface.utf8 { channel.pipeline.fireChannelRead(ByteBuffer(bytes: [byte])) }
        channel.pipeline.fireChannelRead(ByteBuffer(bytes: HTTP2Peer.settings + HTTP2Peer.request(1)))
        channel.pipeline.fireChannelReadComplete()
        loop.run()
        #expect(reception.log.last == "GET /")
    }

    /// It is no request, whatever came before.
    @Test func behindARequestThePrefaceIsNone() throws {
        let loop = EmbeddedEventLoop()
        let handler = CallerHandler(
            on: loop, limits: ConnectionLimits(), date: DateStamp(), budget: nil, reception: reception)
        let channel = EmbeddedChannel(handler: handler, loop: loop)
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        let request = "GET /here HTTP/1.1\r\nHost: a\r\n\r\n"
        channel.pipeline.fireChannelRead(ByteBuffer(string: request + HTTP2Peer.preface))
        loop.run()
        #expect(reception.log.prefix(3) == ["welcome", "GET /here", "refused"])
    }

    @Test func streamsAreAnsweredAsTheirAnswersCome() throws {
        let peer = try connect()
        peer.send(HTTP2Peer.request(1, "GET", "/one"), HTTP2Peer.request(3, "GET", "/two"))
        let exchanges = reception.exchanges
        try exchanges[1].begin(201)
        exchanges[1].send("second", isLast: true)
        try exchanges[0].begin(200, [.contentLength: "5"])
        exchanges[0].send("first", isLast: true)
        #expect(
            try peer.texts() == ["HEADERS 3 201", "DATA 3 second .", "HEADERS 1 200", "DATA 1 first ."])
    }

    @Test func anAnswerAtOnceIsOne() throws {
        let peer = try connect()
        peer.send(HTTP2Peer.request(1, "GET", "/here"), HTTP2Peer.request(3, "HEAD", "/here"))
        let frames = try peer.received()
        #expect(frames.map(\.description) == ["HEADERS 1 200", "DATA 1 here\n .", "HEADERS 3 200 ."])
        #expect(frames[2].fields["content-length"] == "5" && frames[0].fields["date"] != nil)
    }

    @Test func interimHeadsAndTrailersPass() throws {
        let peer = try connect()
        peer.send(HTTP2Peer.request(1))
        try exchange.stream.send(interim: ResponseHead(status: 103))
        try exchange.begin()
        try exchange.stream.send(trailers: HeaderFields([.date: "now"]))
        try exchange.stream.exchangeEnded()
        #expect(try peer.texts() == ["HEADERS 1 103", "HEADERS 1 200", "HEADERS 1 date=now ."])
    }

    @Test func bodiesAndTheirTrailersReachTheExchange() throws {
        let peer = try connect()
        peer.send(
            HTTP2Peer.request(1, "POST", isLast: false), HTTP2Peer.data(1, "ab"), HTTP2Peer.data(1, "c"),
            HTTP2Peer.head(1, [("x", "y")]))
        #expect(try exchange.body == "abc" && exchange.log == ["end x=y"])
    }

    @Test func anAnswerBeforeTheEndOfItsRequestEndsIt() throws {
        let peer = try connect()
        peer.send(HTTP2Peer.request(1, "POST", isLast: false))
        try exchange.begin(413, [.contentLength: "0"])
        try exchange.send("", isLast: true)
        #expect(try peer.texts() == ["HEADERS 1 413", "DATA 1  .", "RESET 1 0"])
        // What was on its way is nobody's.
        peer.send(HTTP2Peer.data(1, "rest", isLast: true), HTTP2Peer.request(3, "GET", "/here"))
        #expect(try peer.texts() == ["HEADERS 3 200", "DATA 3 here\n ."])
    }

    // MARK: Ends before time

    @Test func aCallerThatCallsOffIsOneThatLeft() throws {
        let peer = try connect()
        peer.send(HTTP2Peer.request(1))
        peer.send(HTTP2Peer.reset(1), HTTP2Peer.request(3, "GET", "/here"))
        #expect(try exchange.log == ["left"])
        #expect(try peer.texts() == ["HEADERS 3 200", "DATA 3 here\n ."])
    }

    /// In the same packet: nobody is asked.
    @Test func whatIsCalledOffAtOnceIsNeverRun() throws {
        let peer = try connect()
        peer.send(HTTP2Peer.request(1), HTTP2Peer.reset(1))
        #expect(reception.exchanges.isEmpty)
    }

    @Test func anAnswerThatBreaksOffIsResetBehindWhatCame() throws {
        let peer = try connect()
        peer.send(HTTP2Peer.request(1))
        try exchange.begin()
        try exchange.send("part")
        try exchange.stream.exchangeBroke(isWhole: false)
        #expect(try peer.texts() == ["HEADERS 1 200", "DATA 1 part", "RESET 1 2"])
        #expect(try exchange.log == ["out 0"])
    }

    @Test func aBrokenAnswerWaitsForItsCallerAndTellsWhatIsMissing() throws {
        let peer = try connect(HTTP2Peer.settings(window: 3))
        peer.send(HTTP2Peer.request(1))
        try exchange.begin()
        try exchange.send("part!")
        try exchange.stream.exchangeBroke(isWhole: false)
        #expect(try peer.texts() == ["HEADERS 1 200", "DATA 1 par"])
        peer.send(HTTP2Peer.reset(1))
        #expect(try exchange.log == ["out 2"])
    }

    @Test func aConnectionThatEndsTellsAllItsExchanges() throws {
        let peer = try connect()
        peer.send(HTTP2Peer.request(1), HTTP2Peer.request(3))
        peer.channel.close(promise: nil)
        peer.loop.run()
        #expect(reception.exchanges.map(\.log) == [["left"], ["left"]])
    }

    @Test(arguments: [
        HTTP2Peer.head(1, [(":method", "GET"), (":path", "/")]),
        HTTP2Peer.request(1, "GET", "/", [("connection", "close")]),
        HTTP2Peer.request(1, "GET", "/", [("x", "a\r\nb: c")]),
        HTTP2Peer.request(1, "POST", "/", [("content-length", "3")]),
    ])
    func aHeadThatMakesNoSenseIsReset(_ head: [UInt8]) throws {
        let peer = try connect()
        peer.send(head, HTTP2Peer.request(3, "GET", "/here"))
        #expect(try peer.texts() == ["RESET 1 1", "HEADERS 3 200", "DATA 3 here\n ."])
        #expect(reception.log.suffix(2) == ["refused", "GET /here"])
    }

    @Test(arguments: [HTTP2Peer.data(1, "abc", isLast: true), HTTP2Peer.data(1, "abcde")])
    func aBodyThatIsNotAsLongAsItSaidIsReset(_ data: [UInt8]) throws {
        let peer = try connect()
        peer.send(HTTP2Peer.request(1, "POST", "/", [("content-length", "4")], isLast: false), data)
        #expect(try peer.texts() == ["RESET 1 1"])
        #expect(try exchange.log.first == "broke")
    }

    @Test func whatLeavesHTTPAltogetherIsRefused() throws {
        let peer = try connect()
        peer.send(HTTP2Peer.request(1, "GET", "/leave"))
        #expect(try peer.received().first?.description == "HEADERS 1 400")
    }

    // MARK: WebSockets

    private static let webSocket = HTTP2Peer.head(
        1,
        [
            (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", "a"),
            (":path", "/"), ("sec-websocket-version", "13"),
        ], isLast: false)

    @Test func aWebSocketPassesAsRawBytes() throws {
        let peer = try connect()
        peer.send(Self.webSocket, HTTP2Peer.data(1, "early"))
        let exchange = try exchange
        #expect(exchange.head.method == "GET" && exchange.head.asksForUpgrade && exchange.body == "")
        #expect(exchange.head.fields[.secWebSocketKey]?.utf8.count == 24)
        exchange.stream.send(
            switching: ResponseHead(
                status: 101,
                fields: HeaderFields([
                    .upgrade: "websocket", .connection: "Upgrade", .secWebSocketAccept: "x",
                ])))
        let head = try #require(try peer.received().first)
        #expect(head.description == "HEADERS 1 200" && Set(head.fields.keys) == [":status", "date"])
        peer.send(HTTP2Peer.data(1, " later"))
        #expect(exchange.body == "early later")
        exchange.send("back")
        exchange.stream.endRawOutput()
        #expect(try peer.texts() == ["DATA 1 back", "DATA 1  ."])
        peer.send(HTTP2Peer.data(1, "", isLast: true))
        #expect(exchange.log == ["raw end"])
        exchange.stream.exchangeEnded()
        #expect(try peer.texts() == [] && peer.connection.streams.isEmpty)
    }

    /// A 2xx would say that it is open.
    @Test func anAnswerThatOpensNoWebSocketIsNoSuccess() throws {
        let peer = try connect()
        peer.send(Self.webSocket)
        try exchange.begin(200)
        try exchange.send("a page", isLast: true)
        #expect(try peer.texts() == ["HEADERS 1 502", "DATA 1 a page .", "RESET 1 0"])
    }
}
