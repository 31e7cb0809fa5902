/// Addresses as one would write them, passwords hidden, default ports left out.
extension TunnelURL {
    package var shown: String {
        let authority = shownAuthority(host, port, isSecure ? 443 : 80, credentials)
        return "\(isSecure ? "wss" : "ws")://\(authority)\(basePath)"
    }
}

extension OriginTarget {
    package var shown: String {
        switch self {
        case .echo: "builtin:echo"
        case .socket(let path): "unix:\(path)"
        case .folder(let path): "file://\(percentEncoded(path, keeping: "/"))"
        case .tcp(let host, let port): "tcp://\(shownAuthority(host, port, 0, nil))"
        case .web(let url):
            "\(url.isSecure ? "https" : url.isHTTP2 ? "h2c" : "http")://"
                + shownAuthority(url.host, url.port, url.isSecure ? 443 : 80, nil) + url.basePath
        }
    }
}

extension ProxyURL {
    package var shown: String { "http://\(shownAuthority(host, port, 80, credentials))" }
}

private func shownAuthority(
    _ host: String, _ port: Int, _ defaultPort: Int, _ credentials: BasicCredentials?
) -> String {
    let user = credentials.map { credentials in
        // A password that is not there is none to hide.
        let password = credentials.password.secret.isEmpty ? "" : ":\(Secret.stars)"
        return percentEncoded(credentials.user, keeping: "") + password + "@"
    }
    let name = host.contains(":") ? "[\(host)]" : host
    return (user ?? "") + name + (port == defaultPort ? "" : ":\(port)")
}

/// Everything but the unreserved characters of RFC 3986 §2.3, and those to keep, as `%XX`.
private func percentEncoded(_ text: String, keeping kept: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e:
            encoded.unicodeScalars.append(Unicode.Scalar(byte))
        case let byte where kept.utf8.contains(byte):
            encoded.unicodeScalars.append(Unicode.Scalar(byte))
        default:
            encoded += byte < 0x10 ? "%0" : "%"
            encoded += String(byte, radix: 16, uppercase: true)
        }
    }
    return encoded
}
