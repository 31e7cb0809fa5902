import Foundation

/// What the threads of an old server share: tokens, their queues, their connections.
final class OldServerCore: @unchecked Sendable {
    private struct Token {
        var nextID: Int
        var queue: [OldCall] = []
        var sessions: [OldServerSession] = []
    }

    let options: OldTunnelServer.Options
    let violations = OldViolations()
    let joined = WaitableCounter()
    let left = WaitableCounter()
    let refused = WaitableCounter()
    let arrived = WaitableCounter()
    let sent = WaitableCounter()
    let pongs = WaitableCounter()
    let pingCounter = WaitableCounter()
    /// Connections on which no ping came in time.
    let timedOut = WaitableCounter()
    private let condition = NSCondition()
    // Guarded by `condition`.
    private var tokens: [String: Token] = [:]
    private var isClosed = false
    private var seenHandshakes: [MessageHead] = []
    private var seenPings: [ContinuousClock.Instant] = []

    init(_ options: OldTunnelServer.Options) { self.options = options }

    var handshakes: [MessageHead] { condition.withLock { seenHandshakes } }
    var pings: [ContinuousClock.Instant] { condition.withLock { seenPings } }

    func sawPing() {
        condition.withLock { seenPings.append(.now) }
        pingCounter.add(1)
    }

    func dropClients() {
        for session in allSessions() { session.link.socket.cut() }
    }

    func sendRaw(_ message: WebSocketMessage) throws {
        for session in allSessions() { try session.link.send(message) }
    }

    private func allSessions() -> [OldServerSession] {
        condition.withLock { tokens.values.flatMap(\.sessions) }
    }

    func close() {
        let waiting = condition.withLock {
            isClosed = true
            condition.broadcast()
            return tokens.values.flatMap(\.queue)
        }
        for call in waiting { call.pipe.finish(.shutdown) }
        for session in allSessions() { session.link.socket.interrupt() }
    }

    // MARK: Tunnel connections

    /// Serves a connection that asked for `/_tunnel`, to its end.
    func serveTunnel(_ request: MessageHead, _ connection: OriginConnection) throws {
        condition.withLock { seenHandshakes.append(request) }
        var admission = OldAdmission.of(request, options, violations)
        if let refusal = options.refusal {
            admission = .refused(status: refusal.status, text: refusal.text)
        }
        guard case .accepted(let token, let fields) = admission else {
            if case .refused(let status, let text) = admission {
                try connection.refuse(status, text)
                refused.add(1)
            }
            return
        }
        let link = OldLink(
            connection.socket, isClient: false, fragmentation: options.fragmentation, violations)
        let session = OldServerSession(link, token: token, self)
        let isTaken = condition.withLock {
            let count = tokens[token]?.sessions.count ?? 0
            guard options.maxClientsPerToken == 0 || count < options.maxClientsPerToken else { return false }
            tokens[token, default: Token(nextID: options.firstID)].sessions.append(session)
            return true
        }
        guard isTaken else {
            try connection.refuse(429, "Maximum number of clients reached")
            return refused.add(1)
        }
        defer {
            condition.withLock {
                tokens[token]?.sessions.removeAll { $0 === session }
                condition.broadcast()
            }
            left.add(1)
        }
        try connection.writeHead(101, fields: fields)
        connection.socket.set(limit: options.wsTimeout)
        joined.add(1)
        Thread.detachNewThread { session.sendRequests() }
        session.readResponses()
    }

    /// Waits for the token's next request and gives it with its id; nil when the session is over.
    func nextCall(for session: OldServerSession) -> (OldCall, id: Int)? {
        condition.withLock {
            while true {
                guard !isClosed, !session.isOver, var token = tokens[session.token] else { return nil }
                if !token.queue.isEmpty {
                    let call = token.queue.removeFirst()
                    let id = token.nextID
                    token.nextID = (id + 1) % OldFacts.idModulus
                    tokens[session.token] = token
                    return (call, id)
                }
                condition.wait()
            }
        }
    }

    /// Puts a request back, first of all, after its connection broke while it was sent.
    func putBack(_ call: OldCall, token: String) {
        condition.withLock {
            tokens[token]?.queue.insert(call, at: 0)
            condition.broadcast()
        }
    }

    /// Wakes whoever waits for a request, to see what has changed.
    func wakeUp() { condition.withLock { condition.broadcast() } }

    // MARK: Requests

    enum Queueing { case waits, unknownToken, full }

    func enqueue(_ call: OldCall, token: String) -> Queueing {
        condition.withLock {
            guard let state = tokens[token] else { return .unknownToken }
            guard state.queue.count < options.maxRequestsPerTunnel else { return .full }
            tokens[token]?.queue.append(call)
            condition.broadcast()
            arrived.add(1)
            return .waits
        }
    }

    /// Takes back a request that nobody waits for any more.
    func retire(_ call: OldCall, token: String) {
        condition.withLock { tokens[token]?.queue.removeAll { $0 === call } }
        call.pipe.finish(.callerLeft)
    }
}
