import HTTPMessage

extension TunnelURL {
    /// Reads a ws:// or wss:// URL with optional userinfo.
    static func parse(_ text: String) throws(ValueFault) -> TunnelURL {
        // Only for messages: it costs more than all the rest.
        var shown: String { shownURL(text) }
        let scheme = URLText.scheme(of: text)?.lowercased()
        guard scheme != "http", scheme != "https" else {
            throw ValueFault(
                "\(shown) is a web address; \"tunnel\" is the tunnel server (ws:// or wss://)",
                advice:
                    "write \(scheme == "http" ? "ws" : "wss")://, or did you swap \"server\" and \"tunnel\"?")
        }
        guard scheme == "ws" || scheme == "wss" else {
            throw ValueFault(
                "\(shown) is no tunnel address", advice: "write ws://host or wss://host")
        }
        let url = try urlText(text, example: "wss://tunnel.example.com")
        guard !url.hasQueryOrFragment else {
            if let fault = rawPasswordFault(text) { throw fault }
            throw ValueFault("\(shown) has a query or fragment", advice: "remove what follows the path")
        }
        return TunnelURL(
            isSecure: url.scheme == "wss", host: url.host,
            port: url.port ?? (url.scheme == "wss" ? 443 : 80),
            basePath: try pathPrefix(url.path, of: text), credentials: try urlCredentials(url.userinfo))
    }
}

extension OriginTarget {
    /// Reads `http://…`, `https://…`, `h2c://…`, `unix:/path`, `builtin:echo`, `file:///folder` or `tcp://host:port`.
    static func parse(_ text: String) throws(ValueFault) -> OriginTarget {
        switch URLText.scheme(of: text)?.lowercased() {
        case "builtin":
            guard text.dropFirst("builtin:".count) == "echo" else {
                throw ValueFault(
                    "\(Quotation.of(text)) is no embedded origin", advice: "the only one is builtin:echo")
            }
            return .echo
        case "file": return .folder(path: try folder(text))
        case "unix": return .socket(path: try socket(text))
        case "http", "https", "h2c": return .web(try web(text))
        case "tcp": return try tcp(text)
        case "ws", "wss":
            throw ValueFault(
                "\(shownURL(text)) is a tunnel address; \"server\" is the local web server (http:// or "
                    + "https://). Did you swap \"server\" and \"tunnel\"?")
        default:
            throw ValueFault(
                "\(shownURL(text)) is no origin",
                advice:
                    "write http://host:port, https://host:port, h2c://host:port, unix:/path/of/socket, tcp://host:port, "
                    + "builtin:echo or file:///folder"
            )
        }
    }

    /// - Returns: a path as it stands there; `unix:///run/app.sock` is the same as `unix:/run/app.sock`.
    private static func socket(_ text: String) throws(ValueFault) -> String {
        var path = text.dropFirst("unix:".count)
        if path.hasPrefix("//") {
            path = path.dropFirst(2)
            guard path.hasPrefix("/") else {
                throw ValueFault(
                    "\(shownURL(text)) names a host, which a socket has not",
                    advice: "write unix: and a path, such as unix:/run/app.sock")
            }
        }
        guard !path.isEmpty, path != "/" else {
            throw ValueFault(
                "\(shownURL(text)) names no socket",
                advice: "write unix: and a path, such as unix:/run/app.sock")
        }
        return try TextRule.path(String(path))
    }

    private static func web(_ text: String) throws(ValueFault) -> OriginURL {
        let url = try urlText(text, example: "http://localhost:8080")
        guard url.userinfo == nil else {
            throw ValueFault(
                "\(shownURL(text)) holds a user, which an origin's address cannot",
                advice: "remove what stands before the \"@\"")
        }
        guard !url.hasQueryOrFragment else {
            throw ValueFault(
                "\(shownURL(text)) has a query or fragment", advice: "remove what follows the path")
        }
        return OriginURL(
            isSecure: url.scheme == "https", isHTTP2: url.scheme == "h2c", host: url.host,
            port: url.port ?? (url.scheme == "https" ? 443 : 80),
            basePath: try pathPrefix(url.path, of: text))
    }

