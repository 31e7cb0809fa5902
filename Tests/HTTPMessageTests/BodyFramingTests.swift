import HTTPMessage
import Testing

/// Everything that two servers could read differently (RFC 9112 §6.3, §11.2).
struct BodyFramingTests {
    struct Example: CustomTestStringConvertible {
        let fields: String
        let framing: BodyFraming?
        let code: HTTPMessageError.Code
        let version: String
        init(
            _ fields: String, _ framing: BodyFraming? = nil, code: HTTPMessageError.Code = .malformed,
            version: String = "1.1"
        ) {
            self.fields = fields
            self.framing = framing
            self.code = code
            self.version = version
        }
        var testDescription: String { "HTTP/\(version) \(String(reflecting: fields))" }
    }

    @Test(arguments: [
        Example("", BodyFraming.none), Example("Content-Length: 0\n", BodyFraming.none),
        Example("Content-Length: 7\n", .length(7)), Example("Content-Length:\t007 \n", .length(7)),
        Example("content-length: 999999999999999999\n", .length(999_999_999_999_999_999)),
        Example("Transfer-Encoding: chunked\n", .chunked), Example("transfer-encoding: CHUNKED\n", .chunked),
        Example("Content-Length: 5\nTransfer-Encoding: chunked\n"),
        Example("Transfer-Encoding: chunked\nContent-Length: 0\n"),
        Example("Content-Length: 5\nContent-Length: 5\n"), Example("Content-Length: 5\nContent-Length: 6\n"),
        Example("Content-Length: 5, 5\n"), Example("Content-Length: +5\n"), Example("Content-Length: -1\n"),
        Example("Content-Length: 0x5\n"), Example("Content-Length: 5 5\n"), Example("Content-Length:\n"),
        Example("Content-Length: 5.0\n"), Example("Content-Length: \u{0665}\n"),
        Example("Content-Length: 1000000000000000000\n"), Example("Content-Length: 18446744073709551616\n"),
        Example("Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n"),
        Example("Transfer-Encoding: chunked, chunked\n"),
        Example("Transfer-Encoding: gzip, chunked\n", code: .unsupportedCoding),
        Example("Transfer-Encoding: gzip\nTransfer-Encoding: Chunked\n", code: .unsupportedCoding),
        Example("Transfer-Encoding: gzip\n"), Example("Transfer-Encoding: chunked, gzip\n"),
        Example("Transfer-Encoding: chunked, identity\n"),
        Example("Transfer-Encoding: identity\n"),
        Example("Transfer-Encoding: xchunked\n"),
        Example("Transfer-Encoding: \"chunked\"\n"),
        Example("Transfer-Encoding: chunked;q=1\n"),
        Example("Transfer-Encoding: ,chunked\n", code: .unsupportedCoding),
        Example("Transfer-Encoding:\n"),
        Example("Transfer-Encoding: chunked\n", version: "1.0"),
    ])
    func requestsAreFramedInOneWayOrNotAtAll(_ example: Example) throws {
        let text = "POST / HTTP/\(example.version)\n\(example.fields)\n"
        guard case .values(let heads, _) = readRequests([text.crlf]) else {
            Issue.record("head refused")
            return
        }
        do throws(HTTPMessageError) {
            #expect(try heads[0].bodyFraming() == example.framing)
        } catch {
            #expect(example.framing == nil)
            #expect(error.code == example.code)
        }
    }

    @Test(arguments: [
        ("GET", 200, "", BodyFraming.untilClose), ("GET", 200, "Content-Length: 3\n", .length(3)),
        ("GET", 200, "Content-Length: 0\n", BodyFraming.none),
        ("GET", 200, "Transfer-Encoding: chunked\n", .chunked),
        ("HEAD", 200, "Content-Length: 3\n", BodyFraming.none),
        ("HEAD", 200, "Transfer-Encoding: chunked\n", BodyFraming.none),
        ("GET", 204, "Content-Length: 3\n", BodyFraming.none),
        ("GET", 304, "Content-Length: 3\n", BodyFraming.none),
        ("GET", 103, "", BodyFraming.none), ("POST", 404, "", .untilClose),
    ])
    func responsesAreFramedByMethodStatusAndFields(
        method: String, status: Int, fields: String, expected: BodyFraming
    ) throws {
        guard case .values(let heads, _) = readResponses(["HTTP/1.1 \(status) X\n\(fields)\n".crlf]) else {
            Issue.record("head refused")
            return
        }
        #expect(try heads[0].bodyFraming(requestMethod: method) == expected)
    }

    @Test(arguments: [
        "Content-Length: 3\nTransfer-Encoding: chunked\n", "Content-Length: 3\nContent-Length: 4\n",
        "Transfer-Encoding: gzip\n",
    ])
    func ambiguousResponsesAreRefused(fields: String) throws {
        guard case .values(let heads, _) = readResponses(["HTTP/1.1 200 OK\n\(fields)\n".crlf]) else {
            Issue.record("head refused")
            return
        }
        #expect(throws: HTTPMessageError.self) { try heads[0].bodyFraming(requestMethod: "GET") }
    }
}
