import DequeModule

package import struct NIOCore.ByteBuffer

extension MuxMachine {
    /// How often a peer may say that it is leaving; each time costs a look at every stream.
    private static var maximumGoAways: Int { 8 }

    /// Empty messages and data, answers to no ping, and frames of unknown types that may come between two ticks, which are
    /// a third of the timeout apart at most. A peer needs a few of them at most, and they cost it less than us.
    private static var mostIdleTalk: Int { 1000 }

    /// Takes part of a message from the carrier.
    package mutating func receive(_ piece: ByteBuffer, now: MonotonicInstant) {
        heard(now: now)
        if piece.readableBytes == 0 { idleTalk += 1 }
        decoder.feed(piece)
    }

    /// The carrier's message is over. Call after `nextEvent` returned nil with work left.
    package mutating func messageEnded() throws(MuxError) {
        guard idleTalk <= Self.mostIdleTalk else { throw .flooded }
        try decoder.messageEnded()
    }

    /// - Returns: what happened next; nil when the work is done, or all that came, and all that `write` brought about, is
    ///   dealt with.
    package mutating func nextEvent(
        now: MonotonicInstant, work: inout Int
    ) throws(MuxError) -> SessionEvent? {
        while true {
            if let event = events.popFirst() { return event }
            guard mayKeep(answerBytes) else { throw .flooded }
            guard work > 0 else { return nil }
            let skipped = decoder.skippedFrames
            let next = try decoder.next()
            idleTalk += decoder.skippedFrames &- skipped
            guard idleTalk <= Self.mostIdleTalk else { throw .flooded }
            guard let frame = consume next else { return nil }
            work -= 4
            if let event = try handle(consume frame, now: now) { return event }
        }
    }

    /// Takes the frame over: what is in it becomes the event's, without a copy.
    private mutating func handle(
        _ frame: consuming MuxFrame, now: MonotonicInstant
    ) throws(MuxError) -> SessionEvent? {
        guard peer != nil else {
            guard case .settings(let settings) = consume frame else { throw .settingsMissing }
            guard settings.initialWindow <= Int(Int32.max) else { throw .flowControl }
            peer = PeerBounds(settings)
            lastHeard = now
            return .ready(settings)
        }
        switch consume frame {
        case .settings:
            throw .malformedFrame
        case .request(let id, let window, let head, let isLast):
            return try requestCame(id, window: window, head: head, isLast: isLast, now: now)
        case .response(let id, let head, let isInterim, let isLast, let originTime):
            return try responseCame(id, head, isInterim: isInterim, isLast: isLast, originTime: originTime)
        case .data(let id, let bytes, let isLast):
            return try dataCame(id, bytes, isLast: isLast, now: now)
        case .trailers(let id, let fields):
            return try trailersCame(id, fields)
        case .reset(let id, let code, let reason):
            return try resetCame(id, code, reason)
        case .window(let id, let increment):
            try creditCame(id, increment)
            return nil
        case .ping(let clock):
            answer(.pong(clock))
            return nil
        case .pong(let clock):
            pongCame(clock, now: now)
            return nil
        case .goAway(let lastTaken, let reason):
            return try goAwayCame(lastTaken, reason)
        case .hosts(let rulings):
            guard role == .acceptor else { throw .wrongDirection }
            // Once for each change is all that it is good for.
            idleTalk += 1
            return .hostsRuled(rulings)
        }
    }

    private mutating func requestCame(
        _ id: StreamID, window: Int, head: ByteBuffer, isLast: Bool, now: MonotonicInstant
    ) throws(MuxError) -> SessionEvent? {
        guard role == .acceptor else { throw .wrongDirection }
        guard id > lastStream, id.rawValue <= UInt32(Int32.max) else { throw .streamOutOfOrder }
        guard window <= Int(Int32.max) else { throw .flowControl }
        lastStream = id
        if let reason = reasonToRefuse() {
            answer(.reset(id, .refused, reason: reason))
            return nil
        }
        var receiveWindow = ReceiveWindow(minimum: limits.leastWindow(of: role), now: now)
        if !isLast {
            let extra = promise(&receiveWindow)
            if extra > 0 { answer(.window(id, extra)) }
        }
        var stream = MuxStream(sendCredit: window, receiveWindow: receiveWindow)
        stream.hasReceivedEverything = isLast
        streams.insert(stream, for: id)
        return .request(id, head: head, isLast: isLast)
    }

    private mutating func reasonToRefuse() -> String? {
        if isDrainConfirmed { return "draining" }
        if streams.count >= limits.maximumStreams { return "too many streams" }
        // Answers wait because the peer does not read them: taking more requests would only add to them.
        if !mayKeep(control.readableBytes) { return "too many answers wait to be read" }
        return nil
    }

