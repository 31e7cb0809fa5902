/// The URLs under which callers see an origin, and those under which it sees itself, each as those of the other.
///
/// What leads elsewhere stays as it is: links to other hosts, URLs within queries, everything that is not in fields.
package struct URLMapping: Sendable {
    private let place: PublicPlace
    private let publicAddress: WebAddress
    /// What stands before the paths of the tunnel server; `/_token/` behind it leads to tunnels, to this one or others.
    private let serverPath: String
    /// Scheme and authority that the origin is told.
    private let originFront: String
    /// Every name under which the origin may speak of itself.
    private let names: [WebAddress]
    /// "" or a path with a leading and without a trailing slash, before all paths of the origin that callers see.
    private let originPrefix: String
    /// What the caller asked for.
    private let asked: String

    /// What is known of an origin.
    package struct Origin: Sendable {
        let isSecure: Bool
        let authority: String
        let host: String?
        let prefix: String

        /// - Parameters:
        ///   - isSecure: whether it is `https`.
        ///   - authority: of its own URL.
        ///   - host: what `Host` says to it, where that is another.
        ///   - prefix: "" or a path with a leading and without a trailing slash, which requests to it begin with.
        package init(isSecure: Bool, authority: String, host: String? = nil, prefix: String = "") {
            self.isSecure = isSecure
            self.authority = authority
            self.host = host
            self.prefix = prefix
        }

        /// What it takes for the start of its own URLs.
        package var front: String { (isSecure ? "https://" : "http://") + (host ?? authority) }
    }

    /// - Parameters:
    ///   - place: where callers see the origin.
    ///   - serverPath: the base path of the tunnel server, where that is known.
    ///   - asked: the request's target, without what stands in front.
    /// - Returns: nil where what callers use is no URL.
    package init?(_ place: PublicPlace, _ origin: Origin, serverPath: String = "", asked: String = "") {
        guard let address = WebAddress(isSecure: place.isSecure, authority: place.authority) else {
            return nil
        }
        self.place = place
        self.serverPath = serverPath
        self.asked = asked
        publicAddress = address
        originFront = origin.front
        originPrefix = origin.prefix
        // Programs that know the caller's scheme or host may know nothing of the other.
        let said = origin.host ?? origin.authority
        names = [
            WebAddress(isSecure: origin.isSecure, authority: origin.authority),
            WebAddress(isSecure: origin.isSecure, authority: said),
            WebAddress(isSecure: place.isSecure, authority: origin.authority),
            WebAddress(isSecure: place.isSecure, authority: said),
            address,
        ].compactMap(\.self)
    }

    // MARK: From the origin to callers

    /// A URL of the origin's as callers have to use it (`Location`).
    ///
    /// - Returns: nil where it may stay as it is.
    package func publicURL(_ text: Substring) -> String? {
        guard let url = AbsoluteURL(text) else {
            // Anything else is relative to the caller's URL already.
            guard text.first == "/", let path = publicPath(text) else { return nil }
            // Two slashes would begin with another host.
            let second = path.utf8.dropFirst().first
            return second == UInt8(ascii: "/") || second == UInt8(ascii: "\\") ? place.front + path : path
        }
        let schemes = url.isSecure.map { [$0] } ?? [publicAddress.isSecure, !publicAddress.isSecure]
        let isOwn = schemes.contains { isSecure in
            WebAddress(isSecure: isSecure, authority: url.authority).map { names.contains($0) } ?? false
        }
        guard isOwn else { return nil }
        let rest = String(url.rest)
        guard let path = publicPath(url.rest) ?? (isOutside(rest) ? nil : rest) else { return nil }
        let scheme = url.isSecure == nil ? "//" : publicAddress.isSecure ? "https://" : "http://"
        let result = scheme + url.credentials + place.authority + path
        // Who sends a caller from a URL to the very same one by https means just that.
        if url.isSecure == true, !publicAddress.isSecure, path == place.prefix + asked { return nil }
        return result == text ? nil : result
    }

    /// Whether a path is not the origin's to speak of: callers do not get there, or it names a tunnel already.
    private func isOutside(_ path: String) -> Bool {
        !originPrefix.isEmpty && !path.begins(withPath: originPrefix) && !isPublic(path)
    }

    private func isPublic(_ path: some StringProtocol) -> Bool {
        !place.prefix.isEmpty && path.begins(withPath: place.prefix)
            || path.hasPrefix(serverPath + "/_token/")
    }

    /// - Parameter path: with query and fragment, if there are any.
    /// - Returns: nil where it may stay as it is.
    private func publicPath(_ path: Substring) -> String? {
        guard !isPublic(path), originPrefix.isEmpty || path.begins(withPath: originPrefix) else { return nil }
        let rest = path.dropFirst(originPrefix.count)
        let isRoot = rest.isEmpty || rest.first == "?" || rest.first == "#"
        if isRoot, originPrefix.isEmpty, place.prefix.isEmpty { return nil }
        let result = place.prefix + (isRoot ? "/" : "") + rest
        return result == path ? nil : result
    }

    /// A `Set-Cookie` of the origin's (RFC 6265 §5.2), so that browsers send the cookie back to it and to nobody else.
    ///
    /// - Returns: nil where it may stay as it is.
    package func publicCookie(_ value: String) -> String? {
        var parts = value.split(separator: ";", omittingEmptySubsequences: false)
        // Browsers take these for the path / and no domain alone.
        guard let name = parts.first, !name.drop(while: { $0 == " " }).lowercased().hasPrefix("__host-")
        else {
            return nil
        }
        var isChanged = false
        for index in parts.indices.dropFirst().reversed() {
            let attribute = parts[index].split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard attribute.count == 2 else { continue }
            let value = attribute[1].trimmed
            switch attribute[0].trimmed.lowercased() {
            case "path":
                guard let path = publicCookiePath(value) else { continue }
                parts[index] = attribute[0] + "=" + path
            case "domain" where !isPublicDomain(value):
                parts.remove(at: index)
            default: continue
            }
            isChanged = true
        }
        return isChanged ? parts.joined(separator: ";") : nil
    }

    private func publicCookiePath(_ path: Substring) -> String? {
        // What no cookie can say stays.
        guard path.first == "/", !place.prefix.contains(";"), !isPublic(path) else { return nil }
        let result: String
        if path.begins(withPath: originPrefix) {
            let rest = path.dropFirst(originPrefix.count)
            result = place.prefix.isEmpty && rest.isEmpty ? "/" : place.prefix + rest
        } else if originPrefix.begins(withPath: path.last == "/" ? path.dropLast() : path) {
            // All of the origin, and more.
            result = place.prefix + "/"
        } else {
            return nil
        }
        return result == path ? nil : result
    }

    /// Whether a cookie for this domain may stay one. The origin's own name and those above it mean nothing to callers;
    /// without a domain the cookie is for the public host alone.
    private func isPublicDomain(_ value: Substring) -> Bool {
        let domain = value.drop { $0 == "." }.lowercased()
        let holds = { (host: String) in host == domain || host.hasSuffix("." + domain) }
        guard !domain.isEmpty, !holds(publicAddress.host) else { return true }
        return !names.contains { holds($0.host) }
    }

    /// A `Refresh` of the origin's: seconds, then perhaps a URL.
    ///
    /// - Returns: nil where it may stay as it is.
    package func publicRefresh(_ value: String) -> String? {
        let time = value.prefix { $0.isNumber || $0 == "." || $0 == " " }
        var rest = value[time.endIndex...]
        guard rest.first == ";" || rest.first == "," else { return nil }
        rest = rest.dropFirst().drop { $0 == " " || $0 == "\t" }
        if rest.prefix(3).lowercased() == "url" {
            let equals = rest.dropFirst(3).drop { $0 == " " || $0 == "\t" }
            if equals.first == "=" { rest = equals.dropFirst().drop { $0 == " " || $0 == "\t" } }
        }
        let quote = rest.first.flatMap { $0 == "\"" || $0 == "'" ? $0 : nil }
        if quote != nil { rest = rest.dropFirst() }
        let url = rest.prefix { $0 != quote }
        guard let changed = publicURL(url) else { return nil }
        return value[..<url.startIndex] + changed + value[url.endIndex...]
    }

    // MARK: From callers to the origin

    /// A URL of the caller's as the origin has to see it (`Referer`), or its scheme and authority alone (`Origin`): one of
    /// the page that the caller was on, freed of what stands before paths by the tunnel server.
    ///
    /// - Returns: nil where it may stay as it is.
    package func originURL(_ text: String, isOrigin: Bool) -> String? {
        guard let url = AbsoluteURL(text[...]), let isSecure = url.isSecure,
            WebAddress(isSecure: isSecure, authority: url.authority) == publicAddress,
            !isOrigin || url.rest.isEmpty && url.credentials.isEmpty
        else { return nil }
        let result = originFront + (isOrigin ? "" : originPrefix + url.rest)
        return result == text ? nil : result
    }
}

