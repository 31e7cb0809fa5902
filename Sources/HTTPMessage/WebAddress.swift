/// Scheme, host and port of a URL, in a form that can be compared (RFC 9110 §4.2.3).
struct WebAddress: Hashable, Sendable {
    let isSecure: Bool
    /// In lower case, IPv6 in brackets, without the dot of the root.
    let host: String
    let port: Int

    /// - Parameter authority: `host` or `host:port`; nil for what is neither.
    init?(isSecure: Bool, authority: some StringProtocol) {
        var host = authority.lowercased()[...]
        var port: Substring = ""
        let bracket = host.lastIndex(of: "]")
        if let colon = host.lastIndex(of: ":"), bracket.map({ $0 < colon }) ?? true {
            port = host[host.index(after: colon)...]
            host = host[..<colon]
        }
        if host.last == "." { host.removeLast() }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && !"\\\"<>^`{|}@/?#".utf8.contains($0) }),
            host.first == "[" ? bracket != nil && host.last == "]" : !host.contains(":"),
            port.utf8.count <= 5, port.utf8.allSatisfy({ $0 &- 0x30 < 10 })
        else { return nil }
        self.isSecure = isSecure
        self.host = String(host)
        self.port = Int(port) ?? (isSecure ? 443 : 80)
    }

    /// Whether the host is an address, not a name.
    var isNumeric: Bool {
        host.first == "[" || host.utf8.allSatisfy { $0 &- 0x30 < 10 || $0 == UInt8(ascii: ".") }
    }
}

/// Where callers see what an origin serves: the URL that they used, as far as it does not differ from request to request.
package struct PublicPlace: Equatable, Sendable {
    /// Whether it is `https`.
    package let isSecure: Bool
    /// `host` or `host:port`, as the caller wrote it.
    package let authority: String
    /// "" or a path with a leading and without a trailing slash.
    package let prefix: String

    package init(isSecure: Bool, authority: String, prefix: String = "") {
        self.isSecure = isSecure
        self.authority = authority
        self.prefix = prefix
    }

    /// What a request says that came out of a tunnel: whom the tunnel server trusts was asked first.
    ///
    /// - Parameter prefix: what stood in front of the request's path.
    /// - Returns: nil where it does not say which host it was for.
    package init?(of fields: HeaderFields, prefix: String) {
        let name: FieldName = fields.contains(.xForwardedHost) ? .xForwardedHost : .host
        guard let authority = fields[name].map(Self.first), !authority.isEmpty else { return nil }
        self.authority = authority
        self.prefix = prefix
        switch fields[.xForwardedProto].map(Self.first)?.lowercased() {
        case "https", "wss": isSecure = true
        default: isSecure = false
        }
    }

    /// The first element of a list.
    private static func first(_ value: String) -> String {
        guard let comma = value.firstIndex(of: ",") else { return value }
        let first = value[..<comma]
        return String(first.prefix { $0 != " " && $0 != "\t" })
    }

    /// Scheme and authority.
    var front: String { (isSecure ? "https://" : "http://") + authority }
}
