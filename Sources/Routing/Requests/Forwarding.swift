package import HTTPMessage
package import TunnelProtocol

package import struct NIOCore.ByteBuffer

/// What crosses the tunnel of a caller's request, without I/O: freed of what belongs to the caller's hop and of its
/// secret, and with what the origin may know about the caller.
package struct Forwarding: Sendable {
    /// Longest `Host` that is repeated in `X-Forwarded-Host`; longer ones name nothing.
    private static let longestHost = 300
    /// Of no use to the origin. `Proxy` becomes the variable `HTTP_PROXY` of CGI programs, by which they would be led to a
    /// stranger's proxy (https://httpoxy.org).
    private static let dropped: FieldNameSet = [.proxy, .xToken, .xTunnelHost]

    private let token: RendezvousToken
    private let namedBy: CallerRoute.TokenPlace
    private let basePath: String
    private let peer: String
    private let isPeerTrusted: Bool

    /// - Parameters:
    ///   - namedBy: where the caller named the token.
    ///   - basePath: of the server; the request's target is without it already.
    ///   - peer: the address that connected.
    ///   - isPeerTrusted: whether it is a proxy whose words about earlier hops count.
    package init(
        token: RendezvousToken, namedBy: CallerRoute.TokenPlace, basePath: String, peer: String,
        isPeerTrusted: Bool
    ) {
        self.token = token
        self.namedBy = namedBy
        self.basePath = basePath
        self.peer = peer
        self.isPeerTrusted = isPeerTrusted
    }

    /// - Parameter upgrade: what the request may leave HTTP for.
    package func head(of request: RequestHead, upgrade: UpgradeOffer) -> ByteBuffer {
        var head = request
        head.fields.removeHopByHop(and: Self.dropped)
        if !basePath.isEmpty { leaveBasePathOut(&head.fields) }
        if head.fields.value(of: .referer, contains: "/_token/") { leaveTokenOut(&head.fields) }
        addForwarding(&head.fields)
        if namedBy == .host { head.fields.append(.xTunnelHost, "listed") }
        if !upgrade.isEmpty {
            head.fields.append(.connection, "Upgrade")
            head.fields.append(.upgrade, upgrade.fieldValue)
        }
        var text = ByteBuffer()
        text.writeRequestHead(head)
        guard TokenRemoval.mayFind(token.secret, in: text) else { return text }
        TokenRemoval(token: token.secret, basePath: basePath).clean(&head)
        text.clear()
        text.writeRequestHead(head)
        return text
    }

    /// - Parameter trailers: of the caller's body.
    package func lines(ofTrailers trailers: HeaderFields) -> ByteBuffer {
        let lines = trailers.trailerLines
        guard TokenRemoval.mayFind(token.secret, in: lines) else { return lines }
        var trailers = trailers
        TokenRemoval(token: token.secret, basePath: basePath).clean(&trailers)
        return trailers.trailerLines
    }

    /// Says who calls, by which protocol and for which host. What strangers say themselves counts for nothing; a trusted
    /// proxy knows more than we do, and is itself one more hop.
    private func addForwarding(_ fields: inout HeaderFields) {
        let hops = isPeerTrusted ? fields.values(.xForwardedFor).filter { !$0.isEmpty } : []
        if isPeerTrusted { fields.remove(.xForwardedFor) } else { fields.removeForwarding() }
        fields.append(.xForwardedFor, hops.isEmpty ? peer : (hops + [peer]).joined(separator: ", "))
        // Our listeners speak plain HTTP.
        if !fields.contains(.xForwardedProto) { fields.append(.xForwardedProto, "http") }
        if !fields.contains(.xForwardedHost), let host = fields[.host], !host.isEmpty,
            host.utf8.count <= Self.longestHost
        {
            fields.append(.xForwardedHost, host)
        }
    }

    /// A page of another tunnel may lead here: its token is none of this origin's business either.
    private func leaveTokenOut(_ fields: inout HeaderFields) {
        fields.replaceValues(of: [.referer]) { value in
            guard let place = value.firstRange(of: "/_token/") else { return nil }
            var front = value[..<place.lowerBound]
            if front.hasSuffix(basePath) { front = front.dropLast(basePath.count) }
            let rest = value[place.upperBound...].drop { !"/?#".contains($0) }
            return front + (rest.first == "/" ? "" : "/") + rest
        }
    }

    /// As the target is without it: a `Destination` with it would be another folder than the target's.
    private func leaveBasePathOut(_ fields: inout HeaderFields) {
        guard let host = fields[.host] else { return }
        fields.replaceValues(of: [.destination, .if, .referer]) { value in
            OwnURLs.rewrite(value, host: host) { url in
                guard url.path.hasPrefix(basePath) else { return nil }
                let rest = url.path.dropFirst(basePath.count)
                guard rest.isEmpty || "/?#".contains(rest.prefix(1)) else { return nil }
                // The token's own place is left out together with the base path, later on.
                guard !rest.hasPrefix("/_token/") else { return nil }
                return url.front + (url.front.isEmpty && rest.isEmpty ? "/" : rest)
            }
        }
    }
}
