package import struct NIOCore.ByteBuffer

/// One end of a session, without I/O: messages and commands in, events and messages out. `MuxMachine` speaks
/// protocol v2, `MessageMachine` v1.
///
/// The tunnel server opens streams, the tunnel client takes them. Bytes that came are fed with `receive`, then
/// `nextEvent` is called until it returns nil with work left; after commands `write` is called while the carrier takes
/// more, and then `nextEvent` again, as writing may let a sender go on.
/// An error thrown by `nextEvent` is the peer's fault and ends the session.
///
/// One owner holds it in one place and never copies it. Its properties are `mutating get`, as reading one otherwise would
/// copy a whole machine that a class holds.
package protocol SessionMachine {
    /// Whether the session takes streams: v2 waits for the peer's settings.
    var isReady: Bool { mutating get }
    /// Whether we announced that we are leaving, or decided to where there is no way to say so.
    var isDraining: Bool { mutating get }
    var isPeerDraining: Bool { mutating get }
    /// Streams open now.
    var streamCount: Int { mutating get }
    /// Whether the session has nothing left to do and may be closed.
    var isDrained: Bool { mutating get }
    /// Whether this end closes a drained session: a client of v2 leaves that to the server.
    var closesWhenDrained: Bool { mutating get }
    /// Whether the peer answers `ping` at any time.
    var canProbe: Bool { mutating get }
    /// Whether one exchange has a direction of the connection for itself, so that others have to wait.
    var isOccupied: Bool { mutating get }
    /// How many of our pings were answered by a message of the peer's: v2 has its own, v1 the carrier's.
    var answeredPings: Int { mutating get }
    /// Time from such a ping to its answer, the last one measured; nil where none was.
    var roundTrip: Duration? { mutating get }
    /// When something last came from the peer.
    var lastHeard: MonotonicInstant { mutating get }
    /// Streams that we opened and of which the peer has not seen a byte: they may be opened elsewhere.
    var untouchedStreams: Set<StreamID> { mutating get }
    /// Whether nothing more should be received: what came is not taken, and there is no way to hold back one stream.
    var isBlocked: Bool { mutating get }
    /// Nothing more comes from the peer but what was received: it is given out however much of it was taken.
    mutating func stopBlocking()
    /// When `tick` is to be called though no ping is due, because streams stand in each other's way.
    var urgentTick: MonotonicInstant? { mutating get }

    /// Opens a stream.
    ///
    /// - Parameter head: a request head as HTTP/1.1 text, within the limit on heads.
    /// - Returns: its identifier, or nil when the session takes no more now (not ready, full, or draining).
    mutating func open(head: ByteBuffer, isLast: Bool, now: MonotonicInstant) -> StreamID?
    /// Answers a stream with an interim or the final head.
    ///
    /// - Parameter originTime: how long the origin took for the final one, in microseconds; told where the peer takes it.
    mutating func respond(
        _ id: StreamID, head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32?)
    /// Sends part of a body.
    ///
    /// - Returns: false when the sender should wait for `writable`.
    mutating func send(_ id: StreamID, _ bytes: ByteBuffer) -> Bool
    /// Ends the sending direction, with trailers as HTTP/1.1 field lines if there are any.
    mutating func finish(_ id: StreamID, trailers: ByteBuffer?)
    /// The rest of what the peer sends on this stream is not needed.
    mutating func ignoreRest(_ id: StreamID)
    /// Ends a stream in both directions once what waits of it has been sent: as much of an answer as there is.
    mutating func breakOff(_ id: StreamID, _ code: ResetCode, reason: String)
    /// Ends a stream in both directions at once.
    mutating func reset(_ id: StreamID, _ code: ResetCode, reason: String)
    /// The reader took so many bytes of this stream.
    mutating func consumed(_ id: StreamID, _ count: Int, now: MonotonicInstant)
    /// The reader is through with a stream that is over, whether or not it took everything.
    mutating func forget(_ id: StreamID)
    /// The session is over: gives back all that its streams drew from the budget. Nothing is asked of it any more.
    mutating func close()
    /// Says what became of the host names that the peer asked for; nothing where the protocol has no way to say so.
    mutating func tell(_ rulings: [HostRuling])
    /// Takes no new streams; those in flight go on.
    mutating func drain(reason: String, now: MonotonicInstant)

    /// Sends a ping when one is due.
    ///
    /// - Returns: when to call again, or nil when the peer was silent for too long and the session is dead.
    mutating func tick(now: MonotonicInstant) -> MonotonicInstant?
    /// From now on, a peer that was not heard of for so long (3…600 s, others are clamped) is dead; one that was
    /// silent for longer has that time from now. Call `tick` next, as a ping or the end may be due sooner.
    mutating func setKeepaliveTimeout(_ timeout: Duration, now: MonotonicInstant)
    /// Sends a ping out of turn.
    mutating func sendPing(now: MonotonicInstant)
    /// The carrier had a sign of life.
    mutating func heard(now: MonotonicInstant)

    /// Takes part of a message from the carrier.
    mutating func receive(_ piece: ByteBuffer, now: MonotonicInstant)
    /// The carrier's message is over. Call after `nextEvent` returned nil with work left, and `nextEvent` again
    /// afterwards.
    mutating func messageEnded() throws
    /// - Parameter work: what may be done with what came: counted down by four for each frame or part of a message,
    ///   whether or not it is an event. With 0 only what `write` and commands brought about is told.
    /// - Returns: what happened next; nil when the work is done, or all that came, and all that `write` brought about, is
    ///   dealt with.
    mutating func nextEvent(now: MonotonicInstant, work: inout Int) throws -> SessionEvent?

    /// Whether `write` would write something.
    var hasSomethingToWrite: Bool { mutating get }
    /// Writes a message for the carrier, or a piece of one.
    ///
    /// - Parameter budget: bytes after which no further data begins.
    /// - Returns: what was written, or nil when there is nothing.
    mutating func write(to payload: inout ByteBuffer, budget: Int) -> SessionOutput?
}

