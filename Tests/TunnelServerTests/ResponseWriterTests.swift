import HTTPMessage
import NIOCore
import Testing

@testable import TunnelServer

/// Answers in the framing of their callers.
@Suite struct ResponseWriterTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var method = "GET"
        var version = HTTPVersion.http11
        var keepAlive = true
        let head: String
        /// Parts of the body; the last one is the end. None: the head is the end.
        var parts: [String] = []
        var trailers: KeyValuePairs<FieldName, String>?
        /// What the caller gets; nil when the answer must not be given.
        let written: String?
        var staysOpen = true
    }

    static let examples: [Example] = [
        Example(
            testDescription: "a length", head: "200 OK|Content-Length: 5", parts: ["he", "llo"],
            written: "200 OK|Content-Length: 5||hello"),
        Example(
            testDescription: "no length", head: "200 OK", parts: ["he", "llo"],
            written: "200 OK|transfer-encoding: chunked||2|he|3|llo|0||"),
        Example(
            testDescription: "no length, an empty end", head: "200 OK", parts: ["he", ""],
            written: "200 OK|transfer-encoding: chunked||2|he|0||"),
        Example(testDescription: "no body at all", head: "200 OK", written: "200 OK|content-length: 0||"),
        Example(
            testDescription: "trailers", head: "200 OK", parts: ["a"], trailers: [.date: "x"],
            written: "200 OK|transfer-encoding: chunked||1|a|0|date: x||"),
        Example(
            testDescription: "trailers behind a length are dropped", head: "200 OK|Content-Length: 1",
            parts: ["a"], trailers: [.date: "x"], written: "200 OK|Content-Length: 1||a"),
        Example(
            testDescription: "HTTP/1.0 with a length", version: .http10, head: "200 OK|Content-Length: 1",
            parts: ["a"], written: "200 OK|Content-Length: 1|connection: keep-alive||a"),
        Example(
            testDescription: "HTTP/1.0 without", version: .http10, head: "200 OK", parts: ["a", "b"],
            written: "200 OK|connection: close||ab", staysOpen: false),
        Example(
            testDescription: "HTTP/1.0 with trailers", version: .http10, head: "200 OK", parts: ["a"],
            trailers: [.date: "x"], written: "200 OK|connection: close||a", staysOpen: false),
        Example(
            testDescription: "a caller that closes", keepAlive: false, head: "200 OK|Content-Length: 1",
            parts: ["a"], written: "200 OK|Content-Length: 1|connection: close||a", staysOpen: false),
        Example(
            testDescription: "HEAD with a length", method: "HEAD", head: "200 OK|Content-Length: 5",
            written: "200 OK|Content-Length: 5||"),
        Example(
            testDescription: "HEAD with a body", method: "HEAD", head: "200 OK|Content-Length: 5",
            parts: ["hello"], written: nil),
        Example(testDescription: "204", head: "204 No Content", written: "204 No Content||"),
        Example(
            testDescription: "204 with a length", head: "204 No Content|Content-Length: 0",
            written: "204 No Content||"),
        Example(testDescription: "204 with a body", head: "204 No Content", parts: ["x"], written: nil),
        Example(
            testDescription: "304 with a length", head: "304 Not Modified|Content-Length: 5",
            written: "304 Not Modified|Content-Length: 5||"),
        Example(
            testDescription: "hop by hop fields",
            head: "200 OK|Connection: x|X: 1|Keep-Alive: 2|Content-Length: 0", parts: [""],
            written: "200 OK|Content-Length: 0||"),
        Example(
            testDescription: "a short body", head: "200 OK|Content-Length: 5", parts: ["four"], written: nil),
        Example(
            testDescription: "a long body", head: "200 OK|Content-Length: 3", parts: ["four"], written: nil),
        Example(
            testDescription: "a body that goes on", head: "200 OK|Content-Length: 4", parts: ["four", "x"],
            written: nil),
        Example(
            testDescription: "trailers too early", head: "200 OK|Content-Length: 4", parts: ["x"],
            trailers: [:], written: nil),
        Example(testDescription: "a missing body", head: "200 OK|Content-Length: 5", written: nil),
        Example(
            testDescription: "two lengths", head: "200 OK|Content-Length: 5|Content-Length: 6", parts: ["x"],
            written: nil),
    ]

    private static func lines(_ text: String) -> String { text.replacing("|", with: "\r\n") }

    /// Plays an answer; nil when it must not be given.
    private static func play(_ example: Example) throws -> (String, staysOpen: Bool)? {
        var writer = ResponseWriter(
            request: RequestHead(method: example.method, target: "/", version: example.version),
            keepAlive: example.keepAlive)
        var reader = ResponseHeadReader()
        var bytes = ByteBuffer(string: lines("HTTP/1.1 \(example.head)||"))
        let head = try #require(try reader.next(&bytes))
        var written = ByteBuffer()
        let isLast = example.parts.isEmpty && example.trailers == nil
        guard let begun = try? writer.begin(head, isLast: isLast, date: "today") else { return nil }
        written.writeImmutableBuffer(begun)
        for (index, part) in example.parts.enumerated() {
            let isLast = index == example.parts.count - 1 && example.trailers == nil
            guard writer.accepts(part.utf8.count, isLast: isLast) else { return nil }
            writer.write(ByteBuffer(string: part), isLast: isLast) { written.writeImmutableBuffer($0) }
        }
        if let trailers = example.trailers {
            guard writer.accepts(0, isLast: true) else { return nil }
            writer.writeEnd(trailers: HeaderFields(trailers)) { written.writeImmutableBuffer($0) }
        }
        let text = String(buffer: written).replacing("Date: today\r\n", with: "")
        return (text, writer.keepAlive)
    }

    @Test(arguments: examples) func answersAreFramedForTheirCallers(_ example: Example) throws {
        let played = try Self.play(example)
        let expected = example.written.map { Self.lines("HTTP/1.1 \($0)") }
        #expect(played?.0.lowercased() == expected?.lowercased())
        if let played { #expect(played.staysOpen == example.staysOpen) }
    }

    @Test func largePartsOfAChunkedBodyAreWholeChunks() throws {
        let part = String(repeating: "x", count: 5000)
        let example = Example(testDescription: "", head: "200 OK", parts: [part, part], written: nil)
        let text = try Self.play(example)?.0
        #expect(text?.hasSuffix("\r\n\r\n1388\r\n\(part)\r\n1388\r\n\(part)\r\n0\r\n\r\n") == true)
    }

    /// RFC 9110 §6.6.1
    @Test func anAnswerWithoutADateGetsOne() throws {
        for (fields, date) in [("", "today"), ("Date: yesterday|", "yesterday")] {
            var reader = ResponseHeadReader()
            var bytes = ByteBuffer(string: Self.lines("HTTP/1.1 200 OK|\(fields)Content-Length: 0||"))
            let head = try #require(try reader.next(&bytes))
            var writer = ResponseWriter(request: RequestHead(method: "GET", target: "/"), keepAlive: true)
            let begun = try writer.begin(head, isLast: true, date: "today")
            let written = try ResponseHead(whole: try #require(begun), limits: HTTPLimits())
            #expect(written.fields.values(.date) == [date])
        }
    }

    @Test func whetherAnAnswersEndShowsDependsOnItsFraming() throws {
        for (version, fields, status, isDelimited) in [
            (HTTPVersion.http11, "", 200, true), (.http10, "", 200, false),
            (.http10, "Content-Length: 5|", 200, true), (.http11, "Content-Length: 5|", 200, true),
            (.http11, "Upgrade: x|", 101, false),
        ] {
            var reader = ResponseHeadReader()
            var bytes = ByteBuffer(string: Self.lines("HTTP/1.1 \(status) OK|\(fields)|"))
            let head = try #require(try reader.next(&bytes))
            var writer = ResponseWriter(
                request: RequestHead(method: "GET", target: "/", version: version), keepAlive: true)
            _ = try writer.begin(head, isLast: false, date: "today")
            #expect(writer.isDelimited == isDelimited, "\(version) \(fields) \(status)")
        }
    }

    @Test func anUpgradeIsRawBytes() throws {
        var writer = ResponseWriter(request: RequestHead(method: "GET", target: "/"), keepAlive: true)
        let head = ResponseHead(status: 101, fields: HeaderFields([.connection: "Upgrade", .upgrade: "x"]))
        let begun = try writer.begin(head, isLast: false, date: "today")
        let written = try #require(begun)
        #expect(
            String(buffer: written).lowercased()
                == Self.lines("HTTP/1.1 101 Switching Protocols|connection: Upgrade|upgrade: x||")
                .lowercased())
        #expect(writer.isRaw && !writer.keepAlive)
    }

    @Test func interimHeadsComeBeforeTheFinalOneAndNeverToHTTP10() throws {
        var new = ResponseWriter(request: RequestHead(method: "GET", target: "/"), keepAlive: true)
        let hints = try new.begin(ResponseHead(status: 103), isLast: false, date: "today")
        #expect(hints != nil)
        #expect(!new.hasBegun)
        let final = try new.begin(ResponseHead(status: 204), isLast: true, date: "today")
        #expect(final != nil)
        #expect(throws: HTTPMessageError.self) {
            try new.begin(ResponseHead(status: 103), isLast: false, date: "today")
        }
        var old = ResponseWriter(
            request: RequestHead(method: "GET", target: "/", version: .http10), keepAlive: false)
        let oldHints = try old.begin(ResponseHead(status: 103), isLast: false, date: "today")
        #expect(oldHints == nil)
    }

    /// An answer of our own can still be given then.
    @Test func aHeadThatIsRefusedHasNotBegun() {
        var writer = ResponseWriter(request: RequestHead(method: "GET", target: "/"), keepAlive: true)
        let head = ResponseHead(status: 200, fields: HeaderFields([.contentLength: "5"]))
        #expect(throws: HTTPMessageError.self) { try writer.begin(head, isLast: true, date: "today") }
        #expect(!writer.hasBegun)
    }
}
