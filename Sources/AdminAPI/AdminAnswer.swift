import FoundationEssentials
import HTTPMessage
import NIOCore

/// An answer of the admin API: JSON, and the end of the connection.
struct AdminAnswer {
    let status: Int
    /// The method that the path takes, for 405.
    private(set) var allowed: String?
    private let body: [UInt8]

    init(status: Int, _ value: some Encodable) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            body = Array(try encoder.encode(value))
            self.status = status
        } catch {
            body = Array(#"{"error":"the answer cannot be written as JSON"}"#.utf8)
            self.status = 500
        }
    }

    /// - Parameters:
    ///   - error: what is wrong and what to do.
    ///   - allowed: the method that the path takes, for 405.
    init(status: Int, error: String, allowed: String? = nil) {
        self.init(status: status, ["error": error])
        self.allowed = allowed
    }

    /// - Parameter method: of the request; the answer to HEAD has no body (RFC 9110 §9.3.2).
    func bytes(toMethod method: String) -> ByteBuffer {
        var fields = HeaderFields()
        fields.append(named: "Content-Type", "application/json")
        fields.append(named: "Content-Length", "\(body.count)")
        fields.append(named: "Cache-Control", "no-store")
        fields.append(named: "Connection", "close")
        if let allowed { fields.append(named: "Allow", allowed) }
        if status == 401 { fields.append(named: "WWW-Authenticate", "Bearer") }
        var bytes = ByteBuffer()
        bytes.writeResponseHead(
            ResponseHead(status: status, fields: fields))
        if method != "HEAD" { bytes.writeBytes(body) }
        return bytes
    }
}
