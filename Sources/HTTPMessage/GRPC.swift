/// gRPC over HTTP: what those who speak it make of an answer of our own.
package enum GRPC {
    /// Its own code for what is away, and may be back in a moment.
    package static let unavailable = 14

    /// The content type of a request, where it is one of gRPC, of whatever coding, or of gRPC-Web; else nil.
    ///
    /// - Parameter fields: of the request.
    package static func type(of fields: HeaderFields) -> String? {
        fields[.contentType].flatMap { isType($0, ["", "+", ";", "-web"]) ? $0 : nil }
    }

    /// Whether an answer ends with a status in its trailers: one of gRPC-Web has them in its body.
    package static func hasTrailers(_ answer: HeaderFields) -> Bool {
        answer[.contentType].map { isType($0, ["", "+", ";"]) } ?? false
    }

    /// Whether a content type is gRPC's, with one of these behind it.
    private static func isType(_ type: String, _ rests: [String]) -> Bool {
        let type = type.lowercased()
        guard type.hasPrefix(prefix) else { return false }
        let rest = type.dropFirst(prefix.count)
        return rests.contains { $0.isEmpty ? rest.isEmpty : rest.hasPrefix($0) }
    }

    private static let prefix = "application/grpc"

    /// What ends an answer that has broken off.
    package static func trailers(_ code: Int, _ message: String) -> HeaderFields {
        var trailers = HeaderFields()
        trailers.append(named: "grpc-status", String(code))
        trailers.append(named: "grpc-message", encoded(message))
        return trailers
    }

    /// The code for a status of HTTP that is ours (gRPC's "HTTP to gRPC Status Code Mapping"; 404 says here that there is no
    /// tunnel, not that there is no such method).
    static func code(ofStatus status: Int) -> Int {
        switch status {
        case 400: 13
        case 401: 16
        case 403: 7
        case 404, 408, 429, 502, 503, 504: unavailable
        case 413, 414, 431: 8
        case 501: 12
        default: 2
        }
    }

    /// Percent-encoded as gRPC wants it: visible ASCII and spaces but `%`.
    static func encoded(_ message: String) -> String {
        var text = ""
        for byte in message.utf8 {
            if (0x20...0x7e).contains(byte), byte != UInt8(ascii: "%") {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return text
    }
}

extension OwnAnswer {
    /// The same as who asked understands it.
    ///
    /// - Parameter request: the fields of the request.
    package func spoken(to request: HeaderFields) -> OwnAnswer {
        guard status != 200, let type = GRPC.type(of: request) else { return self }
        return asGRPC(type)
    }

    /// The same as a status of gRPC, in an answer without a body, whose head is its trailers too.
    ///
    /// - Parameter type: the content type of the request.
    package func asGRPC(_ type: String) -> OwnAnswer {
        var fields = HeaderFields([.contentType: type])
        if let seconds = self.fields[.retryAfter] { fields.append(.retryAfter, seconds) }
        let words = text.hasSuffix("\n") ? String(text.dropLast()) : text
        for (name, value) in GRPC.trailers(GRPC.code(ofStatus: status), words).pairs {
            fields.append(named: name, value)
        }
        return OwnAnswer(200, fields: fields)
    }
}