extension SessionMachine {
    /// Protocol v1 knows no names.
    package mutating func tell(_ rulings: [HostRuling]) {}

    package mutating func respond(_ id: StreamID, head: ByteBuffer, isInterim: Bool, isLast: Bool) {
        respond(id, head: head, isInterim: isInterim, isLast: isLast, originTime: nil)
    }
}

/// Which end of a session.
package enum SessionRole: Sendable {
    /// The tunnel server.
    case opener
    /// The tunnel client.
    case acceptor
}

/// What the owner of a session is told.
package enum SessionEvent: Sendable, Equatable {
    /// Streams may be opened.
    case ready(SessionSettings)
    case request(StreamID, head: ByteBuffer, isLast: Bool)
    /// How long the origin took for the final head, in microseconds, where the peer tells.
    case response(StreamID, head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32? = nil)
    case data(StreamID, ByteBuffer, isLast: Bool)
    case trailers(StreamID, ByteBuffer)
    /// The stream is over in both directions.
    case reset(StreamID, StreamTermination, reason: String)
    /// A sender that was asked to wait may go on.
    case writable(StreamID)
    /// The peer opens or takes no new streams.
    case peerDraining(reason: String)
    /// What a stream sends or receives is no longer kept here, so that it holds up nobody: keep it outside, in order.
    /// What comes is `consumed` once it lies there; what is sent waits there for `writable`.
    case overflowed(StreamID, StreamDirection)
    /// The reader of this stream holds up the session: it is to report by `consumed` what it has taken by now.
    case progressWanted(StreamID)
    /// What became of the host names that we asked for.
    case hostsRuled([HostRuling])
}

/// A direction of a stream, as this end sees it.
package enum StreamDirection: Sendable {
    case received
    case sent
}

/// What a session gives to its carrier.
package enum SessionOutput: Sendable, Equatable {
    /// A whole message, or a piece of the one that is under way.
    case message(isFirst: Bool, isLast: Bool)
    /// Nothing but the question for a sign of life.
    case question
}
