package import struct NIOCore.ByteBuffer

/// The client's end of the long-poll carrier, without I/O: which requests are under way, and what comes of them.
///
/// Polls are held by the server until there is something to say; uploads are answered at once. Whatever becomes of a request,
/// nothing is lost or taken twice: what it carried is sent again unless it is known to have arrived.
package struct LongPollClientMachine: Sendable, Hashable {
    private struct UnderWay: Sendable, Hashable {
        var kind: Kind
        var range: Range<UInt64>?
        var byteCount: Int
        var sentAt: MonotonicInstant
        var hold: Duration
        var deadline: MonotonicInstant
        var hasAnswerBegun = false
        var isStream = false
        /// Whether it waits for a connection of its own.
        var isConnecting = false
        /// Whether something that it brought could not be kept.
        var isUnwanted = false
        /// The end of what it brought.
        var broughtUpTo: UInt64 = 0
    }

    /// What of our receiver the server was told.
    private struct Told: Sendable, Hashable {
        var acknowledged: UInt64 = 0
        var limit: UInt64 = 0
    }

    private let limits: Limits
    private var sender = LongPollSender()
    package private(set) var receiver = LongPollReceiver()
    private var underWay: [UInt64: UnderWay] = [:]
    private var lastNumber: UInt64 = 0
    private var holdTime = HoldTime()
    private var uploadSize = TransferSize()
    private var told = Told()
    /// Requests that were answered, with the end of what they brought, while that stands behind a gap.
    private var behindGap: [UInt64: UInt64] = [:]
    /// Since when nothing came in order, while something stands behind a gap; from anew when that was asked for again.
    private var gapSince: MonotonicInstant
    private var gatherSince: MonotonicInstant?
    private var failures = 0
    /// Polls in a row that were answered sooner than they asked, and brought nothing.
    private var hollow = 0
    private var retryAt: MonotonicInstant?
    /// When a request failed first after something was heard.
    private var failingSince: MonotonicInstant?
    /// Whether there is to be one request at a time.
    package var isSingle: Bool { singleUntil != nil }
    private var singleUntil: MonotonicInstant?
    /// Uploads in a row that came to nothing while a poll was held.
    private var cramped = 0
    private var hasUploaded = false
    /// At once: as many as get through.
    private var uploadsAllowed: Int
    /// Uploads in a row that were answered.
    private var goodUploads = 0
    private var streaming = LongPollStreaming()
    package private(set) var end: End?

    package init(_ limits: Limits = Limits(), now: MonotonicInstant) {
        self.limits = limits
        uploadsAllowed = limits.uploads
        gapSince = now
    }

    // MARK: From above

    /// Bytes that wait to be sent for the first time.
    package var unsentBytes: Int { sender.unsentBytes }
    package var keptBytes: Int { sender.keptBytes }
    /// Bytes that go into one upload.
    package var uploadBytes: Int { uploadSize.value }
    /// Whether answers are streamed.
    package var isStreaming: Bool { streaming.isOn }
    package var acknowledged: UInt64 { sender.acknowledged }

    package mutating func write(_ bytes: ByteBuffer, now: MonotonicInstant) {
        if sender.unsentBytes == 0 { gatherSince = now }
        sender.write(bytes)
    }

    /// The next bytes in order.
    package mutating func read() -> ByteBuffer? { receiver.next() }

    /// Nothing more is written.
    package mutating func finish() { sender.finish() }

    // MARK: What is to be done

    package mutating func next(now: MonotonicInstant) -> Action? {
        guard end == nil else { return nil }
        if let failingSince, now >= failingSince.advanced(by: limits.patience) {
            end = .lost
            return nil
        }
        if sender.isDone, receiver.hasEnded {
            end = .finished
            return nil
        }
        if let (number, request) = underWay.first(where: { $0.value.deadline <= now }) {
            failed(number, request.isUnwanted ? .cancelled : .timedOut, now: now)
            return .cancel(number)
        }
        if let retryAt {
            guard now >= retryAt else { return nil }
            self.retryAt = nil
        }
        if isCramped(now: now) { becomeSingle(now: now) }
        if let singleUntil, now >= singleUntil { triesMany() }
        return isSingle ? nextSingle(now: now) : nextOfMany(now: now)
    }

    /// Whether the first upload waits while a poll is held.
    private func isCramped(now: MonotonicInstant) -> Bool {
        guard !isSingle, !hasUploaded, let since = firstUpload else { return false }
        return now >= since.advanced(by: limits.crampedAfter)
            && underWay.values.contains { $0.kind == .poll }
    }

    private var firstUpload: MonotonicInstant? {
        underWay.values.lazy.filter { $0.kind == .upload && !$0.isConnecting }.map(\.sentAt).min()
    }

    /// When it is to be asked again at the latest.
    package func deadline(now: MonotonicInstant) -> MonotonicInstant {
        var deadlines = underWay.values.map(\.deadline)
        if let failingSince { deadlines.append(failingSince.advanced(by: limits.patience)) }
        if let retryAt { deadlines.append(retryAt) }
        if let gatherSince { deadlines.append(gatherSince.advanced(by: limits.gatherTime)) }
        if let firstUpload, !hasUploaded { deadlines.append(firstUpload.advanced(by: limits.crampedAfter)) }
        // What is past waits for something else.
        return deadlines.filter { $0 > now }.min() ?? now.advanced(by: limits.patience)
    }

    private mutating func nextOfMany(now: MonotonicInstant) -> Action? {
        let polls = underWay.values.count { $0.kind == .poll }
        if polls < limits.polls { return poll(now: now) }
        let uploads = underWay.count - polls
        guard uploads < uploadsAllowed else { return nil }
        if sender.canSend, uploads == 0 || sender.hasLost || isGathered(now: now) {
            return upload(now: now)
        }
        return hasUrgentNews ? upload(now: now) : nil
    }

    /// Whether the server should know soon what has come, or that there is room again.
    private var hasUrgentNews: Bool {
        receiver.received - told.acknowledged >= limits.acknowledgedAlone
            || receiver.limit - told.limit >= UInt64(LongPollReceiver.window / 2)
    }

    /// How long a poll is to be held. Where the server has no room, the word that it has may have been lost.
    private var hold: Duration {
        sender.unsentBytes > 0 && !sender.canSend ? min(holdTime.value, HoldTime.shortest) : holdTime.value
    }

    private func isGathered(now: MonotonicInstant) -> Bool {
        sender.unsentBytes >= limits.gatherBytes || sender.hasEnded
            || gatherSince.map { now >= $0.advanced(by: limits.gatherTime) } ?? true
    }

    private mutating func nextSingle(now: MonotonicInstant) -> Action? {
        guard let (number, request) = underWay.first else {
            return send(.single, sender.next(atMost: room), hold: hold, now: now)
        }
        // Nothing else gets through while it is held.
        let hasNews = sender.canSend && isGathered(now: now) || hasUrgentNews
        let isInTheWay = request.hold > .zero && !request.hasAnswerBegun && hasNews
        guard isInTheWay || request.kind != .single else { return nil }
        failed(number, .cancelled, now: now)
        return .cancel(number)
    }

    private var room: Int { uploadSize.value - LongPollHead.bytes }

    private mutating func poll(now: MonotonicInstant) -> Action {
        let isAsked = streaming.asks(now: now)
        return send(.poll, nil, hold: hold, flags: isAsked, now: now)
    }

    private mutating func upload(now: MonotonicInstant) -> Action {
        send(.upload, sender.next(atMost: room), hold: .zero, now: now)
    }

    private mutating func send(
        _ kind: Kind, _ segment: LongPollSender.Segment?, hold: Duration, flags: LongPollHead.Flags = [],
        now: MonotonicInstant
    ) -> Action {
        lastNumber += 1
        if flags.contains(.probe) { streaming.probes(by: lastNumber) }
        // One that carries something is answered at once.
        let hold = segment == nil ? hold : .zero
        var head = LongPollHead(
            flags: flags, hold: UInt16(clamping: hold.components.seconds * 10), number: lastNumber,
            acknowledged: receiver.received, limit: receiver.limit,
            offset: segment?.offset ?? sender.acknowledged, others: others(now: now))
        if segment?.isEnd == true { head.flags.insert(.end) }
        told = Told(acknowledged: head.acknowledged, limit: head.limit)
        gatherSince = sender.unsentBytes > 0 ? now : nil
        let frame = LongPollFrame(head, data: segment?.data ?? ByteBuffer())
        let isStream = flags.contains(.stream)
        let time = hold > .zero ? hold + limits.pollSlack : limits.uploadTime
        let deadline = now.advanced(by: isStream ? LongPollStreaming.late : time)
        underWay[lastNumber] = UnderWay(
            kind: kind, range: segment?.range, byteCount: frame.byteCount, sentAt: now, hold: hold,
            deadline: deadline, isStream: isStream)
        return .send(Request(number: lastNumber, kind: kind, frame: frame, deadline: deadline))
    }

    /// What the server need not send again. When nothing has moved for long, something may be missing of what was answered,
    /// too.
    private mutating func others(now: MonotonicInstant) -> [UInt64] {
        if now >= gapSince.advanced(by: limits.gapTime) {
            behindGap = [:]
            gapSince = now
        }
        let numbers = Array(underWay.keys) + Array(behindGap.keys)
        return Array(numbers.sorted().suffix(LongPollHead.mostOthers))
    }

    // MARK: What came of it

    /// A request has to wait for a connection of its own.
    package mutating func connects(_ number: UInt64) { underWay[number]?.isConnecting = true }

    /// It went out.
    package mutating func sent(_ number: UInt64, now: MonotonicInstant) {
        guard underWay[number]?.isConnecting == true else { return }
        underWay[number]?.isConnecting = false
        underWay[number]?.sentAt = now
    }

    /// The head of a frame of an answer came.
    package mutating func received(
        _ head: LongPollHead, to number: UInt64, now: MonotonicInstant
    ) {
        guard end == nil, var request = underWay[number] else { return }
        request.hasAnswerBegun = true
        if request.isUnwanted {
            // It was to be given up already.
        } else if request.isStream || head.flags.contains(.padding) {
            request.deadline = now.advanced(by: LongPollStreaming.late)
        } else {
            // What is long takes its time.
            request.deadline = now.advanced(by: limits.patience)
        }
        underWay[number] = request
        failingSince = nil
        if now.since(request.sentAt) >= limits.pause.upperBound { failures = 0 }
        guard sender.acknowledge(head.acknowledged, limit: head.limit) else {
            end = .acknowledgedTooMuch
            return
        }
        if head.flags.contains(.dropped), let range = request.range { sender.lose(range) }
        if head.flags.contains(.padding) { streaming.padding(to: number, now: now) }
        if head.flags.contains(.end), head.length == 0 {
            take(ByteBuffer(), at: head.offset, isEnd: true, number, now: now)
        }
    }

    /// Data of such a frame came.
    ///
    /// - Parameters:
    ///   - offset: of these bytes.
    ///   - isEnd: whether they are the last of a frame that ends the direction.
    package mutating func received(
        _ bytes: ByteBuffer, at offset: UInt64, isEnd: Bool, to number: UInt64, now: MonotonicInstant
    ) {
        guard end == nil, let request = underWay[number] else { return }
        // It lives, however long the frame is.
        if request.isStream, !request.isUnwanted {
            underWay[number]?.deadline = now.advanced(by: LongPollStreaming.late)
        }
        take(bytes, at: offset, isEnd: isEnd, number, now: now)
    }

    private mutating func take(
        _ bytes: ByteBuffer, at offset: UInt64, isEnd: Bool, _ number: UInt64, now: MonotonicInstant
    ) {
        do throws(LongPollReceiver.Misuse) {
            let before = receiver.received
            let isKept = try receiver.accept(offset, bytes, isEnd: isEnd)
            if receiver.received > before {
                gapSince = now
                failures = 0
                hollow = 0
            }
            if isKept {
                underWay[number]?.broughtUpTo = offset + UInt64(bytes.readableBytes)
            } else {
                // It is to come again, by another.
                underWay[number]?.deadline = now
                underWay[number]?.isUnwanted = true
            }
        } catch {
            end = .misuse(error)
        }
        if !behindGap.isEmpty { behindGap = behindGap.filter { $0.value > receiver.received } }
    }

    /// An answer is whole.
    package mutating func answered(_ number: UInt64, now: MonotonicInstant) {
        guard let request = underWay.removeValue(forKey: number) else { return }
        if request.broughtUpTo > receiver.received, !request.isUnwanted {
            if behindGap.isEmpty { gapSince = now }
            behindGap[number] = request.broughtUpTo
        }
        failures = 0
        switch request.kind {
        case .poll, .single:
            let time = now.since(request.sentAt)
            lookForHollow(request, time, now: now)
            if request.hold >= holdTime.value, time >= request.hold { holdTime.wasWhole() }
            streaming.ended(number, now: now)
        case .upload:
            cramped = 0
            hasUploaded = true
            goodUploads += 1
            if goodUploads % 100 == 0 { uploadsAllowed = min(limits.uploads, uploadsAllowed + 1) }
        }
        if request.range != nil {
            uploadSize.arrived(request.byteCount, in: now.since(request.sentAt))
        }
    }

    /// No answer came, or not all of it.
    package mutating func failed(_ number: UInt64, _ failure: Failure, now: MonotonicInstant) {
        guard end == nil, let request = underWay.removeValue(forKey: number) else { return }
        if let range = request.range { sender.lose(range) }
        learn(from: failure, request, now: now)
        streaming.failed(number, now: now)
        if request.isStream, failure == .timedOut { streaming.wasLate(now: now) }
        guard failure != .cancelled else { return }
        failures += 1
        failingSince = failingSince ?? now
        if failures > 1 { rest(failures - 2, now: now) }
    }

    /// One that answers at once, with nothing, is not asked again at once for ever.
    private mutating func lookForHollow(_ request: UnderWay, _ time: Duration, now: MonotonicInstant) {
        guard request.hold > .zero, request.broughtUpTo == 0, time < request.hold / 2 else {
            hollow = 0
            return
        }
        hollow += 1
        if hollow > limits.hollowPolls { rest(hollow - limits.hollowPolls, now: now) }
    }

    private mutating func rest(_ times: Int, now: MonotonicInstant) {
        let wait = min(limits.pause.upperBound, limits.pause.lowerBound * (1 << min(times, 6)))
        retryAt = max(retryAt ?? now, now.advanced(by: wait))
    }

    private mutating func learn(from failure: Failure, _ request: UnderWay, now: MonotonicInstant) {
        let time = now.since(request.sentAt)
        switch (failure, request.kind) {
        case (.tooLarge, _): uploadSize.wasRefused(request.byteCount)
        case (.cut, .poll) where !request.isStream, (.cut, .single) where request.hold > .zero:
            if !request.hasAnswerBegun { holdTime.wasCut(after: time) }
        case (.timedOut, .poll) where !request.isStream, (.timedOut, .single) where request.hold > .zero:
            if !request.hasAnswerBegun { holdTime.wasCut(after: request.hold) }
        case (.timedOut, .upload), (.timedOut, .single): uploadSize.timedOut()
        default: break
        }
        guard request.kind == .upload, failure == .notConnected || failure == .cut || failure == .timedOut
        else { return }
        goodUploads = 0
        // There may be no connection for so many.
        if failure != .cut { uploadsAllowed = max(1, uploadsAllowed - 1) }
        cramped += 1
        if cramped >= 2, underWay.values.contains(where: { $0.kind == .poll }) { becomeSingle(now: now) }
    }

    /// The server does not know the session.
    package mutating func wasForgotten() { if end == nil { end = .gone } }

    /// Only one connection at a time gets through.
    package mutating func becomeSingle(now: MonotonicInstant) {
        singleUntil = now.advanced(by: limits.singleTime)
    }

    /// There may be more than one again, or it was a mistake.
    private mutating func triesMany() {
        singleUntil = nil
        hasUploaded = false
        cramped = 0
    }
}
