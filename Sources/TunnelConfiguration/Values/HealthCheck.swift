/// How a tunnel client finds out by itself whether an origin is well.
package struct HealthCheck: Hashable, Sendable {
    /// What is asked for by GET: with a leading slash, and below the origin's base path.
    package var path: String
    /// From the begin of a check to that of the next.
    package var interval: Duration
    /// How long a check may take; not more than the interval.
    package var timeout: Duration
    /// Failed checks in a row by which an origin is down; at least 1.
    package var fall: Int
    /// Passed checks in a row by which it is up again; at least 1.
    package var rise: Int
    /// The statuses of good answers.
    package var statuses: ClosedRange<Int>

    package init(
        path: String = "/", interval: Duration = .seconds(10), timeout: Duration = .seconds(2), fall: Int = 3,
        rise: Int = 2, statuses: ClosedRange<Int> = 200...399
    ) {
        self.path = path
        self.interval = interval
        self.timeout = timeout
        self.fall = fall
        self.rise = rise
        self.statuses = statuses
    }
}
