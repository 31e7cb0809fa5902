import NIOCore

/// The authority of an HTTP origin: scheme, host and port (RFC 9110 §4.3); or the Unix socket on which it listens.
package struct OriginAddress: Hashable, Sendable, CustomStringConvertible {
    /// Longest host name (RFC 1035 §2.3.4).
    private static let longestHost = 253

    /// Whether TLS is spoken (`https`).
    package let isSecure: Bool
    /// Lower-case name, or an IP address without brackets.
    package let host: String
    /// 1 to 65535.
    package let port: Int
    /// Where it listens in place of host and port, which are what `Host` says then: `localhost`.
    package let socketPath: String?

    /// Whether `host` is an IP address: it is not looked up, and not sent as TLS server name (RFC 6066 §3).
    package var isIPAddress: Bool { (try? SocketAddress(ipAddress: host, port: port)) != nil }

    /// What the `Host` field says: the port only where it is not the scheme's own.
    package var authority: String { port == (isSecure ? 443 : 80) ? bracketedHost : place }

    /// `host:port`, for messages; or the socket.
    package var place: String { socketPath.map { "unix:\($0)" } ?? "\(bracketedHost):\(port)" }

    /// `http` or `https`.
    package var scheme: String { isSecure ? "https" : "http" }

    package var description: String { socketPath == nil ? "\(scheme)://\(authority)" : place }

    private var bracketedHost: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host }

    /// An address whose parts were checked elsewhere.
    package init(isSecure: Bool, host: String, port: Int) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
        self.socketPath = nil
    }

    /// A Unix socket, on which HTTP is spoken without TLS.
    package init(socketPath: String) {
        self.isSecure = false
        self.host = "localhost"
        self.port = 80
        self.socketPath = socketPath
    }

    /// Reads `http://host[:port]` or `https://host[:port]`; one `/` may stand behind it.
    ///
    /// Anything else behind it is refused, and so are credentials: what is passed over in silence here would count
    /// where the text is compared with a pattern.
    package init(_ text: String) throws(OriginURLError) {
        guard let separator = text.firstRange(of: "://") else { throw .noScheme }
        switch text[..<separator.lowerBound].lowercased() {
        case "http": self.isSecure = false
        case "https": self.isSecure = true
        default: throw .unknownScheme
        }
        let rest = text[separator.upperBound...]
        let authority = rest.prefix { !"/?#\\".contains($0) }
        guard !authority.contains("@") else { throw .credentials }
        guard ["", "/"].contains(rest[authority.endIndex...]) else { throw .moreThanAuthority }
        self.socketPath = nil
        let (host, port) = try Self.split(authority)
        self.host = host
        self.port = try port.map(Self.port) ?? (isSecure ? 443 : 80)
    }

    private static func split(_ authority: Substring) throws(OriginURLError) -> (String, Substring?) {
        if authority.first == "[" {
            guard let bracket = authority.firstIndex(of: "]") else { throw .malformedHost }
            let host = authority[authority.index(after: authority.startIndex)..<bracket].lowercased()
            let rest = authority[authority.index(after: bracket)...]
            guard host.contains(":"), (try? SocketAddress(ipAddress: host, port: 1)) != nil,
                rest.isEmpty || rest.first == ":"
            else { throw .malformedHost }
            return (host, rest.isEmpty ? nil : rest.dropFirst())
        }
        let host = authority.prefix { $0 != ":" }
        guard !host.isEmpty, host.utf8.count <= longestHost, host.utf8.allSatisfy(isHostByte),
            !host.split(separator: ".", omittingEmptySubsequences: false).dropLast().contains("")
        else { throw .malformedHost }
        let rest = authority[host.endIndex...]
        return (host.lowercased(), rest.isEmpty ? nil : rest.dropFirst())
    }

    private static func port(_ digits: Substring) throws(OriginURLError) -> Int {
        guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ $0 &- 0x30 < 10 }),
            let port = Int(digits), (1...65535).contains(port)
        else { throw .malformedPort }
        return port
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default:
            false
        }
    }
}

/// Why a text names no origin.
package enum OriginURLError: Error, Hashable, Sendable, CustomStringConvertible {
    case noScheme
    case unknownScheme
    case credentials
    case moreThanAuthority
    case malformedHost
    case malformedPort

    /// What is wrong and what to write; the text itself is not repeated, it may hold a secret.
    package var description: String {
        switch self {
        case .noScheme: "no scheme; write http://host:port or https://host:port"
        case .unknownScheme: "unknown scheme; use http:// or https://"
        case .credentials: "user name and password cannot stand in the URL of an origin"
        case .moreThanAuthority: "path, query or fragment; write http://host:port or https://host:port alone"
        case .malformedHost: "malformed host; write a name, an IPv4 address, or an IPv6 address in brackets"
        case .malformedPort: "malformed port; use a number from 1 to 65535"
        }
    }
}
