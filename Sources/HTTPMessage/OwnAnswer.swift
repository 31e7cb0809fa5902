package import struct NIOCore.ByteBuffer

/// An answer that this program gives itself, whole: a status, fields and a text. It is the same to every method, but that
/// one to HEAD leaves its text out (RFC 9110 §9.3.2).
package struct OwnAnswer: Sendable, Equatable {
    /// What the text is.
    package enum MediaType: String, Sendable {
        /// Words for people.
        case plainText = "text/plain; charset=utf-8"
        /// Values for programs (RFC 8259).
        case json = "application/json"
        /// Values for people and programs (RFC 9512).
        case yaml = "application/yaml"
        /// A page for people.
        case html = "text/html; charset=utf-8"
    }

    /// All of the head but what depends on the connection: `Date` and `Connection`.
    private var head: ResponseHead
    /// UTF-8. Empty where a status has no content: 1xx, 204, 304; and where that is no text.
    package let text: String
    /// What it has in place of a text, as where that is compressed.
    private let bytes: ByteBuffer?

    /// An answer without a text.
    ///
    /// - Parameters:
    ///   - status: 100 to 599.
    ///   - fields: not those that tell of the text.
    package init(_ status: Int, fields: HeaderFields = HeaderFields()) {
        head = ResponseHead(status: status, fields: fields)
        text = ""
        bytes = nil
        if !head.hasNoBody(requestMethod: "") { head.fields.append(.contentLength, "0") }
    }

    /// An answer with a text, which no browser may take for anything else.
    ///
    /// - Parameters:
    ///   - status: 200 to 599. One that has no content drops the text.
    ///   - isCacheable: whether caches may keep it. They must not where what it says may be over in the next moment.
    package init(_ status: Int, text: String, as type: MediaType = .plainText, isCacheable: Bool = false) {
        head = ResponseHead(status: status)
        bytes = nil
        guard !head.hasNoBody(requestMethod: "") else {
            self.text = ""
            return
        }
        self.text = text
        head.fields = HeaderFields([.contentType: type.rawValue, .contentLength: String(text.utf8.count)])
        if !isCacheable { head.fields.append(named: "Cache-Control", "no-store") }
        if type == .plainText { head.fields.append(named: "X-Content-Type-Options", "nosniff") }
    }

    /// An answer in a line of words that holds for this moment.
    package init(_ status: Int, line: String) {
        self.init(status, text: line.hasSuffix("\n") ? line : line + "\n")
    }

    /// An answer of bytes that holds for this moment.
    ///
    /// - Parameters:
    ///   - status: 200 to 599, of those that have content.
    ///   - mediaType: what they are.
    package init(_ status: Int, bytes: ByteBuffer, as mediaType: String) {
        head = ResponseHead(
            status: status,
            fields: HeaderFields([.contentType: mediaType, .contentLength: String(bytes.readableBytes)]))
        head.fields.append(named: "Cache-Control", "no-store")
        text = ""
        self.bytes = bytes
    }

    /// 100 to 599.
    package var status: Int { head.status }

    /// Those that the head says wherever it goes.
    package var fields: HeaderFields { head.fields }

    /// Appends a field to the head, as `Location` or `Retry-After`.
    package mutating func append(_ name: FieldName, _ value: String) { head.fields.append(name, value) }

    /// Appends a field with a name outside `FieldName`.
    package mutating func append(named name: String, _ value: String) {
        head.fields.append(named: name, value)
    }

    /// Bytes of the text, also where HEAD leaves it out.
    package var textBytes: Int { bytes?.readableBytes ?? text.utf8.count }

    /// The two parts of the answer to a request with this method, for a connection with a framing of its own.
    ///
    /// - Returns: the body is nil where none follows.
    package func parts(toMethod method: String) -> (head: ResponseHead, body: ByteBuffer?) {
        let hasBody = textBytes > 0 && method != "HEAD"
        return (head, hasBody ? bytes ?? ByteBuffer(string: text) : nil)
    }

    /// The whole answer as HTTP/1.
    ///
    /// - Parameters:
    ///   - method: of the request.
    ///   - version: of the request.
    ///   - closing: whether the connection ends behind it (RFC 9112 §9.3, §9.6).
    ///   - date: now, as `HTTPDate` writes it, or nil where no clock is at hand (RFC 9110 §6.6.1).
    package func encoded(
        toMethod method: String, _ version: HTTPVersion = .http11, closing: Bool, date: String?
    ) -> ByteBuffer {
        var head = head
        if let date { head.fields.append(.date, date) }
        if closing {
            head.fields.append(.connection, "close")
        } else if version == .http10 {
            head.fields.append(.connection, "keep-alive")
        }
        var output = ByteBuffer()
        output.writeResponseHead(head)
        guard method != "HEAD" else { return output }
        if let bytes { output.writeImmutableBuffer(bytes) } else { output.writeString(text) }
        return output
    }
}
