import HTTPMessage
import NIOCore
import Testing

@testable import HTTPServing

/// Answers in the framing of their callers.
@Suite struct ResponseEncoderTests {
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

    private static func head(_ text: String) throws -> ResponseHead {
        var reader = ResponseHeadReader()
        var bytes = ByteBuffer(string: lines("HTTP/1.1 \(text)||"))
        return try #require(try reader.next(&bytes))
    }

    /// Begins an answer as an exchange does.
    private static func begin(
        _ head: ResponseHead, by encoder: inout ResponseEncoder, method: String = "GET", isLast: Bool
    ) throws(HTTPMessageError) -> (bytes: ByteBuffer, length: AnswerLength) {
        var head = head
        Forwarding.rewrite(&head, at: .answerToCaller)
        let length = try AnswerLength(settling: &head, toMethod: method, isLast: isLast)
        return (encoder.begin(head, length, date: "today"), length)
    }

    /// Plays an answer; nil when it must not be given.
    private static func play(_ example: Example) throws -> (String, staysOpen: Bool)? {
        var encoder = ResponseEncoder(example.version, keepAlive: example.keepAlive)
        var written = ByteBuffer()
        let isLast = example.parts.isEmpty && example.trailers == nil
        guard
            var (begun, length) = try? begin(
                head(example.head), by: &encoder, method: example.method, isLast: isLast)
        else { return nil }
        written.writeBuffer(&begun)
        for (index, part) in example.parts.enumerated() {
            let isLast = index == example.parts.count - 1 && example.trailers == nil
            guard length.accepts(part.utf8.count, isLast: isLast) else { return nil }
            length.took(part.utf8.count)
            encoder.write(ByteBuffer(string: part), isLast: isLast) { written.writeImmutableBuffer($0) }
        }
        if let trailers = example.trailers {
            guard length.accepts(0, isLast: true) else { return nil }
            encoder.writeEnd(trailers: HeaderFields(trailers)) { written.writeImmutableBuffer($0) }
        }
        let text = String(buffer: written).replacing("Date: today\r\n", with: "")
        return (text, encoder.keepAlive)
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
            let head = try Self.head("200 OK|\(fields)Content-Length: 0")
            var encoder = ResponseEncoder(.http11, keepAlive: true)
            let begun = try Self.begin(head, by: &encoder, isLast: true)
            let written = try ResponseHead(whole: begun.bytes, limits: HTTPLimits())
            #expect(written.fields.values(.date) == [date])
        }
    }

    @Test func whetherAnAnswersEndShowsDependsOnItsFraming() throws {
        for (version, fields, isDelimited) in [
            (HTTPVersion.http11, "", true), (.http10, "", false),
            (.http10, "|Content-Length: 5", true), (.http11, "|Content-Length: 5", true),
        ] {
            var encoder = ResponseEncoder(version, keepAlive: true)
            _ = try Self.begin(Self.head("200 OK\(fields)"), by: &encoder, isLast: false)
            #expect(encoder.isDelimited == isDelimited, "\(version) \(fields)")
        }
        var encoder = ResponseEncoder(.http11, keepAlive: true)
        _ = encoder.switchProtocols(ResponseHead(status: 101))
        #expect(!encoder.isDelimited)
    }

    @Test func anUpgradeIsRawBytes() throws {
        var encoder = ResponseEncoder(.http11, keepAlive: true)
        var head = ResponseHead(status: 101, fields: HeaderFields([.connection: "Upgrade", .upgrade: "x"]))
        Forwarding.rewrite(&head, at: .answerToCaller)
        let length = try AnswerLength(settling: &head, toMethod: "GET", isLast: false)
        let written = encoder.switchProtocols(head)
        #expect(
            String(buffer: written).lowercased()
                == Self.lines("HTTP/1.1 101 Switching Protocols|connection: Upgrade|upgrade: x||")
                .lowercased())
        #expect(length.isRaw && !encoder.keepAlive)
    }

    @Test func interimHeadsComeBeforeTheFinalOneAndNeverToHTTP10() throws {
        var new = ResponseEncoder(.http11, keepAlive: true)
        #expect(new.interim(ResponseHead(status: 103)) != nil)
        #expect(!new.hasBegun)
        _ = try Self.begin(ResponseHead(status: 204), by: &new, isLast: true)
        #expect(new.hasBegun)
        let old = ResponseEncoder(.http10, keepAlive: false)
        #expect(old.interim(ResponseHead(status: 103)) == nil)
    }

    /// An answer of our own can still be given then.
    @Test func aHeadThatIsRefusedHasNotBegun() {
        var encoder = ResponseEncoder(.http11, keepAlive: true)
        let head = ResponseHead(status: 200, fields: HeaderFields([.contentLength: "5"]))
        #expect(throws: HTTPMessageError.self) { try Self.begin(head, by: &encoder, isLast: true) }
        #expect(!encoder.hasBegun)
    }

    @Test func whatHasBegunKeepsItsPromiseToStay() throws {
        var encoder = ResponseEncoder(.http11, keepAlive: true)
        _ = try Self.begin(ResponseHead(status: 204), by: &encoder, isLast: true)
        encoder.leave()
        #expect(encoder.keepAlive)
        encoder = ResponseEncoder(.http11, keepAlive: true)
        encoder.leave()
        let begun = try Self.begin(ResponseHead(status: 204), by: &encoder, isLast: true)
        #expect(String(buffer: begun.bytes).lowercased().contains("connection: close"))
    }
}
