package import HTTPMessage
package import NIOCore

/// The bounds of one connection. They protect the process, whoever calls.
package struct ConnectionLimits: Sendable {
    /// Of heads and chunks.
    package var http = HTTPLimits()
    /// Time for a whole request head, from the connection or the head's first byte on.
    package var headTimeout: TimeAmount = .seconds(10)
    /// Time that a connection may wait for its next request.
    package var idleTimeout: TimeAmount = .seconds(75)
    /// Behind the last answer, what a caller still sends is read and dropped, so that it sees the answer: until it has
    /// been silent for so long.
    package var lingerTimeout: TimeAmount = .seconds(2)
    /// The same, whatever it does.
    package var longestLingering: TimeAmount = .seconds(30)
    /// Time that answers have to go out whose callers are cut off at the end of the grace.
    package var cutTime: TimeAmount = .milliseconds(500)
    /// Time that a server which stops leaves who came or was answered last, to send another request.
    package var leaveTimeout: TimeAmount = .seconds(1)

    package init() {}
}
