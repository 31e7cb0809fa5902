/// What a message loses and gains where it passes from one connection to the next (RFC 9110 §7.6): in both directions, at
/// both ends of a tunnel.
///
/// These are the rules of each `Hop` alone; what the tunnel server knows of one request besides is a `CallerForwarding`.
package enum Forwarding {
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
        .proxy, .xClientCertificateName, .xToken, .xTunnelHost, .xTunnelPublic,
    ]
    /// What a request leaves behind at the tunnel server, apart from what it says of earlier hops.
    static let staysWithStrangers: FieldNameSet = {
        var names = uselessToOrigins
        names.formUnion(FieldName.hopByHop)
        return names
    }()
    private static let ofTheTunnel: FieldNameSet = [.xHost, .xToken, .xTunnelHost, .xTunnelPublic]
    private static let writtenInFront: FieldNameSet = [.host]
    private static let unknownToV1: FieldNameSet = [.xTunnelHost, .xTunnelPublic]
    /// What frames, routes or authenticates a message counts for nothing behind its body, and must not get among the
    /// fields of its head there (RFC 9110 §6.5.1).
    private static let neverTrailers: FieldNameSet = [
        .authorization, .cfConnectingIP, .contentLength, .forwarded, .host, .proxy, .trueClientIP, .via,
        .xClientCertificateName, .xForwardedFor, .xForwardedHost, .xForwardedPort, .xForwardedProto, .xHost,
        .xRealIP,
        .xToken, .xTunnelAuthorization, .xTunnelHost, .xTunnelPublic,
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
}

extension HeaderFields {
    /// What `TE` says of trailers (RFC 9110 §10.1.4): all of it that holds beyond one hop, as gRPC asks for it.
    static let trailersCoding = "trailers"

    var takesTrailers: Bool { list(.te, contains: "trailers") }

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
