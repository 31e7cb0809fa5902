/// Which token is to be blocked, or not any more: by itself, or as a status shows it. It is never logged.
package struct TokenBlockQuery: Codable, Hashable, Sendable {
    package var token: String?
    /// The first characters, as a status shows them.
    package var tokenHint: String?
    /// What tells apart tokens that begin alike, as a status shows it.
    package var tokenTag: String?
    /// Whether all that are blocked are meant, where no token is named.
    package var all: Bool?
    /// How long, such as `10m`; nil for until it is unblocked.
    package var duration: String?

    private enum CodingKeys: String, CodingKey {
        case token, tokenHint, tokenTag, all
        case duration = "for"
    }

    package init(
        token: String? = nil, tokenHint: String? = nil, tokenTag: String? = nil, all: Bool? = nil,
        duration: String? = nil
    ) {
        self.token = token
        self.tokenHint = tokenHint
        self.tokenTag = tokenTag
        self.all = all
        self.duration = duration
    }
}

/// A token that an agent's servers do not serve for now.
package struct BlockedTokenSnapshot: Codable, Hashable, Sendable {
    package var tokenHint: String
    /// As it was when the token was blocked; tells apart tokens that begin alike.
    package var tokenTag: String
    /// In seconds since 1970.
    package var since: Int
    /// Nil where it lasts until it is unblocked.
    package var secondsLeft: Int?
    /// Who asked for it, for people.
    package var by: String

    package init(tokenHint: String, tokenTag: String, since: Int, secondsLeft: Int?, by: String) {
        self.tokenHint = tokenHint
        self.tokenTag = tokenTag
        self.since = since
        self.secondsLeft = secondsLeft
        self.by = by
    }
}
