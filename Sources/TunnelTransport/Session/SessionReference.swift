package import NIOCore
package import TunnelProtocol

/// A session as seen from any event loop: where a caller's stream is opened.
package struct SessionReference: Sendable {
    /// The session's own loop. A stream of a caller on the same loop costs no hop.
    package let eventLoop: any EventLoop
    private let session: NIOLoopBound<any Session>
    private let pulse: SessionPulse
    /// Whether its client takes streams that are raw from the beginning (`RawStream`).
    package let takesRawStreams: Bool

    /// Call on the session's event loop.
    package init(_ session: any Session, eventLoop: any EventLoop, takesRawStreams: Bool = false) {
        self.eventLoop = eventLoop
        self.session = NIOLoopBound(session, eventLoop: eventLoop)
        self.pulse = session.pulse
        self.takesRawStreams = takesRawStreams
    }

    /// When something last came from the peer.
    package var lastHeard: MonotonicInstant { pulse.last }

    /// Opens a stream for a receiver on another loop or the same.
    ///
    /// - Parameter callerLoop: the current event loop, on which the receiver is told everything.
    /// - Returns: where to send, or nil when the session refuses; a session on another loop refuses later, by
    ///   resetting the stream as refused.
    package func open(
        head: ByteBuffer, isLast: Bool, receiver: any StreamReceiver, on callerLoop: any EventLoop
    ) -> (any StreamPort)? {
        guard eventLoop !== callerLoop else {
            let session = session.value
            return session.open(head: head, isLast: isLast, receiver: receiver)
                .map { LocalStreamPort(session: session, id: $0) }
        }
        let port = RemoteStreamPort(session: session, sessionLoop: eventLoop, callerLoop: callerLoop)
        port.open(head: head, isLast: isLast, receiver: receiver)
        return port
    }

    /// Does something with the session on its own loop, at once when called there.
    package func perform(_ action: @escaping @Sendable (any Session) -> Void) {
        let session = session
        if eventLoop.inEventLoop {
            action(session.value)
        } else {
            eventLoop.execute { action(session.value) }
        }
    }
}

/// The sending side of one stream, on its user's event loop.
package protocol StreamPort: AnyObject {
    /// Whether the session has taken the stream. Until then it may still refuse it, so that another can have the
    /// request: what was sent before would be lost to that one. `streamBecameWritable` tells when it has.
    var isTaken: Bool { get }
    /// Sends part of a body; false asks to wait for `streamBecameWritable`.
    func send(_ bytes: ByteBuffer) -> Bool
    /// Ends the sending direction, with trailers as HTTP/1.1 field lines if there are any.
    func finish(trailers: ByteBuffer?)
    /// Ends the stream in both directions; its receiver hears no more.
    func reset(_ code: ResetCode, reason: String)
    /// The receiver took so many bytes.
    func consumed(_ count: Int)
    /// Everything was sent and received.
    func forget()
}

/// A stream whose session runs on the same loop: plain calls.
private final class LocalStreamPort: StreamPort {
    private let session: any Session
    private let id: StreamID

    init(session: any Session, id: StreamID) {
        self.session = session
        self.id = id
    }

    var isTaken: Bool { true }
    func send(_ bytes: ByteBuffer) -> Bool { session.send(id, bytes) }
    func finish(trailers: ByteBuffer?) { session.finish(id, trailers: trailers) }
    func reset(_ code: ResetCode, reason: String) { session.reset(id, code, reason: reason) }
    func consumed(_ count: Int) { session.consumed(id, count) }
    func forget() { session.forget(id) }
}
