package import AgentStatus
package import NIOCore
package import TunnelProtocol

/// Why a session is over.
package enum SessionEnd: Sendable, Hashable {
    /// Everything in flight was finished after one side said it is leaving.
    case drained
    /// The peer closed the WebSocket, with this code.
    case closedByPeer(code: UInt16)
    /// The connection broke; the reason in words.
    case connectionLost(String)
    /// Nothing was heard of the peer for the keepalive timeout.
    case peerSilent
    /// Something waited for the peer, and it took nothing of it for the keepalive timeout.
    case peerStuck
    /// The peer broke the protocol; the rule in words.
    case peerMisbehaved(String)
    /// We closed it.
    case closedByUs
    /// We closed it, as there is no room for it.
    case turnedAway

    /// For logs and metrics.
    package var code: ErrorCode {
        switch self {
        case .drained: .drained
        case .closedByPeer: .closedByPeer
        case .connectionLost: .connectionLost
        case .peerSilent: .peerSilent
        case .peerStuck: .peerStuck
        case .peerMisbehaved: .peerMisbehaved
        case .closedByUs, .turnedAway: .closed
        }
    }

    /// What to tell people.
    package var message: String {
        switch self {
        case .drained: "drained"
        case .closedByPeer(let code): "closed by the peer with code \(code)"
        case .connectionLost(let reason): reason
        case .peerSilent: "the peer was silent for longer than the keepalive timeout"
        case .peerStuck: "the peer took nothing of what was sent to it for longer than the keepalive timeout"
        case .peerMisbehaved(let rule): "the peer broke the protocol: \(rule)"
        case .closedByUs, .turnedAway: "closed"
        }
    }
}

/// Owns a session: told what happens to it as a whole, on the session's event loop.
package protocol SessionOwner: AnyObject {
    /// The peer's settings came: streams may be opened.
    func sessionReady(_ session: any Session, peer: SessionSettings)
    /// The peer opened a stream (tunnel client only). Answer by `accept` or `reset`.
    func session(_ session: any Session, opened id: StreamID, head: ByteBuffer, isLast: Bool)
    /// The peer knows that the session is ready: a server hands out requests to it from now on. Told once.
    func sessionServes(_ session: any Session)
    /// The peer answered a ping.
    func sessionWasAnswered(_ session: any Session)
    /// So long an answer to a ping took (protocol v2).
    func session(_ session: any Session, measured roundTrip: Duration)
    /// The peer wants no new streams, or will open none.
    func sessionPeerDrains(_ session: any Session, reason: String)
    /// One exchange has the connection for itself from now on, or no more: others would have to wait (protocol v1).
    func session(_ session: any Session, becameOccupied isOccupied: Bool)
    /// The server says what became of the host names that were asked for (tunnel client only).
    func session(_ session: any Session, ruledOn rulings: [HostRuling])
    /// What would hold up others cannot be kept in a file (protocol v1); told once a minute.
    func sessionCannotSpill(_ session: any Session, reason: String)
    /// The session is over; told once, before its streams are, so that none of them is given to it again.
    func sessionEnded(_ session: any Session, _ end: SessionEnd)
}

extension SessionOwner {
    /// Only who chooses among sessions has to know.
    package func session(_ session: any Session, becameOccupied isOccupied: Bool) {}
    package func session(_ session: any Session, ruledOn rulings: [HostRuling]) {}
    package func sessionServes(_ session: any Session) {}
    package func sessionWasAnswered(_ session: any Session) {}
    package func session(_ session: any Session, measured roundTrip: Duration) {}
    package func sessionCannotSpill(_ session: any Session, reason: String) {}
}

/// Receives what the peer sends on one stream, on the session's event loop.
package protocol StreamReceiver: AnyObject {
    /// An interim or the final response head, as HTTP/1.1 text (tunnel server only).
    ///
    /// - Parameter originTime: how long the origin took for the final one, in microseconds, as the tunnel client says; nil
    ///   where it does not.
    func streamReceived(head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32?)
    /// Part of a body. The receiver reports what it has taken by `consumed`.
    func streamReceived(data: ByteBuffer, isLast: Bool)
    /// Trailers, as HTTP/1.1 field lines; ends the body.
    func streamReceived(trailers: ByteBuffer)
    /// The stream is over in both directions, before its time.
    func streamWasReset(_ end: StreamTermination, reason: String)
    /// Sending may go on, after `send` returned false.
    func streamBecameWritable()
    /// The session waits for it: what it has taken by now is to be reported by `consumed`.
    func streamReportsProgress()
}

extension StreamReceiver {
    /// Who takes everything at once has nothing to report.
    package func streamReportsProgress() {}
}
