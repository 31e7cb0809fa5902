import HTTPMessage
import NIOCore
import Testing

@testable import HTTPServing

/// What goes on of a request that came by HTTP/2: nothing that HTTP/1 would read as another one.
@Suite struct HTTP2RequestTests {
    typealias Field = (name: String, value: String)

    private static let start: [Field] = [
        (":method", "GET"), (":scheme", "http"), (":authority", "a.example"), (":path", "/x?y"),
    ]

    struct Example: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let fields: [(name: String, value: String)]
        var isLast = true
        /// The status that HTTP/1 would answer; 400 is a reset here.
        var status = 400

        init(_ name: String, _ fields: [Field], isLast: Bool = true, _ status: Int = 400) {
            (testDescription, self.fields, self.isLast, self.status) = (name, fields, isLast, status)
        }
    }

    /// The start with other values of some of its fields, and more behind it.
    private static func with(_ changes: [String: String?] = [:], _ more: [Field] = []) -> [Field] {
        start.compactMap { field in
            guard let change = changes[field.name] else { return field }
            return change.map { (field.name, $0) }
        } + more
    }

    private static func read(_ fields: [Field], isLast: Bool = true) throws(HTTPMessageError) -> HTTP2Request
    {
        try HTTP2Request(fields, isLast: isLast, limits: HTTPLimits(), makeKey: { "key" })
    }

    private static func text(_ head: RequestHead) -> String {
        var bytes = ByteBuffer()
        bytes.writeRequestHead(head)
        return String(buffer: bytes).replacing("\r\n", with: "|")
    }

    static let refused: [Example] = [
        Example("no method", with([":method": nil])), Example("no scheme", with([":scheme": nil])),
        Example("no path", with([":path": nil])), Example("no host", with([":authority": nil])),
        Example("nothing", []),
        Example("a method twice", with([:], [(":method", "GET")])),
        Example("a path twice", start + [(":path", "/x?y")]),
        Example("a pseudo field behind others", with([":path": nil], [("a", "b"), (":path", "/")])),
        Example("a pseudo field behind a cookie", with([":path": nil], [("cookie", "b"), (":path", "/")])),
        Example("an unknown pseudo field", start + [(":a", "b")]),
        Example("a status", start + [(":status", "200")]),
        Example("a protocol without CONNECT", start + [(":protocol", "websocket")]),
        Example("an empty method", with([":method": ""])),
        Example("a method that is none", with([":method": "GE T"])),
        Example("a request in the method", with([":method": "GET / HTTP/1.1\r\nHost: b\r\n\r\nGET"])),
        Example("an endless method", with([":method": String(repeating: "A", count: 33)])),
        Example("an empty path", with([":path": ""])), Example("a path without slash", with([":path": "x"])),
        Example("a path with a blank", with([":path": "/ HTTP/1.1"])),
        Example("a request in the path", with([":path": "/ HTTP/1.1\r\nHost: b\r\n\r\n"])),
        Example("a path with a line feed", with([":path": "/\n"])),
        Example("a path with NUL", with([":path": "/\0"])),
        Example("a path with a fragment", with([":path": "/#a"])),
        Example("a path in absolute form", with([":path": "http://b/"])),
        Example("a path that was no UTF-8", with([":path": "/\u{fffd}"])),
        Example("GET *", with([":path": "*"])),
        Example("a scheme that is none", with([":scheme": "http://b/?"])),
        Example("another scheme", with([":scheme": "ftp"])),
        Example("an empty authority", with([":authority": ""])),
        Example("a user in the authority", with([":authority": "u@a"])),
        Example("a path in the authority", with([":authority": "a/b"])),
        Example("a field in the authority", with([":authority": "a\r\nX: y"])),
        Example("another host", start + [("host", "b.example")]),
        Example("the host twice", start + [("host", "a.example"), ("host", "a.example")]),
        Example("two hosts", with([":authority": nil], [("host", "a"), ("host", "b")])),
        Example("a capital in a name", start + [("X-a", "b")]),
        Example("a blank in a name", start + [("x a", "b")]), Example("no name", start + [("", "b")]),
        Example("a colon in a name", start + [("x:", "b")]),
        Example("a line in a name", start + [("x: y\r\nz", "b")]),
        Example("CR in a value", start + [("x", "a\rb")]),
        Example("LF in a value", start + [("x", "a\nb: c")]),
        Example("CRLF in a value", start + [("x", "a\r\n\r\nGET / HTTP/1.1")]),
        Example("NUL in a value", start + [("x", "a\0b")]),
        Example("DEL in a value", start + [("x", "\u{7f}")]),
        Example("a blank before a value", start + [("x", " a")]),
        Example("a blank behind a value", start + [("x", "a ")]),
        Example("a tab behind a value", start + [("x", "a\t")]),
        Example("a line in a crumb", start + [("cookie", "a"), ("cookie", "b\r\nc: d")]),
        Example("a blank before a crumb", start + [("cookie", "a"), ("cookie", " b")]),
        Example("Connection", start + [("connection", "close")]),
        Example("Keep-Alive", start + [("keep-alive", "1")]),
        Example("Proxy-Connection", start + [("proxy-connection", "close")]),
        Example("Transfer-Encoding", start + [("transfer-encoding", "chunked")], isLast: false),
        Example("Upgrade", start + [("upgrade", "h2c")]),
        Example("TE", start + [("te", "gzip")]), Example("TE and more", start + [("te", "trailers, gzip")]),
        Example("a length without a body", start + [("content-length", "1")]),
        Example("two lengths", start + [("content-length", "1"), ("content-length", "1")], isLast: false),
        Example("a list of lengths", start + [("content-length", "1, 1")], isLast: false),
        Example("a signed length", start + [("content-length", "+1")], isLast: false),
        Example("CONNECT with a path", with([":method": "CONNECT"]), isLast: false),
        Example("CONNECT without authority", [(":method", "CONNECT")], isLast: false),
        Example("CONNECT to a line", [(":method", "CONNECT"), (":authority", "a b")], isLast: false),
        Example(
            "a WebSocket that has ended", with([":method": "CONNECT"], [(":protocol", "websocket")]),
            isLast: true),
        Example(
            "a WebSocket with a length",
            with([":method": "CONNECT"], [(":protocol", "websocket"), ("content-length", "1")]),
            isLast: false),
        Example(
            "another protocol", with([":method": "CONNECT"], [(":protocol", "connect-udp")]), isLast: false,
            501),
        Example("a long path", with([":path": "/" + String(repeating: "a", count: 17_000)]), 414),
        Example("many fields", start + Array(repeating: ("a", "b"), count: 128), 431),
        Example("large fields", start + [("a", String(repeating: "b", count: 65_500))], 431),
    ]

    @Test(arguments: refused) func whatMakesNoSenseGoesNowhere(_ example: Example) {
        do throws(HTTPMessageError) {
            let request = try Self.read(example.fields, isLast: example.isLast)
            Issue.record("it goes on as \(Self.text(request.head))")
        } catch {
            #expect(error.status == example.status)
        }
    }

    @Test(arguments: [
        (with(), "GET /x?y HTTP/1.1|Host: a.example||"),
        (with([":method": "OPTIONS", ":path": "*"]), "OPTIONS * HTTP/1.1|Host: a.example||"),
        (with([":scheme": "https", ":path": "//b"]), "GET //b HTTP/1.1|Host: a.example||"),
        (with([:], [("host", "A.example:80"), ("x", "")]), "GET /x?y HTTP/1.1|x: |Host: a.example||"),
        (with([":authority": nil], [("host", "b")]), "GET /x?y HTTP/1.1|host: b||"),
        (
            with([:], [("te", "trailers"), ("x", "a\tb")]),
            "GET /x?y HTTP/1.1|te: trailers|x: a\tb|Host: a.example||"
        ),
        (
            with([:], [("cookie", "a=b"), ("x", "y"), ("cookie", "c=d")]),
            "GET /x?y HTTP/1.1|x: y|cookie: a=b; c=d|Host: a.example||"
        ),
        ([(":method", "CONNECT"), (":authority", "b:1")], "CONNECT b:1 HTTP/1.1||"),
    ])
    func whatMakesSenseGoesOnAsOneRequest(_ fields: [Field], _ text: String) throws {
        #expect(try Self.text(Self.read(fields).head) == text)
    }

    @Test func aWebSocketIsAskedForByAnUpgrade() throws {
        let fields = Self.with(
            [":method": "CONNECT"],
            [(":protocol", "websocket"), ("sec-websocket-key", "theirs"), ("sec-websocket-version", "13")])
        let request = try Self.read(fields, isLast: false)
        #expect(request.isWebSocket && request.framing == .none)
        #expect(
            Self.text(request.head)
                == "GET /x?y HTTP/1.1|sec-websocket-version: 13|Sec-WebSocket-Key: key|Connection: Upgrade|Upgrade: websocket|Host: a.example||"
        )
        #expect(request.head.upgradeOffer.fieldValue == "websocket")
    }

    @Test func theBodyIsAsLongAsItSays() throws {
        #expect(try Self.read(Self.with()).framing == .none)
        #expect(try Self.read(Self.with(), isLast: false).framing == .chunked)
        let length = Self.with([:], [("content-length", "012")])
        let request = try Self.read(length, isLast: false)
        #expect(request.framing == .length(12) && request.head.fields[.contentLength] == "12")
        #expect(try Self.read(Self.with([:], [("content-length", "0")])).framing == .none)
    }

    @Test(
        arguments: [
            [(":path", "/")], [("connection", "close")], [("X", "y")], [("x", "y\r\n")],
        ] as [[Field]])
    func trailersAreHeldToTheSame(_ fields: [Field]) {
        #expect(throws: HTTPMessageError.self) { try HTTP2Request.trailers(fields, limits: HTTPLimits()) }
    }
}
