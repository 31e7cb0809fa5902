package import NIOCore
package import TunnelProtocol

/// One session: its machine, who receives its streams, its owner and its clock. Bound to one event loop.
///
/// It decides nothing: what comes by the carrier goes into the machine, and the machine's events to the owner and the
/// receivers. It knows nothing of how its carrier does that. `MachineSession` is it, by the machine of its protocol.
package protocol Session: AnyObject {
    var role: SessionRole { get }
    var state: SessionState { get }
    /// The longest message that the peer may send, in bytes.
    var longestMessage: Int { get }
    /// For who looks at the session from elsewhere.
    var pulse: SessionPulse { get }

    // From the carrier.

    /// Messages may go both ways from now on. Only the first carrier counts.
    func carrierOpened(_ carrier: any SessionCarrier, on eventLoop: any EventLoop)
    /// Whether what came waits in the carrier, for a turn or because the session is blocked.
    var isHeld: Bool { get set }
    /// Whether a reader holds it up: nothing more is to be given to it until that has taken some.
    var isBlocked: Bool { get }
    /// Whether it has a piece that it is not through with: it is to `goOn` before it is given another.
    var hasPiece: Bool { get }
    /// Something comes: what it brings about is written when all of it is there.
    func beginsToReceive(now: MonotonicInstant)
    /// Takes part of a message. Not to be called while it has one, or is blocked.
    ///
    /// - Parameter work: what it may do with it now, in units of `TurnAllowance`; counted down.
    func received(_ bytes: ByteBuffer, endsMessage: Bool, now: MonotonicInstant, work: inout Int)
    /// Goes on with the piece that it has.
    func goOn(now: MonotonicInstant, work: inout Int)
    /// All that came for now was given out.
    func hasReceived()
    /// The peer's end of the carrier gave a sign of life.
    func heard(now: MonotonicInstant)
    /// The peer's end of the carrier answered a question.
    func wasAnswered(now: MonotonicInstant)
    /// The carrier takes more.
    func becameWritable()
    /// Nothing more comes but what the carrier has: that is to be given out now, however slow its readers are.
    func stopBlocking()
    /// The carrier is closed, or has to be.
    ///
    /// - Parameter isUntouched: whether the peer has looked at none of the streams that are open.
    func carrierEnded(_ end: SessionEnd, isUntouched: Bool)

    // From the owner.

    /// Takes no new streams, finishes those in flight, then closes.
    func drain(reason: String)
    /// Says what became of the host names that the peer asked for; nothing to one of protocol v1.
    func tell(_ rulings: [HostRuling])
    /// From now on, a peer that was not heard of for so long is dead; 3…600 s, others are clamped. One that was silent
    /// for longer has that time from now on.
    func setKeepaliveTimeout(_ timeout: Duration)
    /// Asks a peer that is probably dead to prove the contrary, sooner than keepalive would.
    func probe(within patience: TimeAmount)
    /// Where no stream is open, gives back what is kept for the next.
    func giveBackMemory()
    /// Closes at once; streams in flight are lost.
    func close()
    /// Closes at once: there is no room for it now.
    func turnAway()

    // From the users of streams.

    /// Opens a stream, or returns nil when the session takes none now.
    func open(head: ByteBuffer, isLast: Bool, receiver: any StreamReceiver) -> StreamID?
    /// Takes a stream that the peer opened.
    func accept(_ id: StreamID, receiver: any StreamReceiver)
    /// Answers a stream with an interim or the final head.
    ///
    /// - Parameter originTime: how long the origin took for the final one, in microseconds; told where the peer takes it.
    func respond(_ id: StreamID, head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32?)
    /// Sends part of a body; false asks to wait for `streamBecameWritable`.
    func send(_ id: StreamID, _ bytes: ByteBuffer) -> Bool
    /// Ends the sending direction.
    func finish(_ id: StreamID, trailers: ByteBuffer?)
    /// Everything was sent, and what the peer still sends on this stream is not needed; its receiver hears no more.
    func ignoreRest(_ id: StreamID)
    /// Ends a stream in both directions once what waits of it has been sent; its receiver hears no more.
    func breakOff(_ id: StreamID, _ code: ResetCode, reason: String)
    /// Ends a stream in both directions; its receiver hears no more.
    func reset(_ id: StreamID, _ code: ResetCode, reason: String)
    /// The owner of the stream is through with it: everything was sent and received.
    func forget(_ id: StreamID)
    /// The receiver took so many bytes.
    func consumed(_ id: StreamID, _ count: Int)
}

extension Session {
    package func carrierEnded(_ end: SessionEnd) { carrierEnded(end, isUntouched: false) }
    package func respond(_ id: StreamID, head: ByteBuffer, isInterim: Bool, isLast: Bool) {
        respond(id, head: head, isInterim: isInterim, isLast: isLast, originTime: nil)
    }
    package func finish(_ id: StreamID) { finish(id, trailers: nil) }
    package func reset(_ id: StreamID, _ code: ResetCode) { reset(id, code, reason: "") }
}
