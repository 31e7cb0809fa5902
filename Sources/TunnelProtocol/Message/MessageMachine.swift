import DequeModule
import HTTPMessage

package import struct NIOCore.ByteBuffer

/// One end of a session of protocol v1: each WebSocket message is a request's number and one whole HTTP message.
///
/// Messages of one direction go one after another, so each has the connection for itself while it lasts. Where v2
/// holds a sender back by credit, this can only stop to read the connection, or hold back its own message until it
/// is whole. What waits is bounded by the budget that all streams of the process share, and a stream that keeps
/// the connection from others without using it is ended (`HoldAllowance`).
package struct MessageMachine: SessionMachine {
    let role: SessionRole
    private(set) var limits: SessionLimits
    let budget: any ReceiveBudget
    private let numbering: (any RequestNumbering)?

    package private(set) var isDraining = false
    var streams = StreamTable<MessageStream>()
    /// Who waits for an answer under which number; nil where the caller left before it came.
    var numbers: [UInt16: StreamID?] = [:]
    /// What streams that are over have received and their reader has not taken yet.
    var unreadRests: [StreamID: UnreadBytes] = [:]
    /// Streams with something to send whose message has not begun, oldest first.
    var pending: [StreamID] = []
    /// The message that has the connection.
    var sending: SendingMessage?
    var sendHold = HoldAllowance.toLive
    /// How many whole messages go before others now.
    var wholeTurns = 0
    /// Bytes of small messages that went before the large one whose turn it is.
    var overtaken = 0
    /// Since when nothing is sent because no message is whole.
    private var idleSince: MonotonicInstant?
    var incoming = IncomingMessage()
    /// The stream that does not take what came.
    var blocker: StreamID?
    /// Whether the peer is gone, and only what came of it is to be read.
    var hasEnded = false
    var receiveHold = HoldAllowance.toLive
    var memoryHold = HoldAllowance.toStayInMemory
    /// Since when nothing of what came was taken.
    private var stalledSince: MonotonicInstant?
    /// When a reader that holds up the session is asked how far it is.
    private var progressDue: MonotonicInstant?
    var events = Deque<SessionEvent>()
    var lastStream: UInt32 = 0
    package private(set) var lastHeard: MonotonicInstant
    private var nextPing: MonotonicInstant
    /// When the present timeout came into force: the peer had no reason to keep it before.
    private var timeoutSince: MonotonicInstant
    var isPingDue = false

    struct SendingMessage {
        var id: StreamID
        /// Whether nothing had to be waited for once it began.
        let beganWhole: Bool
        /// Whether it ends here, so that the peer sees that it is not whole.
        var isCut = false
    }

    /// - Parameters:
    ///   - peer: what is known of the peer: nothing comes from itself.
    ///   - numbering: of the token's requests; nil on a client, which opens none.
    package init(
        role: SessionRole, limits: SessionLimits, peer: String, budget: any ReceiveBudget,
        numbering: (any RequestNumbering)?, now: MonotonicInstant
    ) {
        self.role = role
        self.limits = limits
        self.budget = budget
        self.numbering = numbering
        self.lastHeard = now
        self.timeoutSince = now
        self.nextPing = now
        events.append(
            .ready(
                SessionSettings(
                    version: .v1, maximumStreams: limits.v1.maximumStreams,
                    initialWindow: limits.minimumWindow,
                    software: peer)))
    }

    package mutating func close() {
        for var stream in streams.values {
            stream.outgoing.release(to: budget)
            stream.unread.release(to: budget)
        }
        for rest in unreadRests.values { rest.release(to: budget) }
        streams = StreamTable()
        unreadRests = [:]
    }

    package var isReady: Bool { true }
    package var isPeerDraining: Bool { false }
    package var streamCount: Int { streams.count }
    package var isDrained: Bool {
        isDraining && streams.isEmpty && sending == nil && !incoming.isInRequestHead
    }
    package var closesWhenDrained: Bool { true }
    package var answeredPings: Int { 0 }
    package var roundTrip: Duration? { nil }
    package var canProbe: Bool { role == .acceptor }
    package var isOccupied: Bool { sending != nil || incoming.number != nil }
    package var isBlocked: Bool { blocker != nil }

    package mutating func stopBlocking() {
        hasEnded = true
        blocker = nil
    }

    package var untouchedStreams: Set<StreamID> {
        guard role == .opener else { return [] }
        return Set(zip(streams.keys, streams.values).lazy.filter { !$1.outgoing.isOpen }.map(\.0))
    }

    // MARK: Time

    package mutating func heard(now: MonotonicInstant) { lastHeard = now }

    package mutating func setKeepaliveTimeout(_ timeout: Duration, now: MonotonicInstant) {
        limits.keepaliveTimeout = SessionLimits.clamped(timeout)
        timeoutSince = now
        nextPing = min(nextPing, now.advanced(by: limits.keepaliveInterval))
    }

    package mutating func sendPing(now: MonotonicInstant) { isPingDue = true }

    package var urgentTick: MonotonicInstant? {
        [patienceEnd, progressDue].compactMap { $0 }.min()
    }

    /// When something is to be done about a stream that stands in the way of others.
    var patienceEnd: MonotonicInstant? {
        [
            sendHold.deadline, receiveHold.deadline, memoryHold.deadline,
            idleSince?.advanced(by: MessageLimits.patience), stalledSince?.advanced(by: stallPatience),
        ].compactMap { $0 }.min()
    }

    /// How long a stream may leave everything that came, though it is alone: what is not read holds up pings too,
    /// and a client that cannot get one out within a third of its timeout gives the tunnel up.
    private var stallPatience: Duration { limits.keepaliveTimeout / 5 }

    package mutating func tick(now: MonotonicInstant) -> MonotonicInstant? {
        if let deadline = memoryHold.deadline, deadline <= now, let blocker { overflow(blocker) }
        if let progressDue, progressDue <= now, let blocker {
            events.append(.progressWanted(blocker))
            self.progressDue = nil
        }
        if let deadline = sendHold.deadline, deadline <= now, let sending {
            end(sending.id, .tooSlow, "its message kept others waiting for too long")
        }
        if let deadline = receiveHold.deadline, deadline <= now, let blocker {
            end(blocker, .tooSlow, "what came was not taken while others had to wait")
        }
        if let stalledSince, stalledSince.advanced(by: stallPatience) <= now, let blocker {
            end(blocker, .tooSlow, "what came was not taken for too long")
        }
        if let idleSince, idleSince.advanced(by: MessageLimits.patience) <= now, let id = firstLive {
            release(id)
        }
        assess(now: now)
        // We cannot have heard anything while we did not read.
        if isBlocked { lastHeard = now }
        let deadline = max(lastHeard, timeoutSince).advanced(by: limits.keepaliveTimeout)
        guard now < deadline else { return nil }
        var next = deadline
        if role == .acceptor {
            if now >= nextPing {
                isPingDue = true
                nextPing = now.advanced(by: limits.keepaliveInterval)
            }
            next = min(next, nextPing)
        }
        return urgentTick.map { min($0, next) } ?? next
    }

    /// Takes note of who holds up whom.
    mutating func assess(now: MonotonicInstant) {
        let isStarving = sending.map { !$0.isCut && !hasSomething(in: $0.id) } ?? false
        sendHold.holds(isStarving && !pending.isEmpty, now: now)
        receiveHold.holds(isBlocked && streams.count > 1, now: now)
        memoryHold.holds(blocker.map { canOverflow($0) } ?? false, now: now)
        stalledSince = isBlocked ? stalledSince ?? now : nil
        progressDue = isBlocked ? progressDue ?? now.advanced(by: MessageLimits.progressInterval) : nil
        let isIdle = role == .acceptor && sending == nil && !hasReady && firstLive != nil
        idleSince = isIdle ? idleSince ?? now : nil
    }

    private func canOverflow(_ id: StreamID) -> Bool {
        guard limits.v1.maximumSpilledBytes > 0, let index = streams.index(forKey: id) else { return false }
        return !streams.values[index].isReceivedOutside
    }

    /// What comes on this stream goes outside from now on, so that the session can go on.
    private mutating func overflow(_ id: StreamID) {
        guard canOverflow(id), let index = streams.index(forKey: id) else { return }
        streams.values[index].isReceivedOutside = true
        streams.values[index].unread.openPassage(MessageLimits.passage)
        events.append(.overflowed(id, .received))
        unblock(id)
    }

    // MARK: Commands

    package mutating func open(head: ByteBuffer, isLast: Bool, now: MonotonicInstant) -> StreamID? {
        guard let numbering, !isDraining, streams.count < limits.v1.maximumStreams,
            let request = try? RequestHead(whole: head, limits: limits.headLimits)
        else { return nil }
        guard numbers.count < MessageLimits.mostNumbers else {
            let reason = "too many requests were not answered"
            drain(reason: reason, now: now)
            // Nobody asked for it, so the owner has to be told.
            events.append(.peerDraining(reason: reason))
            return nil
        }
        lastStream &+= 1
        let id = StreamID(lastStream)
        let outcome = MessageHead.prepare(request, isLast: isLast)
        let length = RequestNumber.digits + outcome.head.readableBytes + outcome.contentLength
        guard length <= limits.v1.maximumMessageBytes else {
            events.append(.reset(id, .requestTooLarge, reason: "the request is too large"))
            return id
        }
        guard !outcome.isWebSocket else {
            events.append(.reset(id, .upgradeUnsupported, reason: "protocol v1 carries no upgrade"))
            return id
        }
        var number = numbering.next()
        while numbers.keys.contains(number) { number = numbering.next() }
        var stream = MessageStream(number: number, method: request.method, limits: limits)
        stream.outgoing.begin(head: outcome.head, isChunked: outcome.isChunked, isWhole: outcome.isWhole)
        streams[id] = stream
        numbers[number] = .some(id)
        pending.append(id)
        if outcome.expectsContinue {
            events.append(.response(id, head: MessageHead.proceed, isInterim: true, isLast: false))
        }
        return id
    }

    /// Interim heads have no place in a message, nor has the origin's time.
    package mutating func respond(
        _ id: StreamID, head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32?
    ) {
        guard !isInterim, let index = streams.index(forKey: id), !streams.values[index].outgoing.hasHead
        else { return }
        guard let response = try? ResponseHead(whole: head, limits: limits.headLimits) else {
            reset(id, .malformedMessage, reason: "the origin's answer is no valid HTTP")
            return
        }
        let outcome = MessageHead.prepare(response, method: streams.values[index].method, isLast: isLast)
        streams.values[index].outgoing.begin(
            head: outcome.head, isChunked: outcome.isChunked, isWhole: isLast,
            contentLength: outcome.contentLength, isLive: outcome.isLive)
        pending.append(id)
    }

    package mutating func send(_ id: StreamID, _ bytes: ByteBuffer) -> Bool {
        guard let index = streams.index(forKey: id), streams.values[index].outgoing.hasHead else {
            return true
        }
        let goesOn = streams.values[index].outgoing.append(bytes, budget: budget)
        if !goesOn, streams.values[index].outgoing.overflows() { events.append(.overflowed(id, .sent)) }
        return endIfTooLarge(id) || goesOn
    }

    package mutating func unread(_ id: StreamID) -> Int {
        streams.index(forKey: id).map { streams.values[$0].unread.count } ?? 0
    }

    package mutating func keptElsewhere(_ id: StreamID, _ count: Int) {
        guard let index = streams.index(forKey: id) else { return }
        streams.values[index].outgoing.keptElsewhere(count)
        _ = endIfTooLarge(id)
    }

    package mutating func release(_ id: StreamID) {
        guard let index = streams.index(forKey: id) else { return }
        streams.values[index].outgoing.isReleased = true
    }

    private mutating func endIfTooLarge(_ id: StreamID) -> Bool {
        guard role == .opener, let index = streams.index(forKey: id),
            streams.values[index].outgoing.expectedBytes > limits.v1.maximumMessageBytes
        else { return false }
        end(id, .requestTooLarge, "the request is too large")
        return true
    }

    package mutating func finish(_ id: StreamID, trailers: ByteBuffer?) {
        guard let index = streams.index(forKey: id) else { return }
        streams.values[index].outgoing.finish()
    }

    package mutating func ignoreRest(_ id: StreamID) {
        guard let index = streams.index(forKey: id) else { return }
        streams.values[index].ignoresRest = true
        unblock(id)
        if streams.values[index].isDone { remove(id) }
    }

    /// A message that has begun ends behind what waits of it, short of what it promised.
    package mutating func breakOff(_ id: StreamID, _ code: ResetCode, reason: String) {
        guard role == .acceptor, let index = streams.index(forKey: id), streams.values[index].outgoing.isOpen
        else { return reset(id, code, reason: reason) }
        streams.values[index].outgoing.breakOff()
        ignoreRest(id)
    }

    package mutating func reset(_ id: StreamID, _ code: ResetCode, reason: String) {
        forget(id)
        guard let stream = streams[id] else { return }
        if role == .acceptor, !stream.outgoing.isOpen {
            // Without an answer the server would wait for one.
            answerInstead(id, code == .malformedMessage ? 400 : 502, reason)
        } else {
            remove(id)
        }
    }

    package mutating func consumed(_ id: StreamID, _ count: Int, now: MonotonicInstant) {
        if let index = streams.index(forKey: id) {
            streams.values[index].unread.consumed(count)
            if incoming.bodyOf == id {
                receiveHold.moved(count)
                memoryHold.moved(count)
            }
            if blocker == id, count > 0 { stalledSince = now }
            if !streams.values[index].unread.isFull { unblock(id) }
        } else if let index = unreadRests.index(forKey: id) {
            unreadRests.values[index].consumed(count)
            if unreadRests.values[index].count == 0 { forget(id) }
        }
    }

    package mutating func forget(_ id: StreamID) {
        unreadRests.removeValue(forKey: id)?.release(to: budget)
    }

    /// There is no way to tell the peer; a client goes on to serve what comes until a moment when nothing is open.
    package mutating func drain(reason: String, now: MonotonicInstant) { isDraining = true }
}
