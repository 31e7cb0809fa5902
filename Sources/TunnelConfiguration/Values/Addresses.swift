package import LinearRegex

/// The address of a tunnel server, from a ws:// or wss:// URL.
package struct TunnelURL: Hashable, Sendable {
    /// Whether the session runs over TLS (wss).
    package var isSecure: Bool
    /// Host name or address, IPv6 without brackets.
    package var host: String
    /// 1…65535; 80 or 443 when the URL names none.
    package var port: Int
    /// The server's base path: "" or a path that starts with `/` and does not end with one. `/_tunnel`
    /// is appended to dial.
    package var basePath: String
    /// The URL's userinfo, or nil.
    package var credentials: BasicCredentials?

    /// What is appended to the base path to dial.
    package static let endpoint = "/_tunnel"

    package init(
        isSecure: Bool, host: String, port: Int, basePath: String = "", credentials: BasicCredentials? = nil
    ) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
        self.basePath = basePath
        self.credentials = credentials
    }
}

/// Where a tunnel client sends the requests that come out of the tunnel.
package enum OriginTarget: Hashable, Sendable {
    /// `http://…`, `https://…` or `h2c://…`.
    case web(OriginURL)
    /// `unix:/run/app.sock`: a web server that listens on a Unix socket.
    case socket(path: String)
    /// `builtin:echo`: the embedded demo origin.
    case echo
    /// `file:///folder`: a static folder, as an absolute path.
    case folder(path: String)
    /// `tcp://host:port`: any service, byte by byte. The host is an IPv6 address without brackets, or any other.
    case tcp(host: String, port: Int)

    /// Most bytes of a Unix socket's path: those of `sun_path`, the NUL at its end left out.
    package static let longestSocketPath = 107
    /// Most origins in a list.
    package static let mostInList = 64
}

/// The address of an HTTP origin.
package struct OriginURL: Hashable, Sendable {
    /// Whether the origin is reached over TLS (https).
    package var isSecure: Bool
    /// Whether it is known to speak HTTP/2 without TLS (h2c).
    package var isHTTP2: Bool
    /// Host name or address, IPv6 without brackets.
    package var host: String
    /// 1…65535; 80 or 443 when the URL names none.
    package var port: Int
    /// "" or a path that starts with `/` and does not end with one: goes before the path of every request.
    package var basePath: String

    package init(isSecure: Bool, isHTTP2: Bool = false, host: String, port: Int, basePath: String = "") {
        self.isSecure = isSecure
        self.isHTTP2 = isHTTP2
        self.host = host
        self.port = port
        self.basePath = basePath
    }
}

/// What `Host` says to the origin of a tunnel.
package enum HostHeader: Hashable, Sendable {
    /// What the caller wrote where the tunnel server's `hosts` name it and the origin is `http://`; else the origin's own.
    case automatic
    /// The origin's own.
    case origin
    /// What the caller wrote.
    case keep
    /// This host, with a port if it has one.
    case named(String)
}

/// The `regexp` of a tunnel: which `X-Host` values a caller may ask for.
///
/// The *whole* value must match, from scheme to port, as if the pattern stood between `^` and `$`.
package struct HostPattern: Hashable, Sendable {
    /// The pattern as written.
    package let source: String
    private let expression: RegularExpression

    /// - Throws: what is wrong with the pattern.
    package init(source: String) throws(RegularExpressionError) {
        self.source = source
        expression = try RegularExpression(source)
    }

    /// Whether a caller may ask for this origin. The time it takes is bounded, whatever the value holds.
    package func allows(_ origin: String) -> Bool { expression.matchesWhole(of: origin) }
}
