/// A session that serves a token: what does not change of it.
package struct ServingSession: Sendable {
    package var id: UInt64
    package var session: TokenTable.SessionHandle
    /// Which event loop it runs on; callers prefer their own.
    package var loop: Int
    /// Streams it takes at once.
    package var capacity: Int
    /// The client process and which of its connections this is: a new one takes the place of an old.
    package var client: ClientIdentity
    /// Whether its streams stand in each other's way (protocol v1).
    package var isSerial: Bool
    /// Who it is with, for those who ask when it is over.
    package var peer: SessionPeer?

    package init(
        id: UInt64, session: TokenTable.SessionHandle, loop: Int, capacity: Int, client: ClientIdentity,
        isSerial: Bool = false, peer: SessionPeer? = nil
    ) {
        self.id = id
        self.session = session
        self.loop = loop
        self.capacity = capacity
        self.client = client
        self.isSerial = isSerial
        self.peer = peer
    }
}

/// What a session has to do, as far as that decides whether it gets the next stream.
struct SessionLoad: Sendable {
    /// The lower, the sooner it gets a stream.
    typealias Rank = (delay: Int, openStreams: Int, lastTurn: UInt64)

    let capacity: Int
    let isSerial: Bool
    /// The line of its event loop in the pool.
    let line: Int
    var openStreams = 0
    var isDraining = false
    /// Whether one of its streams has the connection for itself now.
    var isOccupied = false
    /// When it was last given a stream, to take turns among equals.
    var lastTurn: UInt64 = 0
    /// Where in its line it stands, or -1: only those that take a stream do.
    var position = -1

    var isFree: Bool { !isDraining && openStreams < capacity }

    /// Among those of its own loop. Where a stream may have to wait for another, that counts more than a hop between
    /// loops: see `SessionPool.rank`.
    var rank: Rank { (isOccupied ? 4 : isSerial && openStreams > 0 ? 2 : 0, openStreams, lastTurn) }
}
