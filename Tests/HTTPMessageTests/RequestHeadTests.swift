import HTTPMessage
import NIOCore
import Testing

struct RequestHeadTests {
    static let whole = "GET /a/b?c=d HTTP/1.1\nHost: example.com\nX-Empty:\nAccept: \t a, b \t\n\n".crlf

    @Test func splitPointsDoNotMatter() {
        let expected = readRequests([Self.whole])
        guard case .values(let heads, left: "") = expected else {
            Issue.record("\(expected)")
            return
        }
        #expect(heads.map(\.method) == ["GET"])
        #expect(heads[0].target == "/a/b?c=d")
        #expect(heads[0].version == .http11)
        #expect(heads[0].fields.pairs.map(\.name) == ["Host", "X-Empty", "Accept"])
        #expect(heads[0].fields.pairs.map(\.value) == ["example.com", "", "a, b"])
        for pieces in everySplit(Self.whole) { #expect(readRequests(pieces) == expected) }
    }

    @Test func nothingComesBeforeTheEmptyLine() {
        for length in Self.whole.indices {
            let outcome = readRequests([Self.whole[..<length]])
            #expect(outcome == .values([], left: String(decoding: Self.whole[..<length], as: UTF8.self)))
        }
    }

    @Test func pipelinedHeadsComeInOrderAndTheRestStays() {
        let bytes = "GET /1 HTTP/1.1\nHost: a\n\n\nPUT /2 HTTP/1.0\n\nrest".crlf
        for pieces in everySplit(bytes) {
            guard case .values(let heads, let left) = readRequests(pieces) else {
                Issue.record("refused")
                return
            }
            #expect(heads.map(\.target) == ["/1", "/2"])
            #expect(heads.map(\.version) == [.http11, .http10])
            #expect(left == "rest")
        }
    }

    struct Bad: CustomTestStringConvertible {
        let bytes: [UInt8]
        let code: HTTPMessageError.Code
        init(_ text: String, _ code: HTTPMessageError.Code = .malformed) {
            self.bytes = text.bytes
            self.code = code
        }
        var testDescription: String { String(reflecting: String(decoding: bytes.prefix(80), as: UTF8.self)) }
    }

    @Test(arguments: [
        Bad("GET / HTTP/1.1\n\n"), Bad("GET / HTTP/1.1\r\nHost: a\n\r\n"), Bad("\nGET / HTTP/1.1\r\n\r\n"),
        Bad("GET / HTTP/1.1\rHost: a\r\n\r\n"), Bad("GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n"),
        Bad("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n"), Bad("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n"),
        Bad("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), Bad("GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
        Bad("GET / HTTP/1.1\r\nHost\t: a\r\n\r\n"), Bad("GET / HTTP/1.1\r\n: a\r\n\r\n"),
        Bad("GET / HTTP/1.1\r\nHost\r\n\r\n"), Bad("GET / HTTP/1.1\r\nH st: a\r\n\r\n"),
        Bad("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"), Bad("GET / HTTP/1.1\r\nHo\0st: a\r\n\r\n"),
        Bad("GET / HTTP/1.1\r\nHost: a\u{7f}\r\n\r\n"), Bad("GET / HTTP/1.1\r\nH\u{e9}: a\r\n\r\n"),
        Bad("GET / HTTP/1.1\r\nA: \u{1b}[2J\r\n\r\n"),
        Bad("GET  / HTTP/1.1\r\n\r\n"), Bad("GET / HTTP/1.1 \r\n\r\n"), Bad(" GET / HTTP/1.1\r\n\r\n"),
        Bad("GET /a b HTTP/1.1\r\n\r\n"), Bad("GET /\0 HTTP/1.1\r\n\r\n"), Bad("GET\t/\tHTTP/1.1\r\n\r\n"),
        Bad("GET /\u{7f} HTTP/1.1\r\n\r\n"), Bad("G(T / HTTP/1.1\r\n\r\n"), Bad("GET\r\n\r\n"),
        Bad("GET /\r\n\r\n"), Bad("GET / \r\n\r\n"),
        Bad(String(repeating: "A", count: 33) + " / HTTP/1.1\r\n\r\n"),
        Bad("GET / http/1.1\r\n\r\n"), Bad("GET / HTTP/1\r\n\r\n"), Bad("GET / HTTP/1.10\r\n\r\n"),
        Bad("GET / HTTP/x.1\r\n\r\n"), Bad("GET / HTTP/1,1\r\n\r\n"),
        Bad("GET / HTTP/2.0\r\n\r\n", .unsupportedVersion),
        Bad("GET / HTTP/0.9\r\n\r\n", .unsupportedVersion),
        Bad("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\r\n\r\n"),
    ])
    func ambiguityIsRefusedWhereverItIsSplit(_ bad: Bad) {
        for pieces in everySplit(bad.bytes) { #expect(readRequests(pieces) == .refused(bad.code)) }
    }

    @Test func targetsThatAreNotUTF8AreRefused() {
        #expect(readRequests(["GET /".bytes + [0xe9] + " HTTP/1.1\r\n\r\n".bytes]) == .refused(.malformed))
    }

    @Test func laterMinorVersionsCountAs11() {
        guard case .values(let heads, _) = readRequests(["GET / HTTP/1.7\n\n".crlf]) else {
            Issue.record("refused")
            return
        }
        #expect(heads.map(\.version) == [.http11])
    }

    struct Bound: CustomTestStringConvertible {
        let limits: HTTPLimits
        let good: String
        let bad: String
        let code: HTTPMessageError.Code
        var testDescription: String { "\(code)" }
    }

    @Test(arguments: [
        Bound(
            limits: HTTPLimits(startLineBytes: 14), good: "GET / HTTP/1.1\n\n", bad: "GET /a HTTP/1.1\n\n",
            code: .targetTooLong),
        Bound(
            limits: HTTPLimits(fieldCount: 2), good: "GET / HTTP/1.1\nA: 1\nB: 2\n\n",
            bad: "GET / HTTP/1.1\nA: 1\nB: 2\nC: 3\n\n", code: .headTooLarge),
        Bound(
            limits: HTTPLimits(headBytes: 24), good: "GET / HTTP/1.1\nA: 1\n\n",
            bad: "GET / HTTP/1.1\nA: 12\n\n", code: .headTooLarge),
        Bound(
            limits: HTTPLimits(headBytes: 18), good: "GET / HTTP/1.1\n\n", bad: "\n\nGET / HTTP/1.1\n\n",
            code: .targetTooLong),
    ])
    func limitsHoldExactlyAtEverySplit(_ bound: Bound) {
        for pieces in everySplit(bound.good.crlf) {
            guard case .values(let heads, left: "") = readRequests(pieces, limits: bound.limits) else {
                Issue.record("refused at the limit, in pieces of \(pieces.map(\.count))")
                return
            }
            #expect(heads.count == 1)
        }
        for pieces in everySplit(bound.bad.crlf) {
            #expect(readRequests(pieces, limits: bound.limits) == .refused(bound.code))
        }
    }

    @Test func endlessInputIsRefusedEarly() {
        let limits = HTTPLimits(headBytes: 1000, fieldCount: 10, startLineBytes: 100)
        let endless = [UInt8](repeating: UInt8(ascii: "a"), count: 1001)
        #expect(readRequests([endless[..<102]], limits: limits) == .refused(.targetTooLong))
        #expect(
            readRequests(["GET / HTTP/1.1\nA: ".crlf, endless], limits: limits) == .refused(.headTooLarge))
        let emptyLines = [[UInt8]](repeating: [13, 10], count: 501)
        #expect(readRequests(emptyLines, limits: limits) == .refused(.targetTooLong))
    }

    @Test func upgradesAreSeenOnlyWhereConnectionNamesThem() throws {
        func asks(_ text: String) throws -> Bool {
            guard case .values(let heads, _) = readRequests([text.crlf]) else { return false }
            return try #require(heads.first).asksForUpgrade
        }
        #expect(try asks("GET / HTTP/1.1\nConnection: keep-alive, Upgrade\nUpgrade: websocket\n\n"))
        #expect(try !asks("GET / HTTP/1.1\nUpgrade: websocket\n\n"))
        #expect(try !asks("GET / HTTP/1.1\nConnection: upgrade\n\n"))
        #expect(try !asks("GET / HTTP/1.0\nConnection: upgrade\nUpgrade: websocket\n\n"))
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\n\n", true), ("GET / HTTP/1.1\nConnection: Close\n\n", false),
        ("GET / HTTP/1.1\nConnection: a\nConnection: b , close\n\n", false), ("GET / HTTP/1.0\n\n", false),
        ("GET / HTTP/1.0\nConnection: Keep-Alive\n\n", true),
        ("GET / HTTP/1.0\nConnection: keep-alive, close\n\n", false),
    ])
    func keepAliveFollowsVersionAndConnection(text: String, expected: Bool) {
        guard case .values(let heads, _) = readRequests([text.crlf]) else {
            Issue.record("refused")
            return
        }
        #expect(heads.map(\.allowsKeepAlive) == [expected])
    }

    @Test func headsSurviveARoundTrip() {
        var buffer = ByteBuffer()
        var fields = HeaderFields([.host: "a", .contentType: "text/plain", .host: "b"])
        fields.append(named: "x-TOKEN", "secret")
        let head = RequestHead(method: "PATCH", target: "/x?y=\u{e9}", fields: fields)
        buffer.writeRequestHead(head)
        #expect(readRequests([buffer.readableBytesView]) == .values([head], left: ""))
        #expect(fields[.xToken] == "secret")
    }
}