    private static func tcp(_ text: String) throws(ValueFault) -> OriginTarget {
        let url = try urlText(text, example: "tcp://localhost:22")
        guard url.userinfo == nil, !url.hasQueryOrFragment, url.path.isEmpty || url.path == "/" else {
            throw ValueFault(
                "\(shownURL(text)) holds more than host and port", advice: "write one like tcp://localhost:22"
            )
        }
        guard let port = url.port else {
            throw ValueFault(
                "\(shownURL(text)) names no port", advice: "write one like tcp://\(url.host):22")
        }
        return .tcp(host: url.host, port: port)
    }

    private static func folder(_ text: String) throws(ValueFault) -> String {
        let rest = text.dropFirst("file:".count)
        guard rest.hasPrefix("///"), let path = PercentEncoding.decode(rest.dropFirst(2)),
            !path.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f })
        else {
            throw ValueFault(
                "\(shownURL(text)) is no folder", advice: "write file:/// and an absolute path")
        }
        return path
    }
}

/// A URL for a message, with what could be userinfo replaced by `***`.
func shownURL(_ text: String) -> String {
    guard mayHoldUserinfo(text) else { return Quotation.of(text) }
    let scheme = URLText.scheme(of: text).map { "\($0)://" } ?? ""
    let rest = text.lastIndex(of: "@").map { text[$0...] } ?? ""
    return Quotation.of("\(scheme)***\(rest)")
}

/// Whether a text may hold a password as URLs do: before an `@`, or behind a colon where a port is no number
/// because the `@` was forgotten.
func mayHoldUserinfo(_ text: String) -> Bool {
    if text.contains("@") { return true }
    guard let start = text.firstRange(of: "://") else { return false }
    let authority = text[start.upperBound...].prefix { !"/?#".contains($0) }
    guard let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") else { return false }
    return authority[authority.index(after: colon)...].contains { !("0"..."9").contains($0) }
}

/// The userinfo of a URL, percent-decoded.
func urlCredentials(_ userinfo: String?) throws(ValueFault) -> BasicCredentials? {
    guard let userinfo else { return nil }
    let parts = userinfo.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard let user = PercentEncoding.decode(parts[0]),
        let password = PercentEncoding.decode(parts.count > 1 ? parts[1] : "")
    else {
        throw ValueFault(
            "the user or password holds a broken % escape", advice: "write a literal % as %25")
    }
    guard !user.isEmpty else {
        throw ValueFault("there is no user before the \"@\"", advice: "write user:password@ or nothing")
    }
    guard !user.contains(":") else {
        throw ValueFault(
            "the user holds a colon, which HTTP cannot carry", advice: "choose a user without one")
    }
    return BasicCredentials(user: user, password: Secret(password))
}

func urlText(_ text: String, example: String) throws(ValueFault) -> URLText {
    do {
        return try URLText(text)
    } catch {
        if let fault = rawPasswordFault(text) { throw fault }
        throw ValueFault(
            "\(shownURL(text)) \(error.rawValue)",
            advice: error == .foreignHost ? ForeignHost.advice : "write one like \(example)")
    }
}

/// What is wrong with a URL that does not work because its password holds what ends the host of a URL.
func rawPasswordFault(_ text: String) -> ValueFault? {
    let start = text.firstRange(of: "://")?.upperBound ?? text.startIndex
    guard let at = text.lastIndex(of: "@"), start < at,
        text[start..<at].contains(where: { "/?#".contains($0) || $0.isWhitespace })
    else { return nil }
    return ValueFault(
        "what stands before the \"@\" of \(shownURL(text)) holds a space, \"/\", \"?\" or \"#\", which end a URL's host",
        advice: "percent-encode user and password: / is %2F, ? %3F, # %23, @ %40, a space %20")
}

/// Hosts with letters that DNS does not know (IDN, RFC 5890).
enum ForeignHost {
    static let advice = "write its ASCII form, which has xn-- in it (idn2 prints it)"

    /// What is wrong with a text that would be a host, were it not for its letters.
    static func fault(in text: String) -> ValueFault? {
        let isHost = text.unicodeScalars.allSatisfy { scalar in
            scalar.isASCII ? URLText.isHost(Substring(String(scalar))) : scalar.properties.isAlphabetic
        }
        guard isHost, !text.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
        return ValueFault("\(Quotation.of(text)) has letters beyond ASCII", advice: advice)
    }
}

private func pathPrefix(_ path: String, of url: String) throws(ValueFault) -> String {
    do {
        return try TextRule.basePath(path)
    } catch {
        throw ValueFault("the path of \(shownURL(url)) is no plain path", advice: "write one like /wstunnel")
    }
}
