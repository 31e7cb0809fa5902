/// A request that nobody has sent: what would become of it is asked. It may hold secrets, and is never logged.
package struct ExplanationQuery: Codable, Hashable, Sendable {
    package struct Field: Codable, Hashable, Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package var method: String
    /// Whether the URL is `https`.
    package var isSecure: Bool
    /// Of the URL: in lower case, IPv6 without brackets.
    package var host: String
    /// Of the URL, or its scheme's own.
    package var port: Int
    /// Path and query.
    package var target: String
    /// All of the request's, with the one `Host` first unless the others name it.
    package var fields: [Field]
    /// The address that connects, or that a PROXY header names.
    package var from: String
    /// In the client certificate that is shown; nil where none is.
    package var certificateName: String?
    /// The name of the server that is meant; nil: the one that the URL leads to.
    package var server: String?
    /// What the JSON of a query may take at an agent, in bytes.
    package static let mostBytes = 64 << 10

    package init(
        method: String, isSecure: Bool = false, host: String, port: Int, target: String,
        fields: [Field], from: String = "127.0.0.1", certificateName: String? = nil, server: String? = nil
    ) {
        self.method = method
        self.isSecure = isSecure
        self.host = host
        self.port = port
        self.target = target
        self.fields = fields
        self.from = from
        self.certificateName = certificateName
        self.server = server
    }

    /// Why it is no request that could be sent as it stands; nil where it could.
    package var fault: String? {
        let isWord = { (text: String) in !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f } }
        let isText = { (text: String) in text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 } }
        guard isWord(method), isWord(target), fields.allSatisfy({ isWord($0.name) && isText($0.value) })
        else {
            return "method, target and fields hold what cannot stand in a request"
        }
        guard (0...65_535).contains(port) else { return "the port is none" }
        return nil
    }
}
