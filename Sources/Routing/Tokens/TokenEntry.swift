import TunnelConfiguration
import TunnelProtocol

/// What a `TokenTable` knows of one token.
struct TokenEntry: Sendable {
    /// How a token came to be known.
    enum Standing: Sendable {
        /// It has or had a session.
        case seen
        /// The configuration names it, and a request waits for it.
        case listed
        /// Nothing but a request that waits told of it.
        case guessed
    }

    let token: RendezvousToken
    var sessions = SessionPool()
    /// Client processes that serve it.
    var clients = 0
    var waiting = WaitingLine<TokenTable.RequestHandle>()
    var lastSeen: MonotonicInstant
    var standing = Standing.seen
    /// Who served it last, and so has to answer for its being remembered; nil for one that the configuration names.
    var owner: AddressGroup? = AddressGroup.unknown
    /// Who last sent a request.
    var lastCaller = ""
    /// How many came.
    var requests: UInt64 = 0
    /// Of the session that left last, and when it was last heard of.
    var lastPeer: (peer: SessionPeer, heard: MonotonicInstant)?
    /// When its sessions last had to prove that they live.
    var probed: MonotonicInstant?
    /// Of the token's requests on sessions of protocol v1, once there was one.
    var numbering: (any RequestNumbering)?

    /// Whether the token was seen, and not too long ago. Changes nothing: it is `mutating`, because to ask an entry in an
    /// array would copy it first.
    mutating func isKnown(_ now: MonotonicInstant) -> Bool { standing == .seen && !isForgotten(now) }

    func isForgotten(_ now: MonotonicInstant) -> Bool {
        isIdle && now.since(lastSeen) >= TokenTable.memory
    }

    /// Whether nobody serves it, and nobody waits for it.
    var isIdle: Bool { sessions.isEmpty && waiting.isEmpty }

    /// Whether one more request may wait.
    func takesWaiting(_ maximum: Int) -> Bool { waiting.count < maximum || sessions.isUp }

    /// Gives a stream to a new request, unless others wait: nobody overtakes them.
    mutating func begin(
        _ loop: Int, _ caller: String, _ turns: inout UInt64
    ) -> (id: TokenTable.SessionID, session: TokenTable.SessionHandle)? {
        lastCaller = caller
        requests &+= 1
        return waiting.isEmpty ? sessions.takeTurn(loop, &turns) : nil
    }

    /// Gives a stream to who waits longest, while there is one to give.
    mutating func assign(_ turns: inout UInt64) -> TokenTable.Assignment? {
        guard let (loop, request) = waiting.first, let (id, session) = sessions.takeTurn(loop, &turns)
        else {
            return nil
        }
        waiting.removeFirst()
        return TokenTable.Assignment(request: request, sessionID: id, session: session)
    }
}
