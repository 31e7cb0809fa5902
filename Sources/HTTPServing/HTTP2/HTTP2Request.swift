import HTTPMessage

/// A request's head as HTTP/2 has it, made one that HTTP/1 could have brought (RFC 9113 §8.3): so that nothing behind us
/// reads another request than the one that was checked here.
struct HTTP2Request {
    let head: RequestHead
    let framing: BodyFraming
    /// It asks for a WebSocket by extended CONNECT (RFC 8441): in HTTP/1, by an upgrade.
    let isWebSocket: Bool

    /// The pseudo-header fields of a request.
    private struct Line {
        var method: String?
        var scheme: String?
        var path: String?
        var authority: String?
        var `protocol`: String?

        /// - Throws: for a field that is unknown, or comes twice.
        mutating func take(_ name: String, _ value: String) throws(HTTPMessageError) {
            switch name {
            case ":method": try Self.set(&method, value)
            case ":scheme": try Self.set(&scheme, value)
            case ":path": try Self.set(&path, value)
            case ":authority": try Self.set(&authority, value)
            case ":protocol": try Self.set(&`protocol`, value)
            default: throw HTTPMessageError(.malformed, "unknown pseudo-header field")
            }
        }

        private static func set(_ field: inout String?, _ value: String) throws(HTTPMessageError) {
            guard field == nil else { throw HTTPMessageError(.malformed, "repeated pseudo-header field") }
            field = value
        }
    }

    /// - Parameters:
    ///   - fields: as they came.
    ///   - isLast: no body follows.
    ///   - makeKey: a nonce for a WebSocket's handshake.
    /// - Throws: what is wrong with it, as HTTP/1 would have it answered.
    init(
        _ fields: some Sequence<(name: String, value: String)>, isLast: Bool, limits: HTTPLimits,
        makeKey: () -> String
    ) throws(HTTPMessageError) {
        var line = Line()
        let regular = try Self.regularFields(fields) { name, value throws(HTTPMessageError) in
            try line.take(name, value)
        }
        guard let method = line.method else { throw Self.missingPseudoField }
        guard method == "CONNECT" else {
            guard line.protocol == nil, let scheme = line.scheme, let path = line.path else {
                throw Self.missingPseudoField
            }
            head = try RequestHead(
                method: method, path: path, scheme: scheme, authority: line.authority, fields: regular,
                limits: limits)
            framing = try Self.framing(of: head, isLast: isLast)
            isWebSocket = false
            return
        }
        guard !regular.contains(.contentLength), let authority = line.authority else {
            throw HTTPMessageError(.malformed, "a CONNECT without authority, or with a length")
        }
        framing = .none
        guard let name = line.protocol else {
            guard line.scheme == nil, line.path == nil else { throw Self.missingPseudoField }
            head = try RequestHead(connectingTo: authority, fields: regular)
            isWebSocket = false
            return
        }
        guard let scheme = line.scheme, let path = line.path, !isLast else { throw Self.missingPseudoField }
        guard name == "websocket" else {
            throw HTTPMessageError(.unsupportedCoding, "CONNECT for another protocol than websocket")
        }
        var asking = regular
        asking.remove(.secWebSocketKey)
        asking.append(.secWebSocketKey, makeKey())
        asking.append(.connection, "Upgrade")
        asking.append(.upgrade, name)
        head = try RequestHead(
            method: "GET", path: path, scheme: scheme, authority: authority, fields: asking, limits: limits)
        isWebSocket = true
    }

    private static let missingPseudoField = HTTPMessageError(
        .malformed, "pseudo-header fields are missing, or not for this method")

    /// The method, as far as the answer depends on it, of a head that makes no sense.
    static func method(of fields: some Sequence<(name: String, value: String)>) -> String {
        fields.contains { $0.name == ":method" && $0.value == "HEAD" } ? "HEAD" : "GET"
    }

    /// Fields behind a body.
    static func trailers(
        _ fields: some Sequence<(name: String, value: String)>, limits: HTTPLimits
    ) throws(HTTPMessageError) -> HeaderFields {
        let trailers = try regularFields(fields) { _, _ throws(HTTPMessageError) in
            throw HTTPMessageError(.malformed, "a pseudo-header field behind the body")
        }
        guard trailers.count <= limits.fieldCount else {
            throw HTTPMessageError(.headTooLarge, "too many header fields")
        }
        return trailers
    }

    /// The fields that are no pseudo-header fields, the crumbs of cookies as one.
    private static func regularFields(
        _ fields: some Sequence<(name: String, value: String)>,
        takePseudo: (String, String) throws(HTTPMessageError) -> Void
    ) throws(HTTPMessageError) -> HeaderFields {
        var regular = HeaderFields()
        var cookies: [String] = []
        for (name, value) in fields {
            if name.utf8.first == UInt8(ascii: ":") {
                guard regular.isEmpty, cookies.isEmpty else {
                    throw HTTPMessageError(.malformed, "a pseudo-header field behind others")
                }
                try takePseudo(name, value)
                continue
            }
            if name == "cookie" {
                try HeaderFields.check(received: name, value)
                cookies.append(value)
                continue
            }
            try checkHop(name, value)
            try regular.append(received: name, value)
        }
        // RFC 9113 §8.2.3.
        if !cookies.isEmpty { regular.append(named: "cookie", cookies.joined(separator: "; ")) }
        return regular
    }

    /// What belongs to a connection of HTTP/1 has no place here (RFC 9113 §8.2.2).
    private static func checkHop(_ name: String, _ value: String) throws(HTTPMessageError) {
        switch name {
        case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade": break
        case "te": if value == "trailers" { return }
        default: return
        }
        throw HTTPMessageError(.malformed, "a connection-specific header field")
    }

    private static func framing(of head: RequestHead, isLast: Bool) throws(HTTPMessageError) -> BodyFraming {
        guard let length = try head.fields.contentLength() else { return isLast ? .none : .chunked }
        guard !isLast || length == 0 else {
            throw HTTPMessageError(.malformed, "a promised body is missing")
        }
        return length == 0 ? .none : .length(length)
    }
}
