import HTTPMessage
import NIOCore
import Testing

@Suite struct OwnAnswerTests {
    struct Example: CustomTestStringConvertible {
        var testDescription: String
        var answer: OwnAnswer
        /// Head and body, CRLF as `|`.
        var head: String
        var body = ""
    }

    static let examples = [
        Example(
            testDescription: "words", answer: OwnAnswer(404, line: "Not here"),
            head: "HTTP/1.1 404 Not Found|Content-Type: text/plain; charset=utf-8|Content-Length: 9|"
                + "Cache-Control: no-store|X-Content-Type-Options: nosniff|",
            body: "Not here\n"),
        Example(
            testDescription: "a line that is one already", answer: OwnAnswer(200, line: "a\nb\n"),
            head: "HTTP/1.1 200 OK|Content-Type: text/plain; charset=utf-8|Content-Length: 4|"
                + "Cache-Control: no-store|X-Content-Type-Options: nosniff|",
            body: "a\nb\n"),
        Example(
            testDescription: "characters of more than a byte, cacheable",
            answer: OwnAnswer(200, text: "ä€", isCacheable: true),
            head: "HTTP/1.1 200 OK|Content-Type: text/plain; charset=utf-8|Content-Length: 5|"
                + "X-Content-Type-Options: nosniff|",
            body: "ä€"),
        Example(
            testDescription: "JSON", answer: OwnAnswer(422, text: "{}", as: .json),
            head: "HTTP/1.1 422 |Content-Type: application/json|Content-Length: 2|Cache-Control: no-store|",
            body: "{}"),
        Example(
            testDescription: "bytes", answer: OwnAnswer(200, bytes: ByteBuffer(string: "ab"), as: "a/b"),
            head: "HTTP/1.1 200 OK|Content-Type: a/b|Content-Length: 2|Cache-Control: no-store|",
            body: "ab"),
        Example(
            testDescription: "an empty text",
            answer: with(OwnAnswer(301, text: "", isCacheable: true), "Location", "/a/"),
            head: "HTTP/1.1 301 Moved Permanently|Content-Type: text/plain; charset=utf-8|Content-Length: 0|"
                + "X-Content-Type-Options: nosniff|Location: /a/|"),
        Example(
            testDescription: "no text", answer: OwnAnswer(503, fields: HeaderFields([.retryAfter: "1"])),
            head: "HTTP/1.1 503 Service Unavailable|Retry-After: 1|Content-Length: 0|"),
        Example(
            testDescription: "the methods that there are", answer: with(OwnAnswer(405), "Allow", "GET"),
            head: "HTTP/1.1 405 Method Not Allowed|Content-Length: 0|Allow: GET|"),
        Example(
            testDescription: "who may", answer: with(OwnAnswer(401), "WWW-Authenticate", "Bearer"),
            head: "HTTP/1.1 401 Unauthorized|Content-Length: 0|WWW-Authenticate: Bearer|"),
        Example(
            testDescription: "204", answer: OwnAnswer(204, text: "words"), head: "HTTP/1.1 204 No Content|"),
        Example(
            testDescription: "304", answer: OwnAnswer(304, line: "words"),
            head: "HTTP/1.1 304 Not Modified|"),
        Example(testDescription: "interim", answer: OwnAnswer(100), head: "HTTP/1.1 100 Continue|"),
    ]

    private static func with(_ answer: OwnAnswer, _ name: String, _ value: String) -> OwnAnswer {
        var answer = answer
        answer.append(named: name, value)
        return answer
    }

    @Test(arguments: examples, ["GET", "HEAD", "POST", "head"])
    func everyMethodGetsTheSameHeadAndHEADNoBody(_ example: Example, method: String) throws {
        let body = method == "HEAD" ? "" : example.body
        let written = example.answer.encoded(toMethod: method, closing: false, date: nil)
        let text = String(buffer: written).replacing("\r\n", with: "|")
        #expect(text == example.head + "|" + body)
        let parts = example.answer.parts(toMethod: method)
        #expect(parts.body.map { String(buffer: $0) } == (body.isEmpty ? nil : body))
        #expect(example.answer.textBytes == example.body.utf8.count)
        #expect(parts.head.status == example.answer.status && parts.head.fields == example.answer.fields)

        // A reader of answers finds the end where the answer ends.
        var (bytes, reader) = (written, ResponseHeadReader())
        let head = try #require(try reader.next(&bytes))
        let framing = try head.bodyFraming(requestMethod: method)
        #expect(framing == (body.isEmpty ? .none : .length(body.utf8.count)))
        #expect(String(buffer: bytes) == body)
    }

    @Test func whatDependsOnTheConnectionComesLast() {
        var answer = OwnAnswer(200)
        let plain = answer
        answer.append(.retryAfter, "5")
        #expect(answer != plain)
        let bytes = answer.encoded(toMethod: "GET", closing: true, date: HTTPDate.format(0))
        #expect(
            String(buffer: bytes).replacing("\r\n", with: "|")
                == "HTTP/1.1 200 OK|Content-Length: 0|Retry-After: 5|"
                + "Date: Thu, 01 Jan 1970 00:00:00 GMT|Connection: close||")
    }
}
