package import HTTPMessage

/// The bounds of one session. Sizes are in bytes.
package struct SessionLimits: Sendable, Hashable {
    /// Streams at once.
    package var maximumStreams = 1000
    /// The last identifier that a session gives to a stream; then it drains, and a new session goes on.
    package var highestStream = UInt32(Int32.max)
    /// Longest head or trailers; a little above what a listener takes, as fields may be added on the way.
    package var maximumHeadBytes = 80 << 10
    /// Longest WebSocket message.
    package var maximumMessageBytes = 1 << 20
    /// What a peer may send on any new stream, whatever else is going on: it knows before it opens one.
    package var minimumWindow = 64 << 10
    /// The same of an answer, whose window is told with each request: four thousand that nobody reads take 64 MiB.
    package var minimumAnswerWindow = 16 << 10
    /// What a peer may send on a new stream while memory is plenty.
    package var initialWindow = 256 << 10
    /// What all streams of a session together may be given beyond the minimum before anything comes on them; each gets
    /// an eighth of what is left of it at most.
    package var maximumPromised = 4 << 20
    /// What comes at once on a stream before its window is given the memory that a fast one needs.
    package var leastBurst = 4 << 10
    /// What a stream's window may grow to.
    package var maximumWindow = 16 << 20
    /// What protocol v1 has bounds of its own for.
    package var v1 = MessageLimits()
    /// Data waiting in a stream, from which on its sender is asked to wait.
    package var sendHighWater = 64 << 10
    /// The same while a session has much that waits, or memory is short.
    package var leastSendHighWater = 8 << 10
    /// Data waiting in all streams of a session, which they come near to: a stream is asked to wait when it has an eighth of
    /// what is left of it.
    package var maximumWaiting = 8 << 20
    /// Data waiting in a stream, down to which its sender is asked to go on.
    package var sendLowWater = 32 << 10
    /// Data of one stream in one turn, while others wait for theirs.
    package var turnBytes = 32 << 10
    /// Heads and control frames that wait to be written; beyond it no stream is opened or taken, and a peer that
    /// made us answer so much without reading it is cut off.
    package var maximumControlBytes = 4 << 20
    /// What of that any session may have, and as much of trailers that wait behind data; the rest is drawn from the budget,
    /// and the limit is there where that has no more.
    package var freeControlBytes = 64 << 10
    /// A peer that was not heard of for so long is dead.
    package var keepaliveTimeout: Duration

    /// - Parameter keepaliveTimeout: clamped to 3…600 s, as the Go program does.
    package init(keepaliveTimeout: Duration = .seconds(30)) {
        self.keepaliveTimeout = Self.clamped(keepaliveTimeout)
    }

    /// The keepalive timeout that is used where this one is asked for: within 3…600 s.
    static func clamped(_ keepaliveTimeout: Duration) -> Duration {
        min(max(keepaliveTimeout, .seconds(3)), .seconds(600))
    }

    /// What a head out of the tunnel may hold: twice the fields that a listener takes.
    package var headLimits: HTTPLimits { HTTPLimits(headBytes: maximumHeadBytes, fieldCount: 256) }

    /// What the peer of this end may send on any new stream.
    func leastWindow(of role: SessionRole) -> Int {
        role == .opener ? min(minimumAnswerWindow, minimumWindow) : minimumWindow
    }

    /// Protocol v1: what one stream keeps in each direction without drawing it from the budget.
    var freeStoredBytes: Int { min(minimumAnswerWindow, minimumWindow) }

    /// Time between two pings.
    package var keepaliveInterval: Duration { keepaliveTimeout / 3 }
}

/// Memory for received data, shared by all sessions of a process, from which streams draw their windows beyond
/// the guaranteed minimum.
package protocol ReceiveBudget: Sendable {
    /// Whether so much is drawn that each should keep little.
    var isShort: Bool { get }
    /// Takes so many bytes, or none when they are not there.
    func take(_ bytes: Int) -> Bool
    /// Gives back what was taken.
    func giveBack(_ bytes: Int)
    /// Counts what is used however little is left; a negative number where it is not used any more.
    func count(_ bytes: Int)
}
