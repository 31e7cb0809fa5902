package import struct NIOCore.ByteBuffer

/// What a message loses and gains where it passes from one connection to the next (RFC 9110 §7.6): in both directions, at
/// both ends of a tunnel.
///
/// A value of it is what the tunnel server knows of one request: what crosses the tunnel is freed of the caller's hop and
/// of its secret, and tells the origin what it may know about the caller. What needs no such knowledge is a rule of the
/// `Hop` alone.
package struct Forwarding: Sendable {
    /// Where a message passes from one connection to the next.
    package enum Hop: Sendable, CaseIterable {
        /// A request, at the tunnel server: from its caller into the tunnel.
        case requestIntoTunnel
        /// A request, at the tunnel client: out of the tunnel, once its origin is chosen. It may still ask for an upgrade.
        case requestOutOfTunnel
        /// A request, at the tunnel client: to its origin, whose `Host` is written in front of the other fields.
        case requestToOrigin
        /// An answer, at the tunnel client: from the origin into the tunnel.
        case answerIntoTunnel
        /// An answer, at the tunnel server: out of the tunnel to the caller.
        case answerToCaller
        /// The same where the tunnel is one of protocol v1, whose messages are HTTP themselves and carry no upgrade: a
        /// request and an answer before they are framed anew, and a request that came.
        case requestIntoMessage
        case requestOutOfMessage
        case answerIntoMessage
        /// Fields behind a body, wherever they come from or go.
        case trailers
    }

    /// `Proxy` becomes the variable `HTTP_PROXY` of CGI programs, by which they would be led to a stranger's proxy
    /// (https://httpoxy.org).
    private static let uselessToOrigins: FieldNameSet = [
        .proxy, .xClientCertificateName, .xToken, .xTunnelHost,
    ]
    private static let ofTheTunnel: FieldNameSet = [.xHost, .xToken, .xTunnelHost]
    private static let writtenInFront: FieldNameSet = [.host]
    private static let unknownToV1: FieldNameSet = [.xTunnelHost]
    /// What frames, routes or authenticates a message counts for nothing behind its body, and must not get among the
    /// fields of its head there (RFC 9110 §6.5.1).
    private static let neverTrailers: FieldNameSet = [
        .authorization, .cfConnectingIP, .contentLength, .forwarded, .host, .proxy, .trueClientIP,
        .xClientCertificateName, .xForwardedFor, .xForwardedHost, .xForwardedProto, .xHost, .xRealIP, .xToken,
        .xTunnelAuthorization,
        .xTunnelHost,
    ]

    /// Takes away what may not pass here.
    ///
    /// - Parameter upgrade: what a request may leave HTTP for, where it goes on asking for that.
    package static func rewrite(
        _ fields: inout HeaderFields, at hop: Hop, upgrade: UpgradeOffer = UpgradeOffer()
    ) {
        let takesTrailers = hop == .requestToOrigin && fields.takesTrailers
        switch hop {
        case .requestIntoTunnel: fields.removeHopByHop(and: Self.uselessToOrigins)
        case .requestOutOfTunnel: fields.remove(Self.ofTheTunnel)
        case .requestToOrigin: fields.removeHopByHop(and: Self.writtenInFront)
        case .requestIntoMessage: fields.removeHopByHop(and: Self.unknownToV1)
        case .answerIntoTunnel, .answerToCaller, .requestOutOfMessage, .answerIntoMessage:
            fields.removeHopByHop()
        case .trailers: fields.removeHopByHop(and: Self.neverTrailers)
        }
        if !upgrade.isEmpty { fields.appendUpgrade(upgrade.fieldValue) }
        if takesTrailers { fields.appendTakesTrailers() }
    }

    /// The same of an answer. One that switches protocols goes on naming the one that it switches to.
    package static func rewrite(_ answer: inout ResponseHead, at hop: Hop) {
        let upgrade = answer.status == 101 && hop != .answerIntoMessage ? answer.fields[.upgrade] : nil
        rewrite(&answer.fields, at: hop)
        // A length where there is no body (RFC 9110 §8.6).
        if hop == .answerToCaller, answer.status < 200 || answer.status == 204 {
            answer.fields.remove(.contentLength)
        }
        if let upgrade { answer.fields.appendUpgrade(upgrade) }
    }

    // MARK: A caller's request

    /// Longest `Host` that is repeated in `X-Forwarded-Host`; longer ones name nothing.
    private static let longestHost = 300

    private var token: String
    private let isHostListed: Bool
    private let basePath: String
    private let peer: String
    private let isPeerTrusted: Bool
    private let isSecure: Bool
    private let certificateName: String?
    private let rewriting: FieldRewriting?

    /// - Parameters:
    ///   - token: which is not to cross.
    ///   - isHostListed: whether the request named its tunnel by its `Host` alone, as the server's configuration lists it.
    ///   - basePath: of the server; the request's target is without it already.
    ///   - peer: the address that connected.
    ///   - isPeerTrusted: whether it is a proxy whose words about earlier hops count.
    ///   - isSecure: whether it speaks TLS with us.
    ///   - certificateName: in the certificate that it has shown, where the origin is to be told.
    ///   - rewriting: what else becomes of its fields, if anything.
    package init(
        token: String, isHostListed: Bool, basePath: String, peer: String, isPeerTrusted: Bool,
        isSecure: Bool = false, certificateName: String? = nil, rewriting: FieldRewriting? = nil
    ) {
        self.token = token
        self.isHostListed = isHostListed
        self.basePath = basePath
        self.peer = peer
        self.isPeerTrusted = isPeerTrusted
        self.isSecure = isSecure
        self.certificateName = certificateName
        self.rewriting = rewriting
    }

    /// The same for another tunnel.
    package func leading(to token: String) -> Forwarding {
        var forwarding = self
        forwarding.token = token
        return forwarding
    }

    /// - Parameter upgrade: what the request may leave HTTP for.
    package func head(of request: RequestHead, upgrade: UpgradeOffer) -> ByteBuffer {
        var head = request
        let takesTrailers = head.fields.takesTrailers
        Self.rewrite(&head.fields, at: .requestIntoTunnel)
        if !basePath.isEmpty { leaveBasePathOut(&head.fields) }
        if head.fields.value(of: .referer, contains: "/_token/") { leaveTokenOut(&head.fields) }
        if let rewriting { rewriting.rewrite(request: &head.fields) }
        let gain = replaceForwarding(&head.fields, upgrade, takesTrailers: takesTrailers)
        var text = ByteBuffer()
        text.writeRequestHead(head, behindWhich: gain.each)
        guard TokenRemoval.mayFind(token, in: text) else { return text }
        gain.each { head.fields.append($0, $1) }
        TokenRemoval(token: token, basePath: basePath).clean(&head)
        text.clear()
        text.writeRequestHead(head)
        return text
    }

    /// - Parameter trailers: of the caller's body.
    package func lines(ofTrailers trailers: HeaderFields) -> ByteBuffer {
        var trailers = trailers
        if let rewriting { rewriting.rewrite(trailers: &trailers) }
        let lines = trailers.trailerLines
        guard TokenRemoval.mayFind(token, in: lines) else { return lines }
        TokenRemoval(token: token, basePath: basePath).clean(&trailers)
        return trailers.trailerLines
    }

    /// The fields that a request gains on its way. They are written behind its own, without becoming some of them: that
    /// would copy these first.
    private struct Gain {
        let hops: String
        let saysProtocol: Bool
        let isSecure: Bool
        let certificateName: String?
        let host: String?
        let isHostListed: Bool
        let upgrade: UpgradeOffer
        let takesTrailers: Bool

        @inline(__always)
        func each(_ body: (FieldName, String) -> Void) {
            body(.xForwardedFor, hops)
            if saysProtocol { body(.xForwardedProto, isSecure ? "https" : "http") }
            if let certificateName { body(.xClientCertificateName, certificateName) }
            if let host { body(.xForwardedHost, host) }
            if isHostListed { body(.xTunnelHost, "listed") }
            if !upgrade.isEmpty {
                body(.connection, "Upgrade")
                body(.upgrade, upgrade.fieldValue)
            }
            if takesTrailers { body(.te, HeaderFields.trailersCoding) }
        }
    }

    /// Says who calls, by which protocol and for which host. What strangers say themselves counts for nothing; a trusted
    /// proxy knows more than we do, and is itself one more hop.
    private func replaceForwarding(
        _ fields: inout HeaderFields, _ upgrade: UpgradeOffer, takesTrailers: Bool
    ) -> Gain {
        let hops = isPeerTrusted ? fields.values(.xForwardedFor).filter { !$0.isEmpty } : []
        if isPeerTrusted {
            fields.remove(.xForwardedFor)
            fields.removeCertificateName()
        } else {
            fields.removeForwarding()
        }
        let host = fields.contains(.xForwardedHost) ? nil : fields[.host]
        return Gain(
            hops: hops.isEmpty ? peer : (hops + [peer]).joined(separator: ", "),
            saysProtocol: !fields.contains(.xForwardedProto), isSecure: isSecure,
            certificateName: certificateName,
            host: host.flatMap { $0.isEmpty || $0.utf8.count > Self.longestHost ? nil : $0 },
            isHostListed: isHostListed, upgrade: upgrade, takesTrailers: takesTrailers)
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

extension HeaderFields {
    /// What `TE` says of trailers (RFC 9110 §10.1.4): all of it that holds beyond one hop, as gRPC asks for it.
    fileprivate static let trailersCoding = "trailers"

    fileprivate var takesTrailers: Bool { list(.te, contains: "trailers") }

    /// The next hop is told so.
    fileprivate mutating func appendTakesTrailers() {
        append(.connection, "TE")
        append(.te, Self.trailersCoding)
    }

    /// Asks for a switch to another protocol, or tells of one (RFC 9110 §7.8).
    fileprivate mutating func appendUpgrade(_ protocols: String) {
        append(.connection, "Upgrade")
        append(.upgrade, protocols)
    }
}
