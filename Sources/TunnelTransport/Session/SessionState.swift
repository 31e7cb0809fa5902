/// How far a session has come. It only goes forward.
package enum SessionState: Int, Comparable, Sendable {
    /// The peer has not said who it is.
    case opening
    /// Streams may be opened.
    case ready
    /// The peer has answered since, so it knows that we are ready: a server hands out requests to the session.
    case serving
    /// Everything is done and our direction closed: nothing is sent or taken any more, the peer's end is waited for.
    case closing
    case over

    package static func < (one: SessionState, other: SessionState) -> Bool { one.rawValue < other.rawValue }
}
