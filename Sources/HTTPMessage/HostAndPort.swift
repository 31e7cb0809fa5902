/// `host:port`, IPv6 in brackets (RFC 3986 §3.2).
package func hostAndPort(_ host: String, _ port: Int) -> String {
    host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
}
