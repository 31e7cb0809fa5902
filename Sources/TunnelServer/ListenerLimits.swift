package import HTTPServing
import Routing
import TunnelConfiguration

/// The bounds of one listener. They protect the process, whoever calls.
package struct ListenerLimits: Sendable {
    /// Those of each caller's connection.
    package var connection = ConnectionLimits()
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
