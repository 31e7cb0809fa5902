import HTTPMessage
import NIOHPACK

/// A request's head as HTTP/2 has it (RFC 9113 §8.3.1), made of one that could go over HTTP/1.
enum HTTP2RequestHead {
    /// What an origin takes of a head.
    struct Limits {
        /// Of one frame, in bytes (SETTINGS_MAX_FRAME_SIZE): a head that needs more frames cannot be written.
        var frameBytes = 16 << 10
        /// SETTINGS_MAX_HEADER_LIST_SIZE, in bytes; nil for any.
        var listBytes: Int?
    }

    /// What the limit of a list counts for a field beside its text (RFC 9113 §6.5.2).
    private static let perField = 32

    /// - Parameters:
    ///   - scheme: of the origin.
    ///   - isWebSocket: asks for it by extended CONNECT (RFC 8441 §4), in place of an upgrade.
    /// - Throws: for what is larger than the origin takes.
    static func fields(
        of request: OutgoingRequest, scheme: String, isWebSocket: Bool = false, limits: Limits
    ) throws(OriginError) -> HPACKHeaders {
        var headers = HPACKHeaders()
        headers.add(
            name: ":method", value: isWebSocket ? "CONNECT" : request.method, indexing: .nonIndexable)
        if isWebSocket { headers.add(name: ":protocol", value: "websocket") }
        headers.add(name: ":scheme", value: scheme)
        headers.add(name: ":path", value: request.target, indexing: .nonIndexable)
        if !request.host.isEmpty {
            headers.add(name: ":authority", value: request.host, indexing: .nonIndexable)
        }
        append(request.fields, to: &headers, withoutKey: isWebSocket)
        guard fits(headers, limits) else {
            throw OriginError(
                .badRequest, "the request's header fields are larger than \(request.host) takes over HTTP/2")
        }
        return headers
    }

    /// - Throws: for what is larger than the origin takes.
    static func trailers(_ fields: HeaderFields, limits: Limits) throws(OriginError) -> HPACKHeaders {
        var headers = HPACKHeaders()
        var fields = fields
        Forwarding.rewrite(&fields, at: .trailers)
        append(fields, to: &headers, withoutKey: false)
        guard fits(headers, limits) else {
            throw OriginError(.badRequest, "the request's trailers are larger than the origin takes")
        }
        return headers
    }

    private static func append(_ fields: HeaderFields, to headers: inout HPACKHeaders, withoutKey: Bool) {
        let pairs = fields.pairs
        headers.reserveCapacity(headers.count + pairs.count)
        for (name, value) in pairs {
            let name = name.lowercased()
            if HTTP2Fields.isOfOneHop(name) || withoutKey && name == "sec-websocket-key" { continue }
            headers.add(name: name, value: value, indexing: indexing(name))
        }
    }

    /// In no table: how large that is the origin says, and secrets of callers who share the connection do not share it
    /// (RFC 7541 §7.1.3).
    private static func indexing(_ name: String) -> HPACKIndexing {
        name == "authorization" || name == "cookie" ? .neverIndexed : .nonIndexable
    }

    private static func fits(_ headers: HPACKHeaders, _ limits: Limits) -> Bool {
        var list = 0
        for (name, value, _) in headers { list += name.utf8.count + value.utf8.count + perField }
        guard list <= limits.listBytes ?? .max else { return false }
        // Four bytes are the most that one takes.
        guard list > limits.frameBytes / 4 else { return true }
        return headers.reduce(16) { $0 + HTTP2Fields.mostBytes($1.name, $1.value) } <= limits.frameBytes
    }
}
