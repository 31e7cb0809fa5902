internal import HostSystem

/// Now, in milliseconds.
struct HistoryMoment: Sendable {
    /// Since 1970: what rows say.
    var unix: Int64
    /// Of a clock that is never set.
    var running: Int64

    private static let start = ContinuousClock.now

    static var now: HistoryMoment {
        let running = (ContinuousClock.now - start) / .milliseconds(1)
        return HistoryMoment(unix: UnixTime.milliseconds, running: Int64(running))
    }

    /// So much later, by both.
    func later(_ milliseconds: Int64) -> HistoryMoment {
        HistoryMoment(unix: unix + milliseconds, running: running + milliseconds)
    }
}
