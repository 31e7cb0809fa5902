import HTTPMessage
import NIOCore
import Testing

@testable import OriginHTTP

struct OutgoingRequestTests {
    private func encode(_ request: RequestHead, framing: BodyFraming = .none) throws -> String {
        try text(of: OutgoingRequest(request, framing: framing, authority: "origin:8080"))
    }

    private func text(of request: OutgoingRequest) -> String {
        var output = Output()
        output.appendHead(request)
        return text(&output)
    }

    private func text(_ output: inout Output) -> String {
        var whole = ByteBuffer()
        output.takeAll().forEach { whole.writeImmutableBuffer($0) }
        return String(buffer: whole)
    }

    @Test func theHostIsTheOriginsOwn() throws {
        let head = RequestHead(
            method: "GET", target: "/a?b",
            fields: HeaderFields([.host: "public.example", .date: "x", .host: "b"]))
        #expect(try encode(head) == "GET /a?b HTTP/1.1\r\nHost: origin:8080\r\nDate: x\r\n\r\n")
    }

    @Test func fieldsOfOneHopDoNotReachTheOrigin() throws {
        let fields = HeaderFields([
            .connection: "close, X-Token", .keepAlive: "timeout=5", .te: "gzip", .upgrade: "h2c",
            .xToken: "s",
            .transferEncoding: "chunked", .date: "x",
        ])
        let head = RequestHead(method: "GET", target: "/", fields: fields)
        #expect(try encode(head) == "GET / HTTP/1.1\r\nHost: origin:8080\r\nDate: x\r\n\r\n")
    }

    @Test func theOriginHearsThatTrailersAreTaken() throws {
        let head = RequestHead(
            method: "GET", target: "/", fields: HeaderFields([.te: "gzip, trailers", .date: "x"]))
        let expected =
            "GET / HTTP/1.1\r\nHost: origin:8080\r\nDate: x\r\n" + "Connection: TE\r\nTE: trailers\r\n\r\n"
        #expect(try encode(head) == expected)
    }

    @Test func upgradesAreKept() throws {
        let fields = HeaderFields([.connection: "keep-alive, Upgrade", .upgrade: "websocket", .date: "x"])
        let head = RequestHead(method: "GET", target: "/", fields: fields)
        #expect(
            try encode(head)
                == "GET / HTTP/1.1\r\nHost: origin:8080\r\nDate: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        #expect(try OutgoingRequest(head, framing: .none, authority: "a").upgrade.protocols == ["websocket"])
    }

    @Test(arguments: [
        ("h2c", BodyFraming.none, nil), ("h2c, websocket", .none, "websocket"), ("TLS/1.0", .none, nil),
        ("websocket", .length(3), nil), ("websocket", .chunked, nil),
    ])
    func onlySomeProtocolsAreOffered(upgrade: String, framing: BodyFraming, expected: String?) throws {
        let fields = HeaderFields([
            .connection: "Upgrade, HTTP2-Settings", .upgrade: upgrade, .http2Settings: "AAMA",
        ])
        let text = try encode(RequestHead(method: "GET", target: "/", fields: fields), framing: framing)
        #expect(!text.contains("HTTP2-Settings"))
        #expect(text.contains("Connection: Upgrade\r\nUpgrade: \(expected ?? "")") == (expected != nil))
        #expect(text.contains("Upgrade") == (expected != nil))
    }

    @Test func theHostMayBeAnother() throws {
        let head = RequestHead(method: "GET", target: "/", fields: HeaderFields([.host: "public.example"]))
        let request = try OutgoingRequest(head, framing: .none, authority: "origin:8080", host: "a.example")
        #expect(text(of: request) == "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
    }

