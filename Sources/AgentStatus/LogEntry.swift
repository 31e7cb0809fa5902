/// A line of the agent's log, as the admin API tells it. Holds no secret.
///
/// Property names are those of the JSON.
package struct LogEntry: Codable, Hashable, Sendable {
    /// Counts the entries that somebody may have seen.
    package var id: UInt64
    /// Milliseconds since 1970.
    package var at: Int64
    /// `trace` to `critical`.
    package var level: String
    /// The part of the agent that says it.
    package var logger: String
    package var message: String
    /// By name, such as `tunnel.name`.
    package var fields: [String: String]

    package init(
        id: UInt64, at: Int64, level: String, logger: String, message: String, fields: [String: String] = [:]
    ) {
        self.id = id
        self.at = at
        self.level = level
        self.logger = logger
        self.message = message
        self.fields = fields
    }
}
