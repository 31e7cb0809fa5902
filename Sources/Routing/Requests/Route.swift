package import HTTPMessage
package import TunnelProtocol

/// Where a caller's request goes, and by which policy.
package struct Route: Sendable, Equatable {
    /// Of the tunnel.
    package var token: RendezvousToken
    /// The request's target without what named the tunnel and without the base path: the origin's.
    package var target: String
    package var policy: RoutePolicy

    package init(token: RendezvousToken, target: String, policy: RoutePolicy) {
        self.token = token
        self.target = target
        self.policy = policy
    }

    /// Where the name in a request leads.
    ///
    /// - Parameters:
    ///   - claimed: the token that holds a host, of those that tunnel clients asked for.
    ///   - target: without the base path.
    init?(
        named head: RequestHead, _ hosts: HostTable, _ claimed: (String) -> RendezvousToken?,
        _ basePath: String, target: String
    ) throws(RouteError) {
        let host = head.fields[.host].map(CallerRoute.name(ofHost:)) ?? ""
        guard let match = try hosts.match(host: host, target: target, claimed: claimed) else { return nil }
        self.init(
            token: match.token, target: target,
            policy: RoutePolicy(namedBy: .host, basePath: basePath, name: match.index))
    }

    /// What its request loses and gains on the way into the tunnel.
    ///
    /// - Parameters:
    ///   - caller: who sends it.
    ///   - tellsAll: whether the origin is told of it in `Forwarded` and `Via` too.
    ///   - rewriting: what else becomes of its fields, if anything.
    ///   - memory: for its head.
    package func forwarding(
        from caller: CallerForwarding.Caller, tellsAll: Bool = true, rewriting: FieldRewriting? = nil,
        memory: HeadMemory = HeadMemory()
    ) -> CallerForwarding {
        CallerForwarding(
            token: token.secret, isHostListed: policy.namedBy == .host,
            publicPrefix: PublicPrefix(
                basePath: policy.basePath, token: policy.namedBy == .path ? policy.spelling : nil),
            caller: caller, tellsAll: tellsAll, rewriting: rewriting, memory: memory)
    }
}

/// What holds for all requests that take a route, apart from where it leads.
package struct RoutePolicy: Sendable, Equatable {
    /// Where a caller named its token.
    package enum TokenPlace: Sendable {
        /// `/_token/<token>/`
        case path
        /// `X-Token`
        case field
        /// `Host`, which is a name of the server's or of a tunnel's.
        case host
    }

    package var namedBy: TokenPlace
    /// What stood in front of the target: "" or a path with a leading and without a trailing slash. URLs in fields lose it
    /// as the target does.
    package var basePath: String
    /// Which of the names of the configuration it was, in `HostTable.names`; nil for a token, or a name that a tunnel client
    /// has asked for.
    package var name: Int?
    /// How a token in the path was written.
    package var spelling: PublicPrefix.Spelling

    package init(
        namedBy: TokenPlace, basePath: String = "", name: Int? = nil,
        spelling: PublicPrefix.Spelling = PublicPrefix.Spelling()
    ) {
        self.namedBy = namedBy
        self.basePath = basePath
        self.name = name
        self.spelling = spelling
    }
}
