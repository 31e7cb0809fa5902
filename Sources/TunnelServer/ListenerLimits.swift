package import HTTPMessage
package import NIOCore
import Routing
import TunnelConfiguration

/// The bounds of one listener. They protect the process, whoever calls.
package struct ListenerLimits: Sendable {
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
    /// Time that a listener which leaves its port gives handshakes that the kernel has under way: a round trip to the
    /// farthest caller.
    package var handshakeTime: Duration = .milliseconds(200)
    /// Time that tunnel clients have to come from the process that served before, as long as their longest wait between
    /// two tries: for so long requests wait for tunnels that were not seen yet.
    package var successionTime: Duration = .seconds(30)
    /// Connections of callers at once.
    package var callers = 10_000
    /// Connections of callers at once from one address.
    package var callersPerAddress = 5_000
    /// Sessions at once.
    package var sessions = ServerConfiguration.mostSessions
    /// Tokens that are known at once.
    package var tokens = TokenTable.maximumTokens

    package init() {}
}
