import HTTPMessage
import NIOCore
import Testing

@testable import TunnelProtocol

/// `PROTOCOL-V2.md` says what is written and read.
@Suite struct ProtocolV2PageTests {
    private static let page = Result { try ProtocolPage("PROTOCOL-V2.md") }

    /// What the examples of single frames say.
    private static let frames: [String: MuxFrame] = [
        "settings": .settings(
            SessionSettings(
                maximumStreams: 1000, initialWindow: 65536, software: "example/1", tunnelName: "web")),
        "settings-raw": .settings(
            SessionSettings(
                maximumStreams: 1000, initialWindow: 65536, software: "example/1", tunnelName: "web",
                features: .rawStreams)),
        "settings-timed": .settings(
            SessionSettings(
                maximumStreams: 1000, initialWindow: 65536, software: "example/1",
                features: [.hostNames, .originTimes])),
        "request-raw": .request(
            StreamID(1), window: 262_144,
            head: text(of: RawStream.request(caller: "192.0.2.1:40000", local: "198.51.100.1:2222")),
            isLast: false),
        "response-raw": .response(
            StreamID(1), head: text(of: RawStream.grant), isInterim: false, isLast: false),
        "request": .request(
            StreamID(1), window: 16384, head: wire("GET /a HTTP/1.1|Host: a||"), isLast: true),
        "interim": .response(
            StreamID(1), head: wire("HTTP/1.1 103 Early Hints||"), isInterim: true, isLast: false),
        "response": .response(
            StreamID(1), head: wire("HTTP/1.1 200 OK||"), isInterim: false, isLast: false),
        "response-timed": .response(
            StreamID(1), head: wire("HTTP/1.1 200 OK||"), isInterim: false, isLast: false,
            originTime: 300_000),
        "data": .data(StreamID(1), ByteBuffer(string: "hello"), isLast: false),
        "data-last": .data(StreamID(1), ByteBuffer(), isLast: true),
        "trailers": .trailers(StreamID(1), wire("Digest: x|")),
        "reset": .reset(StreamID(1), .cancelled, reason: "left"),
        "window": .window(StreamID(1), 65536),
        "ping": .ping(1_000_000_000),
        "pong": .pong(1_000_000_000),
        "goaway": .goAway(lastTaken: StreamID(UInt32(Int32.max)), reason: "reload"),
        "hosts": .hosts([HostRuling(claim: "app", isGranted: true, text: "https://app.t.x.y/")]),
    ]

    /// The examples of whole messages.
    private static let messages = [
        "unknown", "websocket-client", "websocket-server", "server-1", "client-1", "server-2", "server-3",
        "client-2", "server-4", "client-3", "connect-server",
    ]

    private static func text(of head: RequestHead) -> ByteBuffer {
        var text = ByteBuffer()
        text.writeRequestHead(head)
        return text
    }

    private static func text(of head: ResponseHead) -> ByteBuffer {
        var text = ByteBuffer()
        text.writeResponseHead(head)
        return text
    }

    private func bytes(_ name: String) throws -> [UInt8] {
        try #require(try Self.page.get().bytes()[name], "there is no example \(name)")
    }

    @Test func everyExampleIsKnownHere() throws {
        let names = try Self.page.get().bytes().keys
        #expect(names.sorted() == (Self.frames.keys + Self.messages).sorted())
    }

    @Test(arguments: frames.keys.sorted()) func aFrameIsWrittenAndReadAsThePageSays(name: String) throws {
        let frame = try #require(Self.frames[name])
        let bytes = try bytes(name)
        #expect(frame.wire == bytes)
        var reader = MuxReader()
        try reader.feed(bytes)
        try reader.messageEnded()
        #expect(reader.joined == [frame])
    }

    @Test func aConnectionInAWebSocketIsReadAsThePageSays() throws {
        var input = ByteBuffer(bytes: try bytes("connect-server"))
        var reader = RawMessageReader(expectsMask: false)
        #expect(try reader.next(&input) == .bytes(ByteBuffer(string: "hi")))
        #expect(try reader.next(&input) == .end)
        #expect(try reader.next(&input) == .close(code: 1000))
        #expect(try reader.next(&input) == nil)
    }

    @Test func anUnknownFrameIsSkipped() throws {
        var reader = MuxReader()
        try reader.feed(try bytes("unknown"))
        try reader.messageEnded()
        #expect(reader.frames == [.ping(1)])
    }

    @Test func aMessageIsOneBinaryFrameOfTheWebSocket() throws {
        for (name, content, isClient) in [
            ("websocket-client", "client-2", true), ("websocket-server", "server-2", false),
        ] {
            var reader = WebSocketReader(expectsMask: isClient)
            try reader.feed(try bytes(name))
            let content = try bytes(content)
            #expect(reader.received == [.message(content)], "\(name)")
        }
    }

