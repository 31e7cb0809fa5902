/// The HTTP proxy through which a tunnel client dials, by CONNECT.
package struct ProxyURL: Hashable, Sendable {
    /// Whether the proxy itself is reached over TLS; only plain http is supported.
    package let isSecure = false
    /// Host name or address, IPv6 without brackets.
    package var host: String
    /// 1…65535; 80 when the URL names none.
    package var port: Int
    /// The URL's userinfo, for Basic authentication, or nil.
    package var credentials: BasicCredentials?

    package init(host: String, port: Int = 80, credentials: BasicCredentials? = nil) {
        self.host = host
        self.port = port
        self.credentials = credentials
    }
}
