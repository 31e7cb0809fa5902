/// Tells news from what was said a moment ago, so that a server that is away does not fill the log.
struct RepeatedComplaint {
    /// The same complaint is made again after so long.
    private static let interval: Duration = .seconds(60)

    private var last: (message: String, at: ContinuousClock.Instant)?

    mutating func isNews(_ message: String) -> Bool {
        if let last, last.message == message, .now - last.at < Self.interval { return false }
        last = (message, .now)
        return true
    }

    mutating func reset() { last = nil }
}