    @Test func bodiesAreFramedAsAnnounced() throws {
        let head = RequestHead(method: "POST", target: "/")
        #expect(
            try encode(head, framing: .chunked)
                == "POST / HTTP/1.1\r\nHost: origin:8080\r\nTransfer-Encoding: chunked\r\n\r\n")
        #expect(
            try encode(head, framing: .length(3))
                == "POST / HTTP/1.1\r\nHost: origin:8080\r\nContent-Length: 3\r\n\r\n")
        let withLength = RequestHead(method: "POST", target: "/", fields: HeaderFields([.contentLength: "3"]))
        #expect(
            try encode(withLength, framing: .length(3))
                == "POST / HTTP/1.1\r\nHost: origin:8080\r\nContent-Length: 3\r\n\r\n")
        #expect(
            try encode(withLength, framing: .chunked)
                == "POST / HTTP/1.1\r\nHost: origin:8080\r\nTransfer-Encoding: chunked\r\n\r\n")
        let empty = RequestHead(method: "POST", target: "/", fields: HeaderFields([.contentLength: "0"]))
        #expect(try encode(empty) == "POST / HTTP/1.1\r\nHost: origin:8080\r\nContent-Length: 0\r\n\r\n")
    }

    @Test(arguments: [
        (RequestHead(method: "CONNECT", target: "a:1"), BodyFraming.none),
        (RequestHead(method: "GET", target: "/ HTTP/1.1\r\nX: y"), .none),
        (RequestHead(method: "GET", target: ""), .none), (RequestHead(method: "G T", target: "/"), .none),
        (RequestHead(method: "POST", target: "/"), .untilClose),
        (RequestHead(method: "POST", target: "/", fields: HeaderFields([.contentLength: "3"])), .none),
        (RequestHead(method: "POST", target: "/", fields: HeaderFields([.contentLength: "3"])), .length(4)),
        (
            RequestHead(
                method: "POST", target: "/", fields: HeaderFields([.contentLength: "3", .contentLength: "3"])),
            .length(3)
        ),
    ])
    func whatCouldBeReadInTwoWaysIsNotSent(head: RequestHead, framing: BodyFraming) {
        let error = #expect(throws: OriginError.self) {
            try OutgoingRequest(head, framing: framing, authority: "a")
        }
        #expect(error?.code == .badRequest)
    }

    @Test(arguments: [
        ("GET", BodyFraming.none, true), ("HEAD", .none, true), ("OPTIONS", .none, true),
        ("TRACE", .none, true),
        ("PUT", .none, true), ("DELETE", .none, true), ("POST", .none, false), ("PATCH", .none, false),
        ("get", .none, false), ("PUT", .length(1), false), ("PUT", .chunked, false),
        ("PUT", .length(0), true),
    ])
    func onlyIdempotentRequestsWithoutABodyAreRepeatable(method: String, framing: BodyFraming, expected: Bool)
        throws
    {
        let head = RequestHead(method: method, target: "/")
        #expect(try OutgoingRequest(head, framing: framing, authority: "a").isRepeatable == expected)
    }

    @Test func aBodyOfKnownLengthIsNeverLongerNorShorter() throws {
        var body = RequestBody(.length(5))
        try body.take(3)
        #expect(!body.isWhole)
        var short = body
        #expect(throws: OriginError.self) { try short.end() }
        var long = body
        #expect(throws: OriginError.self) { try long.take(3) }
        try body.take(2)
        #expect(body.isWhole)
        try body.end()
        #expect(throws: OriginError.self) { try body.take(1) }
    }

    @Test(arguments: [BodyFraming.none, .length(0)]) func whereNoBodyIsAnnouncedThereIsNone(
        framing: BodyFraming
    ) throws {
        var body = RequestBody(framing)
        #expect(body.isWhole)
        #expect(throws: OriginError.self) { try body.take(1) }
        try body.end()
    }

    @Test func aChunkedBodyIsWholeWhenItIsEnded() throws {
        var body = RequestBody(.chunked)
        for count in [1, 1 << 40, 3] { try body.take(count) }
        #expect(!body.isWhole)
        try body.end()
        #expect(body.isWhole)
        #expect(throws: OriginError.self) { try body.take(1) }
    }

    @Test(arguments: [1, Output.largestCopy, Output.largestCopy + 1, 100_000])
    func chunksSmallAndLargeAreDecodable(size: Int) throws {
        var output = Output()
        let piece = ByteBuffer(repeating: UInt8(ascii: "x"), count: size)
        for _ in 0..<3 { output.appendChunk(piece) }
        output.appendLastChunk(trailers: HeaderFields([.date: "now"]))
        let count = output.count
        var wire = ByteBuffer()
        output.takeAll().forEach { wire.writeImmutableBuffer($0) }
        #expect(wire.readableBytes == count)
        #expect(output.count == 0)
        var decoder = BodyDecoder(.chunked)
        var received = 0
        while let part = try decoder.next(&wire) {
            switch part {
            case .bytes(let bytes): received += bytes.readableBytes
            case .end(let trailers): #expect(trailers?[.date] == "now")
            }
        }
        #expect(received == 3 * size)
    }
}
