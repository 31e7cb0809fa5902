package import NIOCore

/// What a request of the long-poll carrier is answered, piece by piece.
package enum LongPollAnswer: Sendable {
    /// All of it.
    case whole(ByteBuffer)
    /// The first piece of one that goes on.
    case begin(ByteBuffer)
    case goOn(ByteBuffer)
    /// The last piece.
    case end(ByteBuffer)
    /// There is no such session.
    case gone
    /// There are too many requests of the session at once.
    case busy
}

/// Why the long-poll carrier of a session is over, in words.
package struct LongPollEnd: Error, Sendable, CustomStringConvertible {
    package let description: String
}