/// `scheme://…`, or `//…`, of which the scheme is that of the page.
private struct AbsoluteURL {
    /// nil: of the page.
    let isSecure: Bool?
    /// With an `@` at its end, or "".
    let credentials: Substring
    let authority: Substring
    /// Path, query and fragment.
    let rest: Substring

    init?(_ text: Substring) {
        let behind: Substring
        if text.hasPrefix("//") {
            isSecure = nil
            behind = text.dropFirst(2)
        } else {
            guard let separator = text.firstRange(of: "://") else { return nil }
            switch text[..<separator.lowerBound].lowercased() {
            case "http": isSecure = false
            case "https": isSecure = true
            default: return nil
            }
            behind = text[separator.upperBound...]
        }
        let whole = behind.prefix { !"/?#".contains($0) }
        // What browsers take for a slash is part of no host: it leads elsewhere.
        let at = whole.contains("\\") ? nil : whole.lastIndex(of: "@")
        let start = at.map { whole.index(after: $0) } ?? whole.startIndex
        credentials = whole[..<start]
        authority = whole[start...]
        rest = behind[whole.endIndex...]
    }
}

extension StringProtocol {
    /// Whether it is this path, or one below it.
    fileprivate func begins(withPath path: some StringProtocol) -> Bool {
        guard hasPrefix(path) else { return false }
        let next = utf8.dropFirst(path.utf8.count).first
        return next.map { "/?#".utf8.contains($0) } ?? true
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = drop { $0 == " " || $0 == "\t" }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }
}
