/// A URL taken apart (RFC 3986 §3), as much of it as the configuration needs.
struct URLText {
    /// Why a text is no URL; ends a sentence that starts with the quoted text.
    enum Fault: String, Error {
        case noScheme = "has no scheme"
        case space = "holds a space or control character"
        case noHost = "has no host"
        case badHost = "has an invalid host"
        case foreignHost = "has a host with letters beyond ASCII"
        case badPort = "has an invalid port"
    }

    /// In lower case.
    var scheme: String
    /// What stands before the last `@` of the authority, percent-encoded.
    var userinfo: String?
    /// Without the brackets of an IPv6 address.
    var host: String
    /// 1…65535.
    var port: Int?
    var path: String
    var hasQueryOrFragment: Bool

    /// - Parameter requiresHost: false where an empty authority is good, as in `file:///folder`.
    init(_ text: String, requiresHost: Bool = true) throws(Fault) {
        guard !text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f }) else {
            throw .space
        }
        guard let scheme = Self.scheme(of: text),
            text.utf8.dropFirst(scheme.utf8.count).starts(with: "://".utf8)
        else {
            throw .noScheme
        }
        let rest = Substring(text.utf8.dropFirst(scheme.utf8.count + 3))
        let authorityEnd = Self.end(of: rest, before: "/?#")
        var authority = rest[..<authorityEnd]
        let target = rest[authorityEnd...]
        let pathEnd = Self.end(of: target, before: "?#")
        self.scheme = scheme.lowercased()
        path = String(target[..<pathEnd])
        hasQueryOrFragment = pathEnd < target.endIndex
        if let at = authority.lastIndex(of: "@") {
            userinfo = String(authority[..<at])
            authority = authority[authority.index(after: at)...]
        }
        let (host, port) = Self.split(authority)
        self.port = try port.map { text throws(Fault) in
            guard text.utf8.count <= 5, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let number = Int(text), (1...65_535).contains(number)
            else { throw .badPort }
            return number
        }
        guard !host.isEmpty || !requiresHost else { throw .noHost }
        guard host.isEmpty || Self.isHost(host) else {
            throw host.utf8.contains { $0 >= 0x80 } ? .foreignHost : .badHost
        }
        self.host = String(host)
    }

    /// What stands before the first `:`, if it can be a scheme.
    static func scheme(of text: String) -> String? {
        guard let colon = text.firstIndex(of: ":"), let first = text.utf8.first,
            (0x41...0x5a).contains(first & 0xdf)
        else { return nil }
        let scheme = text[..<colon]
        let isScheme = scheme.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2b, 0x2d, 0x2e: true
            default: false
            }
        }
        return isScheme ? String(scheme) : nil
    }

    /// Whether a text can be a host name, an IPv4 address, or an IPv6 address without brackets.
    static func isHost(_ text: Substring) -> Bool {
        guard !text.isEmpty, text.utf8.count <= 253 else { return false }
        if text.utf8.contains(UInt8(ascii: ":")) {
            return text.utf8.count { $0 == UInt8(ascii: ":") } >= 2
                && text.utf8.allSatisfy { byte in
                    switch byte {
                    case 0x30...0x3a, 0x41...0x46, 0x61...0x66, 0x2e: true
                    default: false
                    }
                }
        }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
            default: false
            }
        }
    }

    /// Where the first of some ASCII characters stands; looked for among bytes, as every URL passes here.
    private static func end(of text: Substring, before stops: StaticString) -> Substring.Index {
        text.utf8.firstIndex { byte in
            stops.withUTF8Buffer { $0.contains(byte) }
        } ?? text.endIndex
    }

    private static func split(_ authority: Substring) -> (host: Substring, port: Substring?) {
        if authority.hasPrefix("["), let close = authority.firstIndex(of: "]") {
            let host = authority[authority.index(after: authority.startIndex)..<close]
            let suffix = authority[authority.index(after: close)...]
            if suffix.isEmpty { return (host, nil) }
            return suffix.hasPrefix(":") ? (host, suffix.dropFirst()) : ("[", nil)
        }
        guard let colon = authority.lastIndex(of: ":") else { return (authority, nil) }
        // An IPv6 address needs its brackets here: with a colon left in it, the host is invalid.
        let host = authority[..<colon]
        return (host.contains(":") ? "[" : host, authority[authority.index(after: colon)...])
    }
}
