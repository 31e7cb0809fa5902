import HTTPMessage
import NIOCore

/// Turns one request into the bytes for an origin (RFC 9112 §3, §7.1), and holds its body to its framing.
struct RequestEncoder {
    private enum Body {
        case length(Int)
        case chunked
        case ended
    }

    /// The request line and fields, `Host` and framing included.
    let head: ByteBuffer
    let method: String
    /// What 101 may switch to.
    let upgrade: UpgradeOffer
    /// Whether the same request may be sent again when nothing came back (RFC 9110 §9.2.2), which also needs
    /// that no byte of a body was handed over.
    let isRepeatable: Bool
    private var body: Body

    /// Whether the whole request was encoded.
    var isComplete: Bool {
        if case .ended = body { true } else { false }
    }

    /// - Parameters:
    ///   - authority: of the origin, for messages.
    ///   - host: what the field `Host` says; nil for the authority.
    init(
        _ request: RequestHead, framing: BodyFraming, authority: String, host: String? = nil
    ) throws(OriginError) {
        guard request.method != "CONNECT" else {
            throw OriginError(.badRequest, "CONNECT is not supported towards \(authority)")
        }
        guard !request.target.isEmpty, request.target.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }),
            !request.method.isEmpty, request.method.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { throw OriginError(.badRequest, "malformed request line for \(authority)") }
        upgrade = framing == .none ? request.upgradeOffer : UpgradeOffer()
        var fields = request.fields
        Forwarding.rewrite(&fields, at: .requestToOrigin, upgrade: upgrade)
        switch framing {
        case .none:
            guard (try? fields.contentLength() ?? 0) == 0 else { throw Self.unframed(authority) }
            self.body = .ended
        case .length(let length):
            guard (try? fields.contentLength() ?? length) == length else { throw Self.unframed(authority) }
            if !fields.contains(.contentLength) { fields.append(.contentLength, String(length)) }
            self.body = length > 0 ? .length(length) : .ended
        case .chunked:
            fields.remove(.contentLength)
            self.body = .chunked
        case .untilClose:
            throw Self.unframed(authority)
        }
        self.method = request.method
        if case .ended = body {
            self.isRepeatable =
                switch request.method {
                case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE": true
                default: false
                }
        } else {
            self.isRepeatable = false
        }
        self.head = Self.encode(
            request, fields: fields, host: host ?? authority, isChunked: framing == .chunked)
    }

    /// Appends a piece of the body to `output`.
    mutating func encode(_ bytes: ByteBuffer, to output: inout Output) throws(OriginError) {
        guard bytes.readableBytes > 0 else { return }
        switch body {
        case .length(let remaining):
            guard bytes.readableBytes <= remaining else {
                throw OriginError(.badRequest, "request body longer than its Content-Length")
            }
            body = bytes.readableBytes == remaining ? .ended : .length(remaining - bytes.readableBytes)
            output.append(bytes)
        case .chunked:
            output.appendChunk(bytes)
        case .ended:
            throw OriginError(.badRequest, "request body longer than announced")
        }
    }

    /// Appends what ends the body to `output`. Nothing is left to do after a body of known length.
    mutating func end(trailers: HeaderFields?, to output: inout Output) throws(OriginError) {
        switch body {
        case .length: throw OriginError(.badRequest, "request body shorter than its Content-Length")
        case .chunked: output.appendLastChunk(trailers: trailers)
        case .ended: break
        }
        body = .ended
    }

    private static func unframed(_ authority: String) -> OriginError {
        OriginError(.badRequest, "request to \(authority) with a body of unclear length")
    }

    private static func encode(
        _ request: RequestHead, fields: HeaderFields, host: String, isChunked: Bool
    ) -> ByteBuffer {
        var output = ByteBuffer()
        output.reserveCapacity(512)
        output.writeString(request.method)
        output.writeStaticString(" ")
        output.writeString(request.target)
        output.writeStaticString(" HTTP/1.1\r\nHost: ")
        output.writeString(host)
        output.writeStaticString("\r\n")
        fields.write(to: &output)
        if isChunked { output.writeStaticString("Transfer-Encoding: chunked\r\n") }
        output.writeStaticString("\r\n")
        return output
    }
}
