/// When tunnels may dial that have cause to dial all at once, after a start or the loss of their server: some at once, the
/// others at even intervals. A server that has to take thousands of sessions in one moment keeps its callers waiting.
///
/// The generic cell rate algorithm (ITU-T I.371, annex A) with one cell for each dial.
package struct DialPace: Sendable {
    /// Between two dials, in the long run.
    package var interval: Duration = .microseconds(500)
    /// So many go at once after a pause.
    package var burst = 100

    /// When the next dial is due at this pace if none went ahead of its time.
    private var due: ContinuousClock.Instant?

    package init() {}

    /// Takes the next turn.
    ///
    /// - Returns: how long to wait for it from now on; not below zero.
    package mutating func turn(at now: ContinuousClock.Instant) -> Duration {
        let due = max(due ?? now, now)
        self.due = due + interval
        return max(.zero, now.duration(to: due) - interval * (burst - 1))
    }
}
