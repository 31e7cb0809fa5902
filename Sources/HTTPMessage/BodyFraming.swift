/// How the end of a message body is known (RFC 9112 §6.3).
package enum BodyFraming: Sendable, Hashable {
    /// There is no body.
    case none
    /// Exactly so many bytes; 0 is `none`.
    case length(Int)
    /// `Transfer-Encoding: chunked`.
    case chunked
    /// Up to the end of the connection; responses only.
    case untilClose
}

extension RequestHead {
    /// The framing of this request's body (RFC 9112 §6.3). What two servers could read differently is refused:
    /// it is how requests are smuggled (RFC 9112 §11.2).
    package func bodyFraming() throws(HTTPMessageError) -> BodyFraming {
        if fields.contains(.transferEncoding) {
            guard version == .http11 else {
                throw HTTPMessageError(.malformed, "Transfer-Encoding in an HTTP/1.0 request")
            }
            guard !fields.contains(.contentLength) else {
                throw HTTPMessageError(.malformed, "both Transfer-Encoding and Content-Length")
            }
            try fields.requireChunkedLast()
            return .chunked
        }
        return try fields.contentLength().map { $0 == 0 ? .none : .length($0) } ?? .none
    }
}

extension ResponseHead {
    /// The framing of this response's body (RFC 9112 §6.3).
    ///
    /// - Parameter requestMethod: the method that was asked; an answer to `HEAD` has no body.
    package func bodyFraming(requestMethod: String) throws(HTTPMessageError) -> BodyFraming {
        if hasNoBody(requestMethod: requestMethod) { return .none }
        if fields.contains(.transferEncoding) {
            guard !fields.contains(.contentLength) else {
                throw HTTPMessageError(.malformed, "both Transfer-Encoding and Content-Length")
            }
            try fields.requireChunkedAlone()
            return .chunked
        }
        return try fields.contentLength().map { $0 == 0 ? .none : .length($0) } ?? .untilClose
    }

    /// Whether nothing follows the head, whatever its fields say.
    func hasNoBody(requestMethod: String) -> Bool {
        requestMethod == "HEAD" || status < 200 || status == 204 || status == 304
    }
}

extension ResponseHead {
    /// The framing of an origin's answer, read as leniently as other proxies do, and its fields as they go on: with one
    /// `Content-Length` in its canonical form, or none.
    ///
    /// - Returns: also whether the connection may carry another exchange: not where the framing was told twice.
    package mutating func takeOriginFraming(
        requestMethod: String
    ) throws(HTTPMessageError) -> (framing: BodyFraming, isPlain: Bool) {
        guard let text = fields[.contentLength] else {
            return (try bodyFraming(requestMethod: requestMethod), true)
        }
        if fields.contains(.transferEncoding) {
            // Chunked counts (RFC 9112 §6.3); whoever comes next would not know about a length.
            fields.remove(.contentLength)
            return (try bodyFraming(requestMethod: requestMethod), false)
        }
        let isOdd =
            text.utf8.count > 1 && text.utf8.first == UInt8(ascii: "0")
            || text.utf8.contains(UInt8(ascii: ","))
        guard isOdd || fields.count(of: .contentLength) > 1 else {
            if hasNoBody(requestMethod: requestMethod) { return (.none, true) }
            guard let length = HeaderFields.length(text) else { throw HeaderFields.malformedLength }
            return (length == 0 ? .none : .length(length), true)
        }
        let length = try fields.agreedContentLength()
        fields.remove(.contentLength)
        fields.append(.contentLength, String(length))
        return (try bodyFraming(requestMethod: requestMethod), true)
    }
}

extension HeaderFields {
    /// The one length that all values of `Content-Length` say, repeated fields and lists included.
    fileprivate func agreedContentLength() throws(HTTPMessageError) -> Int {
        let lengths = elements(.contentLength).map(Self.length)
        guard let first = lengths.first, let length = first, lengths.allSatisfy({ $0 == length }) else {
            throw HTTPMessageError(.malformed, "malformed or contradictory Content-Length")
        }
        return length
    }

    fileprivate static let malformedLength = HTTPMessageError(
        .malformed, "malformed or repeated Content-Length")

    private static let unsupportedCoding = HTTPMessageError(
        .unsupportedCoding, "a transfer coding other than chunked")

    fileprivate static func length(_ text: String) -> Int? {
        guard !text.isEmpty, text.utf8.count <= 18, text.utf8.allSatisfy({ $0 &- 0x30 < 10 }) else {
            return nil
        }
        return Int(text)
    }

    /// `Content-Length`, or nil without one; a repeated or malformed one is an error (RFC 9112 §6.3).
    package func contentLength() throws(HTTPMessageError) -> Int? {
        guard let text = self[.contentLength] else { return nil }
        guard count(of: .contentLength) == 1, let length = Self.length(text) else {
            throw Self.malformedLength
        }
        return length
    }

    /// Where the last coding of a request is not chunked, nobody knows how long it is, which is an error of its own
    /// (RFC 9112 §6.3).
    fileprivate func requireChunkedLast() throws(HTTPMessageError) {
        if isChunkedAlone { return }
        let codings = values(.transferEncoding).flatMap { $0.split(separator: ",") }.map {
            $0.filter { $0 != " " && $0 != "\t" }.lowercased()
        }
        guard codings.last == "chunked", codings.count(where: { $0 == "chunked" }) == 1 else {
            throw HTTPMessageError(.malformed, "chunked is not the last transfer coding, once")
        }
        throw Self.unsupportedCoding
    }

    fileprivate func requireChunkedAlone() throws(HTTPMessageError) {
        guard isChunkedAlone else { throw Self.unsupportedCoding }
    }

    private var isChunkedAlone: Bool {
        count(of: .transferEncoding) == 1 && self[.transferEncoding]?.utf8.count == 7
            && list(.transferEncoding, contains: "chunked")
    }
}
