/// How much an agent logs.
package struct LogLevelSnapshot: Codable, Hashable, Sendable {
    /// The least important level that is written now.
    package var level: String
    /// What the configuration says.
    package var configured: String
    /// When the configured one is back, in seconds since 1970; nil: at the next reload, or it is in force.
    package var until: Int?

    package init(level: String, configured: String, until: Int? = nil) {
        self.level = level
        self.configured = configured
        self.until = until
    }

    /// Whether somebody has asked for another level than the configured one.
    package var isChanged: Bool { level != configured || until != nil }
}

/// A level that is asked for.
package struct LogLevelQuery: Codable, Hashable, Sendable {
    package var level: String
    /// How long, such as `10m`; nil for until the next reload.
    package var duration: String?

    private enum CodingKeys: String, CodingKey {
        case level
        case duration = "for"
    }

    package init(level: String, duration: String? = nil) {
        self.level = level
        self.duration = duration
    }
}
