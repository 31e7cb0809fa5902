import AgentStatus
import NIOCore
import Routing
package import TunnelProtocol
import TunnelTransport

// What whoever runs the agent has it do now.
extension TunnelServer {
    package var name: String { core.name }

    /// Whether new requests of callers are refused. What is under way or waits goes on, and tunnel clients come and stay.
    package func setPaused(_ isPaused: Bool) { core.pause.set(isPaused) }

    /// The tokens that it knows and that a status shows so.
    package func tokens(hint: String, tag: String) -> [RendezvousToken] {
        core.registry.summaries.map(\.about.token).filter {
            $0.hint == hint && ConnectedToken.tag(of: $0) == tag
        }
    }

    /// Has the tunnel clients leave whose token is blocked.
    ///
    /// - Parameter grace: how long they may finish what is in flight; they get no new requests at once.
    package func dismissBlocked(grace: Duration) {
        for (id, session) in core.connections.sessions where core.blocked.contains(session.credentials.token)
        {
            dismiss(id, session, reason: "its token is blocked", grace: grace)
        }
    }

    /// Ends a session.
    ///
    /// - Parameter isCut: whether at once. Else it gets no new requests, and what is in flight is finished, however long that
    ///   takes.
    /// - Returns: false where it is not here.
    package func end(session id: UInt64, isCut: Bool) -> Bool {
        guard let session = core.connections.sessions([id])[id] else { return false }
        core.registry.drain(id)
        core.sessionGivesUpNames(id, isOrderly: true)
        session.perform { session in
            if isCut {
                session.close()
            } else {
                session.drain(reason: "who runs the tunnel server asks for it")
            }
        }
        return true
    }
}
