package import struct NIOCore.ByteBuffer

/// One end of a session of protocol v2, without I/O: messages and commands in, events and messages out.
///
/// The tunnel server opens streams, the tunnel client takes them. Bytes that came are fed with `receive`, then
/// `nextEvent` is called until it returns nil; after commands `write` is called while the carrier takes more.
/// An error thrown by `nextEvent` is the peer's fault and ends the session.
package struct SessionMachine: ~Copyable {
    package enum Role: Sendable {
        /// The tunnel server.
        case opener
        /// The tunnel client.
        case acceptor
    }

    /// What the owner of the session is told.
    package enum Event: Sendable, Equatable {
        /// The peer's settings came; streams may be opened.
        case ready(SessionSettings)
        case request(StreamID, head: ByteBuffer, isLast: Bool)
        case response(StreamID, head: ByteBuffer, isInterim: Bool, isLast: Bool)
        case data(StreamID, ByteBuffer, isLast: Bool)
        case trailers(StreamID, ByteBuffer)
        /// The stream is over in both directions.
        case reset(StreamID, ResetCode, reason: String)
        /// A sender that was asked to wait may go on.
        case writable(StreamID)
        /// The peer opens or takes no new streams.
        case peerDraining(reason: String)
    }

    let role: Role
    let limits: SessionLimits
    let budget: any ReceiveBudget

    /// The peer's settings, once they came.
    package private(set) var peer: SessionSettings?
    /// Whether we announced that we are leaving.
    package private(set) var isDraining = false
    package private(set) var isPeerDraining = false
    /// Time from a ping to its answer, the last one measured.
    package private(set) var roundTrip: Duration?

    var streams: [StreamID: MuxStream] = [:]
    var scheduled = FIFO<StreamID>()
    var control = ByteBuffer()
    private var decoder: MuxDecoder
    private var events = FIFO<Event>()
    private var lastStream = StreamID(0)
    private var lastHeard: MonotonicInstant
    private var nextPing: MonotonicInstant
    /// The ping behind our goAway: once it is answered, every stream the peer opened before has come.
    private var drainPing: UInt64?
    private var isDrainConfirmed = false

    package init(
        role: Role, limits: SessionLimits, settings: SessionSettings, budget: any ReceiveBudget,
        now: MonotonicInstant
    ) {
        self.role = role
        self.limits = limits
        self.budget = budget
        self.decoder = MuxDecoder(maximumHeadBytes: limits.maximumHeadBytes)
        self.lastHeard = now
        self.nextPing = now.advanced(by: limits.keepaliveInterval)
        control.writeMuxFrame(.settings(settings))
        control.writeMuxFrame(.ping(now.nanoseconds))
    }

    deinit {
        for stream in streams.values { stream.receiveWindow.release(to: budget) }
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
            control.readableBytes <= limits.maximumControlBytes, lastStream.rawValue < UInt32(Int32.max)
        else { return nil }
        let id = StreamID(lastStream.rawValue + 1)
        lastStream = id
        let window = ReceiveWindow(
            initial: limits.initialWindow, minimum: limits.minimumWindow, budget: budget, now: now)
        var stream = MuxStream(sendCredit: peer.initialWindow, receiveWindow: window)
        stream.hasSentEverything = isLast
        control.writeMuxFrame(.request(id, window: window.credit, head: head, isLast: isLast))
        streams[id] = stream
        return id
    }

    /// Answers a stream with an interim or the final head.
    package mutating func respond(_ id: StreamID, head: ByteBuffer, isInterim: Bool, isLast: Bool) {
        guard let index = streams.index(forKey: id), !streams.values[index].hasSentEverything else { return }
        guard head.readableBytes <= limits.maximumHeadBytes else {
            reset(id, .malformedMessage, reason: "the origin's header fields are too large")
            return
        }
        // No credit holds heads back. An origin that sends interim ones without end must not fill our memory, and
        // they may be left out (RFC 9110 §15.2).
        guard !isInterim || control.readableBytes <= limits.maximumControlBytes else { return }
        control.writeMuxFrame(.response(id, head: head, isInterim: isInterim, isLast: isLast))
        if isLast { sendingEnded(id) }
    }

    /// Sends part of a body.
    ///
    /// - Returns: false when the sender should wait for `writable`.
    package mutating func send(_ id: StreamID, _ bytes: ByteBuffer) -> Bool {
        guard let index = streams.index(forKey: id), bytes.readableBytes > 0 else { return true }
        guard streams.values[index].ending == nil, !streams.values[index].hasSentEverything else {
            return true
        }
        streams.values[index].waiting.append(bytes)
        streams.values[index].waitingBytes += bytes.readableBytes
        schedule(id)
        let isFull = streams.values[index].waitingBytes >= limits.sendHighWater
        streams.values[index].senderWaits = isFull
        return !isFull
    }

    /// Ends the sending direction, with trailers as HTTP/1.1 field lines if there are any.
    package mutating func finish(_ id: StreamID, trailers: ByteBuffer? = nil) {
        guard let index = streams.index(forKey: id), streams.values[index].ending == nil,
            !streams.values[index].hasSentEverything
        else { return }
        let fitting = trailers.flatMap { $0.readableBytes <= limits.maximumHeadBytes ? $0 : nil }
        streams.values[index].ending = fitting.map { .trailers($0) } ?? .last
        schedule(id)
    }

    /// The rest of what the peer sends on this stream is not needed; it is told so when our direction has ended.
    package mutating func ignoreRest(_ id: StreamID) {
        guard let index = streams.index(forKey: id) else { return }
        streams.values[index].ignoresRest = true
        if streams.values[index].hasSentEverything { sendingEnded(id) }
    }

    /// Ends a stream in both directions at once.
    package mutating func reset(_ id: StreamID, _ code: ResetCode, reason: String = "") {
        guard let stream = streams.removeValue(forKey: id) else { return }
        stream.receiveWindow.release(to: budget)
        control.writeMuxFrame(.reset(id, code, reason: reason))
    }

    /// The reader took so many bytes of this stream; grants the peer new credit when that is due.
    package mutating func consumed(_ id: StreamID, _ count: Int, now: MonotonicInstant) {
        guard let index = streams.index(forKey: id), !streams.values[index].hasReceivedEverything else {
            return
        }
        let grant = streams.values[index].receiveWindow.consumed(
            count, maximum: limits.maximumWindow, roundTrip: roundTrip ?? .milliseconds(50), budget: budget,
            now: now)
        if let grant { control.writeMuxFrame(.window(id, grant)) }
    }

    /// Announces that no new streams are wanted. The streams in flight go on.
    package mutating func drain(reason: String, now: MonotonicInstant) {
        guard !isDraining else { return }
        isDraining = true
        control.writeMuxFrame(.goAway(lastTaken: StreamID(UInt32(Int32.max)), reason: reason))
        drainPing = now.nanoseconds
        control.writeMuxFrame(.ping(now.nanoseconds))
    }

    /// Sends a ping when one is due.
    ///
    /// - Returns: when to call again, or nil when the peer was silent for too long and the session is dead.
    package mutating func tick(now: MonotonicInstant) -> MonotonicInstant? {
        let deadline = lastHeard.advanced(by: limits.keepaliveTimeout)
        guard now < deadline else { return nil }
        if now >= nextPing {
            control.writeMuxFrame(.ping(now.nanoseconds))
            nextPing = now.advanced(by: limits.keepaliveInterval)
        }
        return min(nextPing, deadline)
    }

    /// Sends a ping out of turn.
    package mutating func ping(now: MonotonicInstant) {
        control.writeMuxFrame(.ping(now.nanoseconds))
    }

    /// Whether anything came from the peer after an instant.
    package func wasHeard(since instant: MonotonicInstant) -> Bool { lastHeard > instant }

    // MARK: Events

    /// Takes part of a message from the carrier.
    package mutating func receive(_ piece: ByteBuffer, now: MonotonicInstant) {
        // A peer that never says who it is does not live by anything else that it sends.
        if peer != nil { lastHeard = now }
        decoder.feed(piece)
    }

    /// The carrier's message is over. Call after `nextEvent` returned nil.
    package mutating func messageEnded() throws(MuxError) {
        try decoder.messageEnded()
    }

    /// - Returns: what happened next; nil when all that came is dealt with.
    package mutating func nextEvent(now: MonotonicInstant) throws(MuxError) -> Event? {
        while true {
            if let event = events.popFirst() { return event }
            guard control.readableBytes <= 2 * limits.maximumControlBytes else { throw .flooded }
            guard let frame = try decoder.next() else { return nil }
            if let event = try handle(frame, now: now) { return event }
        }
    }

    private mutating func handle(_ frame: MuxFrame, now: MonotonicInstant) throws(MuxError) -> Event? {
        if case .settings(let settings) = frame {
            guard peer == nil else { throw .malformedFrame }
            peer = settings
            lastHeard = now
            return .ready(settings)
        }
        guard peer != nil else { throw .settingsMissing }
        switch frame {
        case .settings:
            return nil
        case .request(let id, let window, let head, let isLast):
            return try requestCame(id, window: window, head: head, isLast: isLast, now: now)
        case .response(let id, let head, let isInterim, let isLast):
            guard role == .opener else { throw .wrongDirection }
            guard try isOpen(id) else { return nil }
            if isLast { receivingEnded(id) }
            return .response(id, head: head, isInterim: isInterim, isLast: isLast)
        case .data(let id, let bytes, let isLast):
            return try dataCame(id, bytes, isLast: isLast)
        case .trailers(let id, let fields):
            guard try isOpen(id) else { return nil }
            let isIgnored = streams[id]?.ignoresRest ?? true
            receivingEnded(id)
            return isIgnored ? nil : .trailers(id, fields)
        case .reset(let id, let code, let reason):
            return try resetCame(id, code, reason)
        case .window(let id, let increment):
            try creditCame(id, increment)
            return nil
        case .ping(let clock):
            control.writeMuxFrame(.pong(clock))
            return nil
        case .pong(let clock):
            roundTrip = now.since(MonotonicInstant(nanoseconds: clock))
            if clock == drainPing { isDrainConfirmed = true }
            return nil
        case .goAway(let lastTaken, let reason):
            return goAwayCame(lastTaken, reason)
        }
    }

    private mutating func requestCame(
        _ id: StreamID, window: Int, head: ByteBuffer, isLast: Bool, now: MonotonicInstant
    ) throws(MuxError) -> Event? {
        guard role == .acceptor else { throw .wrongDirection }
        guard id > lastStream, id.rawValue <= UInt32(Int32.max) else { throw .streamOutOfOrder }
        lastStream = id
        guard streams.count < limits.maximumStreams, !isDrainConfirmed else {
            control.writeMuxFrame(.reset(id, .refused, reason: "too many streams"))
            return nil
        }
        let receiveWindow = ReceiveWindow(
            initial: isLast ? limits.minimumWindow : limits.initialWindow, minimum: limits.minimumWindow,
            budget: budget, now: now)
        if receiveWindow.credit > limits.minimumWindow {
            control.writeMuxFrame(.window(id, receiveWindow.credit - limits.minimumWindow))
        }
        var stream = MuxStream(sendCredit: window, receiveWindow: receiveWindow)
        stream.hasReceivedEverything = isLast
        streams[id] = stream
        return .request(id, head: head, isLast: isLast)
    }

    private mutating func dataCame(
        _ id: StreamID, _ bytes: ByteBuffer, isLast: Bool
    ) throws(MuxError) -> Event? {
        guard try isOpen(id), let index = streams.index(forKey: id) else { return nil }
        try streams.values[index].receiveWindow.received(bytes.readableBytes)
        let isIgnored = streams.values[index].ignoresRest
        if isLast { receivingEnded(id) }
        return isIgnored ? nil : .data(id, bytes, isLast: isLast)
    }

    private mutating func resetCame(
        _ id: StreamID, _ code: ResetCode, _ reason: String
    ) throws(MuxError) -> Event? {
        try requireKnown(id)
        guard let stream = streams.removeValue(forKey: id) else { return nil }
        stream.receiveWindow.release(to: budget)
        // The answer came whole before: only the rest of the request is not wanted.
        if code == .noError, stream.hasReceivedEverything { return nil }
        return .reset(id, code, reason: reason)
    }

    private mutating func creditCame(_ id: StreamID, _ increment: Int) throws(MuxError) {
        try requireKnown(id)
        guard let index = streams.index(forKey: id) else { return }
        let credit = streams.values[index].sendCredit + increment
        guard credit <= Int(Int32.max) else { throw .flowControl }
        streams.values[index].sendCredit = credit
        schedule(id)
    }

    private mutating func goAwayCame(_ lastTaken: StreamID, _ reason: String) -> Event? {
        let isNews = !isPeerDraining
        isPeerDraining = true
        if role == .opener {
            for id in streams.keys.filter({ $0 > lastTaken }).sorted() {
                streams.removeValue(forKey: id)?.receiveWindow.release(to: budget)
                events.append(.reset(id, .refused, reason: reason))
            }
        }
        return isNews ? .peerDraining(reason: reason) : nil
    }

    // MARK: Streams

    /// - Returns: whether the stream still receives; false for one that is over (what comes late is dropped).
    private func isOpen(_ id: StreamID) throws(MuxError) -> Bool {
        try requireKnown(id)
        guard let stream = streams[id] else { return false }
        guard !stream.hasReceivedEverything else { throw .malformedFrame }
        return true
    }

    private func requireKnown(_ id: StreamID) throws(MuxError) {
        guard id.rawValue > 0, id <= lastStream else { throw .unknownStream }
    }

    mutating func emit(_ event: Event) { events.append(event) }

    mutating func schedule(_ id: StreamID) {
        guard let index = streams.index(forKey: id), !streams.values[index].isScheduled,
            streams.values[index].hasSomethingToWrite
        else { return }
        streams.values[index].isScheduled = true
        scheduled.append(id)
    }

    mutating func sendingEnded(_ id: StreamID) {
        guard let index = streams.index(forKey: id) else { return }
        streams.values[index].hasSentEverything = true
        if streams.values[index].ignoresRest, !streams.values[index].hasReceivedEverything {
            reset(id, .noError)
        } else {
            removeIfDone(id)
        }
    }

    private mutating func receivingEnded(_ id: StreamID) {
        guard let index = streams.index(forKey: id) else { return }
        streams.values[index].hasReceivedEverything = true
        removeIfDone(id)
    }

    private mutating func removeIfDone(_ id: StreamID) {
        guard let stream = streams[id], stream.isDone else { return }
        streams.removeValue(forKey: id)
        stream.receiveWindow.release(to: budget)
    }
}
