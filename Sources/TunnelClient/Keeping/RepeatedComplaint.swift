import Glibc

/// Tells news from what was said a moment ago, so that a server that is away does not fill the log; counts what went
/// wrong since it last went well.
struct RepeatedComplaint {
    /// The same complaint is made again after so long.
    private static let interval: Duration = .seconds(60)

    private var last: (message: String, at: ContinuousClock.Instant)?
    /// Failures in a row.
    private(set) var count = 0
    /// When the first of them was, in seconds since 1970.
    private(set) var since = 0
    /// How many of them were worth telling.
    private(set) var timesTold = 0

    /// Notes a failure.
    ///
    /// - Parameter isTold: whether it may be told at all.
    /// - Returns: whether it is worth telling.
    mutating func note(
        _ message: String, isTold: Bool = true, at now: ContinuousClock.Instant = .now
    ) -> Bool {
        if count == 0 { since = time(nil) }
        count += 1
        guard isTold else { return false }
        if let last, last.message == message, now - last.at < Self.interval { return false }
        last = (message, now)
        timesTold += 1
        return true
    }

    /// It went well.
    mutating func reset() { self = RepeatedComplaint() }
}
