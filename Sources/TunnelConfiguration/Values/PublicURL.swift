/// Where callers reach a tunnel server: what stands in front of a name, and behind it.
package struct PublicURL: Hashable, Sendable {
    package var isSecure: Bool
    /// Of the server itself; nil: it has none but those of its tunnels. IPv6 without brackets.
    package var host: String?
    package var port: Int

    package init(isSecure: Bool, host: String? = nil, port: Int) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
    }

    /// Without the port where that is the scheme's own.
    ///
    /// - Parameters:
    ///   - host: in place of the server's own; IPv6 without brackets.
    ///   - path: "" or one with a leading slash.
    package func text(host: String, path: String = "") -> String {
        let name = host.contains(":") ? "[\(host)]" : host
        let suffix = port == (isSecure ? 443 : 80) ? "" : ":\(port)"
        return "\(isSecure ? "https" : "http")://\(name)\(suffix)\(path.isEmpty ? "/" : path)"
    }

    /// As in the file.
    package var shown: String { String(text(host: host ?? "").dropLast()) }
}