    private mutating func responseCame(
        _ id: StreamID, _ head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32?
    ) throws(MuxError) -> SessionEvent? {
        guard role == .opener else { throw .wrongDirection }
        guard let index = try openStream(id) else { return nil }
        guard !streams.values[index].hasFinalHead, !(isInterim && isLast) else {
            return misused(id, "a head after the final head")
        }
        streams.values[index].hasAnswer = true
        if isInterim {
            let fits = streams.values[index].takesInterim(head, limits)
            return fits ? .response(id, head: head, isInterim: true, isLast: false) : nil
        }
        streams.values[index].hasFinalHead = true
        if isLast { receivingEnded(id, at: index) }
        return .response(id, head: head, isInterim: false, isLast: isLast, originTime: originTime)
    }

    private mutating func dataCame(
        _ id: StreamID, _ bytes: ByteBuffer, isLast: Bool, now: MonotonicInstant
    ) throws(MuxError) -> SessionEvent? {
        guard let index = try openStream(id) else { return nil }
        guard role == .acceptor || streams.values[index].hasFinalHead else {
            return misused(id, "a body before the final head")
        }
        try streams.values[index].receiveWindow.received(bytes.readableBytes)
        let isIgnored = streams.values[index].ignoresRest
        if bytes.readableBytes == 0, !isLast { idleTalk += 1 }
        if isLast {
            receivingEnded(id, at: index)
        } else if bytes.readableBytes >= limits.leastBurst, !isIgnored,
            streams.values[index].receiveWindow.isUnused
        {
            bodyFlows(id, at: index, now: now)
        }
        return isIgnored || (bytes.readableBytes == 0 && !isLast) ? nil : .data(id, bytes, isLast: isLast)
    }

    private mutating func trailersCame(_ id: StreamID, _ fields: ByteBuffer) throws(MuxError) -> SessionEvent?
    {
        guard let index = try openStream(id) else { return nil }
        guard role == .acceptor || streams.values[index].hasFinalHead else {
            return misused(id, "trailers before the final head")
        }
        let isIgnored = streams.values[index].ignoresRest
        receivingEnded(id, at: index)
        return isIgnored ? nil : .trailers(id, fields)
    }

    private mutating func resetCame(
        _ id: StreamID, _ code: ResetCode, _ reason: String
    ) throws(MuxError) -> SessionEvent? {
        try requireKnown(id)
        guard let stream = remove(id) else { return nil }
        if role == .opener, code == .noError, stream.hasReceivedEverything {
            // The answer came whole before: only the rest of the request is not wanted, and is dropped from
            // now on. A sender that waits must not wait for ever.
            return stream.senderWaits ? .writable(id) : nil
        }
        // Refused means that it is safe to send again, which it is not once there was an answer.
        let end = code == .refused && stream.hasAnswer ? .internalError : StreamTermination(code)
        return .reset(id, end, reason: reason)
    }

    private mutating func creditCame(_ id: StreamID, _ increment: Int) throws(MuxError) {
        try requireKnown(id)
        guard let index = streams.index(forKey: id) else { return }
        let credit = streams.values[index].sendCredit + increment
        guard credit <= Int(Int32.max) else { throw .flowControl }
        streams.values[index].sendCredit = credit
        schedule(id)
    }

    private mutating func pongCame(_ clock: UInt64, now: MonotonicInstant) {
        if clock == drainPing { isDrainConfirmed = true }
        guard clock == openPing else {
            idleTalk += 1
            return
        }
        openPing = nil
        answeredPings += 1
        roundTrip = now.since(MonotonicInstant(nanoseconds: clock))
    }

    private mutating func goAwayCame(_ lastTaken: StreamID, _ reason: String) throws(MuxError)
        -> SessionEvent?
    {
        peerGoAways += 1
        guard peerGoAways <= Self.maximumGoAways else { throw .flooded }
        if role == .opener {
            for id in streams.keys.filter({ $0 > lastTaken }).sorted() {
                guard let stream = remove(id) else { continue }
                emit(.reset(id, stream.hasAnswer ? .internalError : .refused, reason: reason))
            }
        }
        return peerGoAways == 1 ? .peerDraining(reason: reason) : nil
    }

    /// - Returns: where the stream is that still receives; nil for one that is over (what comes late is dropped).
    private func openStream(_ id: StreamID) throws(MuxError) -> Int? {
        try requireKnown(id)
        guard let index = streams.index(forKey: id) else { return nil }
        guard !streams.values[index].hasReceivedEverything else { throw .malformedFrame }
        return index
    }

    private func requireKnown(_ id: StreamID) throws(MuxError) {
        guard id.rawValue > 0, id <= lastStream else { throw .unknownStream }
    }

    /// The peer broke the order of one exchange: that stream ends, the others go on.
    private mutating func misused(_ id: StreamID, _ reason: String) -> SessionEvent {
        reset(id, .malformedMessage, reason: reason)
        return .reset(id, .malformedMessage, reason: reason)
    }

    /// Writes a frame that the peer brought about, and counts it: a peer that does not read our answers must
    /// not make us keep them without bound.
    mutating func answer(_ frame: MuxFrame) {
        let before = control.readableBytes
        control.writeMuxFrame(frame)
        answerBytes += control.readableBytes - before
    }
}
