package import HTTPMessage
package import TunnelProtocol

/// What the public side of a tunnel server does with a request.
package enum CallerRoute: Sendable, Equatable {
    /// `/_health_check`
    case healthCheck
    /// `/_stats`
    case stats
    /// `/_tunnel`: a tunnel client knocks.
    case tunnel
    /// `/_tunnel/poll`: one carries a session, or knocks, by ordinary requests.
    case poll
    /// To a tunnel.
    case forward(Route)
    /// To the same place at the listener that speaks TLS.
    case redirect(to: String)
    /// A file that a certificate authority asks for; the first of these that is there.
    case challenge(files: [String])
    /// Nobody's.
    case refuse(RouteError)

    /// Whether it is for those whom a server knows as its callers, where it asks who they are.
    package var isForCallersAlone: Bool {
        switch self {
        case .healthCheck, .tunnel, .poll, .redirect, .challenge: false
        case .stats, .forward, .refuse: true
        }
    }

    /// - Parameters:
    ///   - head: its target as `RequestHead.settleTarget` left it.
    ///   - basePath: "" or a path with a leading and without a trailing slash; requests outside it are nobody's.
    ///   - hosts: the names whose requests need not bring a token.
    ///   - claimed: the token that holds a host, of those that tunnel clients asked for.
    ///   - likely: a token that the request may well name, as the one before it did: then it need not be made anew.
    package init(
        _ head: borrowing RequestHead, basePath: String, hosts: HostTable = .empty,
        claimed: (String) -> RendezvousToken? = { _ in nil }, likely: RendezvousToken? = nil
    ) {
        guard head.method != "CONNECT" else {
            self = .refuse(.connectUnsupported)
            return
        }
        guard head.target.utf8.first == UInt8(ascii: "/") || head.target == "*" else {
            self = .refuse(.notOriginForm)
            return
        }
        guard let inside = Self.strip(basePath, from: head.target) else {
            self = .refuse(Self.isHandshake(head) ? .notTheTunnelPath : .outsideBasePath)
            return
        }
        // Nearly every request: what is answered here begins with "/_".
        guard inside.utf8.dropFirst().first == UInt8(ascii: "_") else {
            self = Self.tokenInField(head, hosts, claimed, basePath, likely, target: inside)
            return
        }
        let path = inside.utf8.prefix { $0 != UInt8(ascii: "?") }
        if path.elementsEqual("/_health_check".utf8) {
            self = .healthCheck
        } else if path.elementsEqual("/_stats".utf8) {
            self = .stats
        } else if path.elementsEqual("/_tunnel".utf8) {
            self = .tunnel
        } else if path.starts(with: "/_token/".utf8) || path.elementsEqual("/_token".utf8) {
            self = Self.tokenInPath(inside, basePath)
        } else if path.elementsEqual("/_tunnel/poll".utf8) {
            self = .poll
        } else {
            self = Self.tokenInField(head, hosts, claimed, basePath, likely, target: inside)
        }
    }

    /// `/_token/<token>/<path>?<query>`. The token may be percent-encoded; where it is not, a `%` is its own.
    private static func tokenInPath(_ target: String, _ basePath: String) -> CallerRoute {
        let rest = target.utf8.dropFirst("/_token/".utf8.count)
        let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
        guard end > rest.startIndex else { return .refuse(.missingTokenInPath) }
        let written = target[rest.startIndex..<end]
        let text = PercentEncoding.decode(written) ?? String(written)
        guard rest[end...].first == UInt8(ascii: "/") else {
            guard (try? RendezvousToken(text)) != nil else { return .refuse(.malformedTokenInPath) }
            // Relative, as proxies may have changed what stands before; `./`, as a token may look like a scheme.
            return .refuse(.missingSlash(location: "./\(written)/\(target[end...])"))
        }
        let spelling = written == text ? PublicPrefix.Spelling() : PublicPrefix.Spelling(written: written)
        return forward(
            text, target: String(target[end...]),
            RoutePolicy(namedBy: .path, basePath: basePath, spelling: spelling))
    }

    private static func tokenInField(
        _ head: RequestHead, _ hosts: HostTable, _ claimed: (String) -> RendezvousToken?, _ basePath: String,
        _ likely: RendezvousToken?, target: String
    ) -> CallerRoute {
        if let likely, head.fields.count(of: .xToken) == 1,
            head.fields.value(of: .xToken, equals: likely.secret)
        {
            return .forward(
                Route(token: likely, target: target, policy: RoutePolicy(namedBy: .field, basePath: basePath))
            )
        }
        guard let text = head.fields[.xToken], !text.isEmpty else {
            do throws(RouteError) {
                let route = try Route(named: head, hosts, claimed, basePath, target: target)
                return route.map { .forward($0) }
                    ?? .refuse(isHandshake(head) ? .notTheTunnelPath : .missingToken)
            } catch {
                return .refuse(error)
            }
        }
        guard head.fields.count(of: .xToken) == 1 else { return .refuse(.repeatedToken) }
        return forward(text, target: target, RoutePolicy(namedBy: .field, basePath: basePath))
    }

    /// Whether a tunnel client knocks that has another base path in mind.
    private static func isHandshake(_ head: RequestHead) -> Bool {
        let polls = head.method == "POST" && head.target.prefix { $0 != "?" }.hasSuffix("/_tunnel/poll")
        guard !polls else { return true }
        guard head.asksForUpgrade, head.fields.list(.upgrade, contains: "websocket") else { return false }
        let path = head.target.prefix { $0 != "?" }
        return (path.hasSuffix("/") ? path.dropLast() : path).hasSuffix("/_tunnel")
    }

    /// The value of a `Host` field in lower case, without port, the dot of the root and the brackets of IPv6.
    package static func name(ofHost value: String) -> String {
        var name = host(of: value)
        if name.first == "[", name.last == "]" { name = name.dropFirst().dropLast() }
        if name.last == "." { name.removeLast() }
        return name.lowercased()
    }

    /// What stands before the port in the value of a `Host` field.
    static func host(of value: String) -> Substring {
        guard let colon = value.lastIndex(of: ":"), !value[colon...].contains("]") else { return value[...] }
        return value[..<colon]
    }

    /// A text that cannot be a token names a tunnel that cannot be there.
    private static func forward(_ text: String, target: String, _ policy: RoutePolicy) -> CallerRoute {
        guard let token = try? RendezvousToken(text) else { return .refuse(.tunnelNotFound) }
        return .forward(Route(token: token, target: target, policy: policy))
    }

    private static func strip(_ basePath: String, from target: String) -> String? {
        guard !basePath.isEmpty else { return target }
        // Nobody writes it with escapes that it does not need, but whoever does means the same.
        guard
            let rest = target.hasPrefix(basePath)
                ? target.dropFirst(basePath.count) : PercentEncoding.rest(of: target, behind: basePath)
        else { return nil }
        if rest.isEmpty { return "/" }
        if rest.hasPrefix("?") { return "/" + rest }
        return rest.hasPrefix("/") ? String(rest) : nil
    }
}
