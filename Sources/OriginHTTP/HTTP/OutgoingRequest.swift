import HTTPMessage

/// A request as it goes to an origin, in whatever version of HTTP: checked, and freed of what belongs to one hop.
struct OutgoingRequest {
    let method: String
    let target: String
    /// What the field `Host`, or `:authority`, says; `fields` has neither.
    let host: String
    let fields: HeaderFields
    /// Of its body; never `.untilClose`.
    let framing: BodyFraming
    /// What 101 may switch to.
    let upgrade: UpgradeOffer
    /// Whether the same request may be sent again when nothing came back (RFC 9110 §9.2.2): it is idempotent, and no byte of
    /// a body was handed over, as it has none.
    let isRepeatable: Bool

    /// - Parameters:
    ///   - framing: of the body; `.untilClose` is an error.
    ///   - authority: of the origin; also for messages.
    ///   - host: what the field `Host` says; nil for the authority.
    init(
        _ request: consuming RequestHead, framing: BodyFraming, authority: String, host: String? = nil
    ) throws(OriginError) {
        guard request.method != "CONNECT" else {
            throw OriginError(.badRequest, "CONNECT is not supported towards \(authority)")
        }
        guard request.hasWritableLine else {
            throw OriginError(.badRequest, "malformed request line for \(authority)")
        }
        let upgrade = framing == .none ? request.upgradeOffer : UpgradeOffer()
        // In place: a copy of the fields would be changed by copying all of them.
        Forwarding.rewrite(&request.fields, at: .requestToOrigin, upgrade: upgrade)
        switch framing {
        case .none:
            guard (try? request.fields.contentLength() ?? 0) == 0 else { throw Self.unframed(authority) }
        case .length(let length):
            guard (try? request.fields.contentLength() ?? length) == length else {
                throw Self.unframed(authority)
            }
            if !request.fields.contains(.contentLength) {
                request.fields.append(.contentLength, String(length))
            }
        case .chunked:
            request.fields.remove(.contentLength)
        case .untilClose:
            throw Self.unframed(authority)
        }
        method = request.method
        target = request.target
        self.host = host ?? authority
        self.upgrade = upgrade
        fields = request.fields
        self.framing = framing
        isRepeatable = RequestBody(framing).isWhole && Self.isIdempotent(request.method)
    }

    /// The key of a WebSocket's handshake, where it asks for one and for nothing else.
    var webSocketKey: String? {
        upgrade.fieldValue.lowercased() == "websocket" && method == "GET" ? fields[.secWebSocketKey] : nil
    }

    private static func isIdempotent(_ method: String) -> Bool {
        switch method {
        case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE": true
        default: false
        }
    }

    private static func unframed(_ authority: String) -> OriginError {
        OriginError(.badRequest, "request to \(authority) with a body of unclear length")
    }
}

/// Holds the body of a request to its framing: what is more would be read as another request.
enum RequestBody: Equatable {
    /// So many bytes are to come, at least one.
    case length(Int)
    /// Any number of bytes, and then the end.
    case chunked
    case whole

    init(_ framing: BodyFraming) {
        switch framing {
        case .length(let length) where length > 0: self = .length(length)
        case .chunked: self = .chunked
        case .length, .none, .untilClose: self = .whole
        }
    }

    /// Whether nothing more is to come.
    var isWhole: Bool { self == .whole }

    /// So many bytes came, at least one.
    mutating func take(_ count: Int) throws(OriginError) {
        switch self {
        case .length(let remaining):
            guard count <= remaining else {
                throw OriginError(.badRequest, "request body longer than its Content-Length")
            }
            self = count == remaining ? .whole : .length(remaining - count)
        case .chunked:
            break
        case .whole:
            throw OriginError(.badRequest, "request body longer than announced")
        }
    }

    /// No more bytes come.
    mutating func end() throws(OriginError) {
        if case .length = self {
            throw OriginError(.badRequest, "request body shorter than its Content-Length")
        }
        self = .whole
    }
}