    /// Two machines talk as the page says they do.
    @Test func theSessionGoesAsThePageTellsIt() throws {
        let server = try speaker(.opener, "server/1", tunnelName: "")
        let client = try speaker(.acceptor, "client/1", tunnelName: "web")
        _ = try goes("server-1", from: server, to: client)
        _ = try goes("client-1", from: client, to: server)
        _ = try goes("server-2", from: server, to: client)
        let head = wire("GET /hello HTTP/1.1|Host: origin||")
        let id = try #require(server.open(head: head, isLast: true))
        let asked = try goes("server-3", from: server, to: client)
        #expect(asked == [.request(id, head: head, isLast: true)])
        let answer = wire("HTTP/1.1 200 OK|Content-Length: 5||")
        client.respond(id, head: answer, isLast: false)
        _ = client.send(id, ByteBuffer(string: "hello"))
        client.finish(id)
        let answered = try goes("client-2", from: client, to: server)
        #expect(
            answered == [
                .response(id, head: answer, isInterim: false, isLast: false),
                .data(id, ByteBuffer(string: "hello"), isLast: true),
            ])
        server.drain()
        let left = try goes("server-4", from: server, to: client)
        #expect(left == [.peerDraining(reason: "reload")])
        _ = try goes("client-3", from: client, to: server)
        #expect(server.isDrained)
    }

    /// An end that says of itself what the page does.
    private func speaker(_ role: SessionRole, _ software: String, tunnelName: String) throws -> SessionProbe {
        let probe = try SessionProbe(role, isReady: false)
        probe.machine = MuxMachine(
            role: role, limits: SessionLimits(),
            settings: SessionSettings(
                maximumStreams: 0, initialWindow: 0, software: software, tunnelName: tunnelName),
            budget: probe.budget, now: probe.now)
        return probe
    }

    /// One end writes a message, the other reads it.
    private func goes(
        _ name: String, from writer: SessionProbe, to reader: SessionProbe
    ) throws -> [SessionEvent] {
        let message = writer.message()
        let told = try bytes(name)
        #expect(Array(message.readableBytesView) == told, "\(name)")
        reader.machine.receive(message, now: reader.now)
        let events = try reader.events()
        try reader.machine.messageEnded()
        return events
    }

    @Test func theTypesAreThoseOfThePage() throws {
        let rows = try Self.page.get().table("type", "frame")
        #expect(MuxFrame.Kind(rawValue: UInt8(rows.count)) == nil)
        for (number, row) in rows.enumerated() {
            let kind = try #require(MuxFrame.Kind(rawValue: UInt8(number)))
            #expect(row[0] == "\(number)" && row[1] == "\(kind)")
            for flag in row[3].split(separator: ", ") {
                let words = flag.split(separator: " ")
                let flags: [Substring: MuxFrame.Flags] = [
                    "last": .last, "interim": .interim, "timed": .timed, "answer": .answer,
                ]
                #expect(UInt8(words[0]) == flags[words[1]]?.rawValue)
            }
            let longest = try ProtocolPage.number(row[5])
            #expect(isTaken(kind, length: longest))
            if kind == .data { #expect(longest == MuxFrame.maximumPayload) }
            if kind != .data { #expect(!isTaken(kind, length: longest + 1)) }
            // The time is no more room for the head.
            if kind == .response { #expect(!isTaken(kind, [], length: longest - 3)) }
        }
    }

    private func isTaken(_ kind: MuxFrame.Kind, _ flags: MuxFrame.Flags = .timed, length: Int) -> Bool {
        var header = ByteBuffer()
        header.writeMuxHeader(kind, kind == .response ? flags : [], stream: StreamID(1), length: length)
        var reader = MuxReader(maximumHeadBytes: SessionLimits().maximumHeadBytes)
        return (try? reader.feed(header.readableBytesView)) != nil
    }

    @Test func theCodesAreThoseOfThePage() throws {
        let rows = try Self.page.get().table("code", "name")
        for (number, row) in rows.enumerated() {
            let code = ResetCode(wire: UInt32(number))
            #expect(row[0] == "\(number)" && row[1] == "\(code)" && code.rawValue == UInt32(number))
        }
        #expect(ResetCode(wire: UInt32(rows.count)) == .internalError)
    }

    @Test func theBoundsAreThoseOfThePage() throws {
        let bounds = Dictionary(
            uniqueKeysWithValues: Mirror(reflecting: SessionLimits()).children.compactMap { child in
                child.label.map { ("`\($0)`", "\(child.value)") }
            })
        let rows = try Self.page.get().table("bound", "value")
        #expect(rows.count == 11)
        for row in rows {
            let value = "\(try ProtocolPage.number(row[1]))"
            #expect(bounds[row[0]] == value, "\(row[0])")
        }
    }
}
