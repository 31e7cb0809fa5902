/// A host name that a tunnel asks its server for.
package struct HostSnapshot: Codable, Hashable, Sendable {
    /// As in the file.
    package var claim: String
    /// By which callers reach the tunnel; nil where the name is not granted.
    package var url: String?
    /// Why it is not; nil where it is, or nothing was heard of it yet.
    package var refusal: String?

    package init(claim: String, url: String? = nil, refusal: String? = nil) {
        self.claim = claim
        self.url = url
        self.refusal = refusal
    }
}

/// A name by which requests reach a tunnel of a server.
package struct NamedTunnel: Codable, Hashable, Sendable {
    /// Most that a server lists.
    package static let most = 1000

    /// A URL; of a pattern of names the pattern in its place.
    package var url: String
    package var tokenHint: String
    /// Whether its client asked for it; else the configuration lists it.
    package var isClaimed: Bool
    /// Whether its tunnel is up.
    package var isUp: Bool

    package init(url: String, tokenHint: String, isClaimed: Bool, isUp: Bool) {
        self.url = url
        self.tokenHint = tokenHint
        self.isClaimed = isClaimed
        self.isUp = isUp
    }
}
