/// What would become of a request for a token, if it came now.
package enum TokenOutlook: Sendable, Hashable {
    /// A session takes it at once, one of so many.
    case isTaken(sessions: Int)
    /// It waits.
    ///
    /// - Parameters:
    ///   - waiting: others before it.
    ///   - isUp: whether sessions serve the token, and have no room.
    ///   - expectedFor: how long its tunnel has to come of which nothing was seen yet: then the token is unknown after all; nil
    ///     for one that was seen.
    case waits(waiting: Int, isUp: Bool, expectedFor: Duration?)
    case unknownToken
    /// As many wait as may.
    case tooManyWaiting(Int)
}
