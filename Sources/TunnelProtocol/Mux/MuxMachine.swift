import DequeModule

package import struct NIOCore.ByteBuffer

/// One end of a session of protocol v2.
package struct MuxMachine: SessionMachine {
    let role: SessionRole
    private(set) var limits: SessionLimits
    let budget: any ReceiveBudget

    /// What the peer's settings bound, once they came. Not the settings themselves: their texts would be copied whenever
    /// one of these is asked for.
    var peer: PeerBounds?
    /// Whether we announced that we are leaving.
    package private(set) var isDraining = false
    package var isPeerDraining: Bool { peerGoAways > 0 }
    /// Time from a ping to its answer, the last one measured.
    package internal(set) var roundTrip: Duration?
    package internal(set) var answeredPings = 0

    var streams = StreamTable<MuxStream>()
    /// Data that waits to be sent, in all of them.
    var waitingBytes = 0
    /// Windows of streams that are over while their reader still holds what came: until it took that, or lets go.
    var unreadWindows = StreamTable<ReceiveWindow>()
    /// What those streams were given beyond the minimum on which nothing came yet.
    var promised = 0
    /// Streams that have something to write.
    var turns = TurnOrder()
    /// Heads and control frames that wait to be written.
    var control = ByteBuffer()
    /// What of those the peer brought about since it last took all of them.
    var answerBytes = 0
    /// What was drawn from the budget for those that wait.
    var controlBorrowed = 0
    /// Trailers that wait behind the data of their streams, and what was drawn from the budget for them.
    var trailerBytes = 0
    var trailersBorrowed = 0
    /// What came since the last tick that carries nothing.
    var idleTalk = 0
    var decoder: MuxDecoder
    var events = Deque<SessionEvent>()
    var lastStream = StreamID(0)
    package internal(set) var lastHeard: MonotonicInstant
    var peerGoAways = 0
    /// The last ping, until it is answered.
    var openPing: UInt64?
    /// The ping behind our goAway: once it is answered, every stream the peer opened before has come.
    var drainPing: UInt64?
    var isDrainConfirmed = false
    private var lastPing: UInt64 = 0
    private var nextPing: MonotonicInstant
    /// When the present timeout came into force: the peer had no reason to keep it before.
    private var timeoutSince: MonotonicInstant

    /// - Parameter settings: what to tell the peer of us; its bounds are replaced by those of the limits, which are
    ///   what is held.
    package init(
        role: SessionRole, limits: SessionLimits, settings: SessionSettings, budget: any ReceiveBudget,
        now: MonotonicInstant
    ) {
        self.role = role
        self.limits = limits
        self.budget = budget
        self.decoder = MuxDecoder(maximumHeadBytes: limits.maximumHeadBytes)
        self.lastHeard = now
        self.timeoutSince = now
        self.nextPing = now.advanced(by: limits.keepaliveInterval)
        var settings = settings
        settings.maximumStreams = limits.maximumStreams
        settings.initialWindow = limits.minimumWindow
        control.writeMuxFrame(.settings(settings))
        ping(now: now)
    }

    package mutating func close() {
        for stream in streams.values {
            stream.receiveWindow.release(to: budget)
            trailersGone(of: stream)
        }
        for window in unreadWindows.values { window.release(to: budget) }
        streams = StreamTable()
        unreadWindows = StreamTable()
        promised = 0
        waitingBytes = 0
        giveBackControl()
    }

    /// Streams open now.
    package var streamCount: Int { streams.count }

    /// Whether the session has nothing left to do and may be closed.
    package var isDrained: Bool {
        guard streams.isEmpty, control.readableBytes == 0 else { return false }
        switch role {
        case .opener: return isDraining || isPeerDraining
        case .acceptor: return isDrainConfirmed
        }
    }

    // MARK: Commands

    /// Opens a stream.
    ///
    /// - Parameter head: a request head as HTTP/1.1 text, within the limit on heads.
    /// - Returns: its identifier, or nil when the session takes no more now (not ready, full, or draining).
    package mutating func open(head: ByteBuffer, isLast: Bool, now: MonotonicInstant) -> StreamID? {
        guard role == .opener, let peer, !isDraining, !isPeerDraining,
            streams.count < peer.maximumStreams, head.readableBytes <= limits.maximumHeadBytes,
            mayKeep(control.readableBytes)
        else { return nil }
        guard lastStream.rawValue < limits.highestStream else {
            drain(reason: "the session has no stream identifiers left", now: now)
            return nil
        }
        let id = StreamID(lastStream.rawValue + 1)
        lastStream = id
        var window = ReceiveWindow(minimum: limits.leastWindow(of: .opener), now: now)
        _ = promise(&window)
        var stream = MuxStream(sendCredit: peer.initialWindow, receiveWindow: window)
        stream.hasSentEverything = isLast
        control.writeMuxRequest(id, window: window.credit, head: head, isLast: isLast)
        streams.insert(stream, for: id)
        return id
    }

    /// Answers a stream with an interim or the final head. Interim heads beyond the limit on heads, all of a
    /// stream together, are dropped: there is no credit that would hold an origin back from sending them.
    ///
    /// - Parameter originTime: told of a final head, to a peer that takes it.
    package mutating func respond(
        _ id: StreamID, head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32?
    ) {
        guard let index = streams.index(forKey: id), !streams.values[index].hasFinalHead else { return }
        guard head.readableBytes <= limits.maximumHeadBytes else {
            reset(id, .malformedMessage, reason: "the origin's header fields are too large")
            return
        }
        guard mayKeep(control.readableBytes) else {
            reset(id, .internalError, reason: "too many answers wait for the tunnel server to read them")
            return
        }
        var told: UInt32?
        if isInterim {
            guard streams.values[index].takesInterim(head, limits) else { return }
        } else {
            streams.values[index].hasFinalHead = true
            if let peer, peer.features.contains(.originTimes) { told = originTime }
        }
        control.writeMuxResponse(id, head: head, isInterim: isInterim, isLast: isLast, originTime: told)
        if isLast { sendingEnded(id) }
    }

    /// Sends part of a body.
    ///
    /// - Returns: false when the sender should wait for `writable`.
    package mutating func send(_ id: StreamID, _ bytes: ByteBuffer) -> Bool {
        guard let index = streams.index(forKey: id), streams.values[index].ending == nil,
            !streams.values[index].hasSentEverything
        else { return true }
        if bytes.readableBytes > 0 {
            streams.values[index].waiting.append(bytes)
            waitingBytes += bytes.readableBytes
            schedule(id)
        }
        // Once asked to wait, a sender waits until it is told: what it sends meanwhile must not call that off.
        if streams.values[index].waiting.count >= sendHighWater {
            streams.values[index].senderWaits = true
        }
        return !streams.values[index].senderWaits
    }

    /// Ends the sending direction, with trailers as HTTP/1.1 field lines if there are any.
    package mutating func finish(_ id: StreamID, trailers: ByteBuffer? = nil) {
        guard let index = streams.index(forKey: id), streams.values[index].ending == nil,
            !streams.values[index].hasSentEverything
        else { return }
        let fitting = trailers.flatMap { $0.readableBytes <= limits.maximumHeadBytes ? $0 : nil }
        guard keepsTrailers(fitting?.readableBytes ?? 0) else {
            return breakOff(id, .internalError, reason: "too many trailers wait to be read")
        }
        streams.values[index].ending = fitting.map { .trailers($0) } ?? .last
        schedule(id)
    }

    /// The rest of what the peer sends on this stream is not needed; it is told so when our direction has ended.
    package mutating func ignoreRest(_ id: StreamID) {
        guard let index = streams.index(forKey: id) else { return }
        streams.values[index].ignoresRest = true
        if streams.values[index].hasSentEverything { sendingEnded(id) }
    }

    /// Ends a stream in both directions once what waits of it has been sent.
    package mutating func breakOff(_ id: StreamID, _ code: ResetCode, reason: String) {
        guard let index = streams.index(forKey: id), !streams.values[index].hasSentEverything else {
            return reset(id, code, reason: reason)
        }
        trailersGone(of: streams.values[index])
        streams.values[index].ending = .reset(code, reason: reason)
        streams.values[index].ignoresRest = true
        schedule(id)
    }

    /// Ends a stream in both directions at once.
    package mutating func reset(_ id: StreamID, _ code: ResetCode, reason: String = "") {
        forget(id)
        guard remove(id) != nil else { return }
        control.writeMuxFrame(.reset(id, code, reason: reason))
    }

    /// The reader took so many bytes of this stream; grants the peer new credit when that is due.
    package mutating func consumed(_ id: StreamID, _ count: Int, now: MonotonicInstant) {
        guard let index = streams.index(forKey: id) else {
            guard let index = unreadWindows.index(forKey: id) else { return }
            unreadWindows.values[index].consumedRest(count)
            if unreadWindows.values[index].unread == 0 { forget(id) }
            return
        }
        guard !streams.values[index].hasReceivedEverything else {
            streams.values[index].receiveWindow.consumedRest(count)
            return
        }
        // A peer that answers pings late must not get large windows for it.
        let roundTrip = min(roundTrip ?? .milliseconds(50), .seconds(1))
        let grant = streams.values[index].receiveWindow.consumed(
            count, maximum: limits.maximumWindow, roundTrip: roundTrip, budget: budget, now: now)
        if let grant { answer(.window(id, grant)) }
    }

    /// The reader is through with a stream that is over, whether or not it took everything.
    package mutating func forget(_ id: StreamID) {
        unreadWindows.removeValue(forKey: id)?.release(to: budget)
    }

    /// Says what became of the host names that the peer asked for.
    package mutating func tell(_ rulings: [HostRuling]) {
        guard peer != nil, mayKeep(control.readableBytes) else { return }
        control.writeMuxFrame(.hosts(rulings))
    }

    /// Announces that no new streams are wanted. The streams in flight go on.
    package mutating func drain(reason: String, now: MonotonicInstant) {
        guard !isDraining else { return }
        isDraining = true
        control.writeMuxFrame(.goAway(lastTaken: StreamID(UInt32(Int32.max)), reason: reason))
        drainPing = ping(now: now)
    }

    /// Sends a ping when one is due.
    ///
    /// - Returns: when to call again, or nil when the peer was silent for too long and the session is dead.
    package mutating func tick(now: MonotonicInstant) -> MonotonicInstant? {
        let deadline = max(lastHeard, timeoutSince).advanced(by: limits.keepaliveTimeout)
        guard now < deadline else { return nil }
        idleTalk = 0
        if now >= pingDue {
            ping(now: now)
            nextPing = now.advanced(by: limits.keepaliveInterval)
        }
        return min(pingDue, deadline)
    }

    /// A server need not ask who lives while its client's own pings tell: of ten thousand idle sessions half of all
    /// that is sent would be that. Under load it does, for the round trip.
    private var pingDue: MonotonicInstant {
        guard role == .opener, streams.isEmpty else { return nextPing }
        // Later than the client's, and twice within the timeout when there are none.
        return max(nextPing, lastHeard.advanced(by: limits.keepaliveTimeout * 2 / 5))
    }

    package mutating func setKeepaliveTimeout(_ timeout: Duration, now: MonotonicInstant) {
        limits.keepaliveTimeout = SessionLimits.clamped(timeout)
        timeoutSince = now
        nextPing = min(nextPing, now.advanced(by: limits.keepaliveInterval))
    }

    /// Sends a ping, also out of turn. Its clock is no other's, though two may be sent at one instant.
    ///
    /// - Returns: the clock that the answer will bear.
    @discardableResult
    package mutating func ping(now: MonotonicInstant) -> UInt64 {
        lastPing = max(now.nanoseconds, lastPing &+ 1)
        openPing = lastPing
        control.writeMuxFrame(.ping(lastPing))
        return lastPing
    }
}

// What no session of protocol v2 has to do with: its streams never stand in each other's way.
extension MuxMachine {
    package var isReady: Bool { peer != nil }
    package var closesWhenDrained: Bool { role == .opener }
    package var canProbe: Bool { true }
    package var isOccupied: Bool { false }
    package var isBlocked: Bool { false }
    package mutating func stopBlocking() {}
    package var urgentTick: MonotonicInstant? { nil }
    /// Every head goes out at the end of the loop's turn in which its stream was opened.
    package var untouchedStreams: Set<StreamID> { [] }

    package mutating func sendPing(now: MonotonicInstant) { ping(now: now) }

    /// A peer that never says who it is does not live by anything else that it sends.
    package mutating func heard(now: MonotonicInstant) {
        if peer != nil { lastHeard = now }
    }
}
