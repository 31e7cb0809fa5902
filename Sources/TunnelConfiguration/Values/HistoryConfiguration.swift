/// `history`: where what happened is kept, and how much of it.
package struct HistoryConfiguration: Hashable, Sendable {
    package static let defaultKeep: Duration = .seconds(7 * 86_400)
    package static let defaultMaxBytes = 256 << 20

    /// `file`
    package var file: String
    /// `keep`: events and requests, 1 h…366 days; totals of minutes are kept for 31 days at least.
    package var keep: Duration
    /// `max-size`: how large the file may become, 4 MiB…1 TiB.
    package var maxBytes: Int

    package init(
        file: String, keep: Duration = HistoryConfiguration.defaultKeep,
        maxBytes: Int = HistoryConfiguration.defaultMaxBytes
    ) {
        self.file = file
        self.keep = keep
        self.maxBytes = maxBytes
    }
}
