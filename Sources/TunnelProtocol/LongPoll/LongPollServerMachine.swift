package import struct NIOCore.ByteBuffer

/// The server's end of the long-poll carrier, without I/O: which requests wait, and what they are answered.
package struct LongPollServerMachine: Sendable, Hashable {
    /// Names a request and its answer here: two may have the same number, where something in between repeats requests.
    package typealias Handle = UInt64

    package struct Limits: Sendable, Hashable {
        /// Polls that wait; the oldest is answered when there are more.
        package var polls = 2
        /// A session of which no request was here for so long is over.
        package var patience = Duration.seconds(60)
        /// What of the other end's has room here again is told by itself when it is so much, in bytes.
        package var roomTold: UInt64 = 1 << 20

        package init() {}
    }

    package enum Action: Sendable, Hashable {
        /// A whole answer.
        case answer(Handle, LongPollFrame)
        /// An answer begins that goes on frame by frame.
        case begin(Handle, LongPollFrame)
        case goOn(Handle, LongPollFrame)
        /// The last frame of such an answer.
        case endWith(Handle, LongPollFrame)

        package var handle: Handle {
            switch self {
            case .answer(let handle, _), .begin(let handle, _), .goOn(let handle, _), .endWith(let handle, _):
                handle
            }
        }

        package var frame: LongPollFrame {
            switch self {
            case .answer(_, let frame), .begin(_, let frame), .goOn(_, let frame), .endWith(_, let frame):
                frame
            }
        }
    }

    /// Why it is over.
    package enum End: Sendable, Hashable {
        case finished
        /// No request came for too long.
        case silent
        case misuse(LongPollReceiver.Misuse)
        case acknowledgedTooMuch
    }

    private struct Pending: Sendable, Hashable {
        var head: LongPollHead
        var arrivedAt: MonotonicInstant
        /// Whether its data has come.
        var isWhole = false
        /// Whether some of its data was not kept.
        var hasDropped = false
        var isWritable = true
        /// Of an answer that goes on: since when, how much, and when it last said something.
        var stream: Stream?
        /// When the second piece of a probe is due.
        var probeDue: MonotonicInstant?

        var isPoll: Bool { head.hold > 0 }
        var isStream: Bool { head.flags.contains(.stream) && isPoll }
    }

    private struct Stream: Sendable, Hashable {
        var since: MonotonicInstant
        var bytes = 0
        var last: MonotonicInstant
    }

    private struct Latest: Sendable, Hashable {
        var number: UInt64 = 0
        var others: [UInt64] = []
    }

    private struct Measured: Sendable, Hashable {
        var end: UInt64
        var bytes: Int
        var at: MonotonicInstant
    }

    /// What a request was answered, for as long as the client has not said that it is over.
    private struct Answered: Sendable, Hashable {
        var number: UInt64
        var range: Range<UInt64>
    }

    private static let mostRemembered = 32

    private let limits: Limits
    private var sender = LongPollSender()
    package private(set) var receiver = LongPollReceiver()
    private var pending: [Handle: Pending] = [:]
    private var answered: [Answered] = []
    /// The latest request: which others it left under way.
    private var latest = Latest()
    private var toldLimit: UInt64 = 0
    private var queued: [Action] = []
    private var answerSize = TransferSize()
    /// An answer on its way, by which it is measured how fast they arrive.
    private var measured: Measured?
    /// When a request was here last.
    private var lastBusy: MonotonicInstant
    package private(set) var end: End?

    package init(_ limits: Limits = Limits(), now: MonotonicInstant) {
        self.limits = limits
        lastBusy = now
    }

    // MARK: From above

    package var unsentBytes: Int { sender.unsentBytes }
    package var keptBytes: Int { sender.keptBytes }
    package var acknowledged: UInt64 { sender.acknowledged }
    /// Bytes that go into one answer.
    package var answerBytes: Int { answerSize.value }

    package mutating func write(_ bytes: ByteBuffer) { sender.write(bytes) }
    package mutating func finish() { sender.finish() }

    /// The next bytes in order.
    package mutating func read() -> ByteBuffer? { receiver.next() }

    // MARK: Requests

    /// The head of a request's frame came.
    package mutating func received(_ head: LongPollHead, from handle: Handle, now: MonotonicInstant) {
        guard end == nil else { return }
        guard sender.acknowledge(head.acknowledged, limit: head.limit) else {
            end = .acknowledgedTooMuch
            return
        }
        if let measured, head.acknowledged >= measured.end {
            answerSize.arrived(measured.bytes, in: now.since(measured.at))
            self.measured = nil
        }
        if head.number > latest.number {
            latest = Latest(number: head.number, others: head.others)
            loseWhatIsOver()
        }
        pending[handle] = Pending(head: head, arrivedAt: now)
    }

    /// What was answered to requests that are over has arrived, or never will.
    private mutating func loseWhatIsOver() {
        let over = answered.filter { !isLive($0.number) }
        guard !over.isEmpty else { return }
        for answer in over { sender.lose(answer.range) }
        answered = answered.filter { isLive($0.number) }
    }

    /// Whether the client waits for an answer to that request.
    private func isLive(_ number: UInt64) -> Bool {
        number >= latest.number || latest.others.contains(number)
    }

    /// Data of it came.
    ///
    /// - Parameter mayHold: whether there is room for what stands behind a gap.
    package mutating func received(
        _ bytes: ByteBuffer, at offset: UInt64, from handle: Handle, mayHold: Bool, now: MonotonicInstant
    ) {
        guard end == nil, pending[handle] != nil else { return }
        accept(offset, bytes, isEnd: false, from: handle, mayHold: mayHold)
    }

    /// All of it came.
    package mutating func requestEnded(_ handle: Handle, now: MonotonicInstant) {
        guard end == nil, let head = pending[handle]?.head else { return }
        pending[handle]?.isWhole = true
        if head.flags.contains(.end) {
            accept(head.offset + UInt64(head.length), ByteBuffer(), isEnd: true, from: handle, mayHold: true)
        }
    }

    private mutating func accept(
        _ offset: UInt64, _ bytes: ByteBuffer, isEnd: Bool, from handle: Handle, mayHold: Bool
    ) {
        do throws(LongPollReceiver.Misuse) {
            if try !receiver.accept(offset, bytes, isEnd: isEnd, mayHold: mayHold) {
                pending[handle]?.hasDropped = true
            }
        } catch {
            end = .misuse(error)
        }
    }

    /// Its connection is gone.
    package mutating func left(_ handle: Handle, now: MonotonicInstant) {
        if pending.removeValue(forKey: handle) != nil { lastBusy = now }
    }

    /// Whether its connection takes more of the answer.
    package mutating func became(writable isWritable: Bool, _ handle: Handle) {
        pending[handle]?.isWritable = isWritable
    }

    // MARK: Answers

    package mutating func next(now: MonotonicInstant) -> Action? {
        guard end == nil else { return nil }
        if !pending.isEmpty { lastBusy = now }
        if now >= lastBusy.advanced(by: limits.patience) {
            end = .silent
            return nil
        }
        if !queued.isEmpty { return queued.removeFirst() }
        if let action = answerRepeated() ?? answerUpload(now: now) ?? answerProbe(now: now) { return action }
        if let action = answerPoll(now: now) { return action }
        if sender.isDone, receiver.hasEnded, pending.isEmpty {
            end = .finished
        }
        return nil
    }

    /// When it is to be asked again at the latest.
    package func deadline(now: MonotonicInstant) -> MonotonicInstant {
        var deadlines = [lastBusy.advanced(by: limits.patience)]
        for request in pending.values where request.isWhole {
            if let due = request.probeDue {
                deadlines.append(due)
            } else if let stream = request.stream {
                deadlines.append(stream.last.advanced(by: LongPollStreaming.beat))
                deadlines.append(stream.since.advanced(by: LongPollStreaming.longest))
            } else {
                deadlines.append(request.arrivedAt.advanced(by: request.head.holdTime))
            }
        }
        // What is past waits for something else.
        return deadlines.filter { $0 > now }.min() ?? now.advanced(by: limits.patience)
    }

    /// Whole requests that have no answer yet, the first one first.
    private func waiting(where matches: (Pending) -> Bool) -> [(handle: Handle, request: Pending)] {
        let matching = pending.filter { $0.value.isWhole && matches($0.value) }
        return matching.map { ($0.key, $0.value) }
            .sorted { ($0.1.head.number, $0.0) < ($1.1.head.number, $1.0) }
    }

    /// One that came before, and was answered, is answered the same; one that the client does not wait for any more gets
    /// nothing that others could have.
    private mutating func answerRepeated() -> Action? {
        for (handle, request) in waiting(where: { $0.probeDue == nil }) {
            let number = request.head.number
            guard isLive(number) else {
                pending[handle] = nil
                let frame = frame(for: request, nil)
                return request.stream == nil ? .answer(handle, frame) : .endWith(handle, frame)
            }
            guard !request.isStream, let before = answered.first(where: { $0.number == number }) else {
                continue
            }
            pending[handle] = nil
            return .answer(handle, frame(for: request, sender.again(before.range, atMost: answerSize.value)))
        }
        return nil
    }

    private mutating func answerUpload(now: MonotonicInstant) -> Action? {
        guard let (handle, request) = waiting(where: { !$0.isPoll }).first else { return nil }
        // What there is to say goes along where no poll could take it.
        let hasPoll = pending.values.contains { $0.isPoll && $0.isWritable }
        return .answer(handle, finish(handle, request, hasPoll ? nil : segment(now: now)))
    }

    private mutating func answerProbe(now: MonotonicInstant) -> Action? {
        for (handle, request) in waiting(where: { $0.isPoll && $0.head.flags.contains(.probe) }) {
            guard let due = request.probeDue else {
                pending[handle]?.probeDue = now.advanced(by: LongPollStreaming.probeTime)
                return .begin(handle, padding(for: request))
            }
            guard now >= due else { continue }
            pending[handle] = nil
            return .endWith(handle, padding(for: request))
        }
        return nil
    }

    /// Whether the client is to be told that it may send more.
    private var hasRoomToTell: Bool { receiver.limit >= toldLimit + limits.roomTold }

    private mutating func answerPoll(now: MonotonicInstant) -> Action? {
        let polls = waiting { $0.isPoll && !$0.head.flags.contains(.probe) }
        for (index, (handle, request)) in polls.enumerated() {
            if request.isStream {
                if let action = streamOn(handle, request, now: now) { return action }
                continue
            }
            if sender.canSend { return .answer(handle, finish(handle, request, segment(now: now))) }
            let isDue = now >= request.arrivedAt.advanced(by: request.head.holdTime)
            let isOneTooMany = index == 0 && polls.count > limits.polls
            if isDue || isOneTooMany || hasRoomToTell {
                return .answer(handle, finish(handle, request, nil))
            }
        }
        return nil
    }

    private mutating func streamOn(_ handle: Handle, _ request: Pending, now: MonotonicInstant) -> Action? {
        guard let stream = request.stream else {
            pending[handle]?.stream = Stream(since: now, last: now)
            // What came before on the same request, where something in between repeats those.
            for answer in answered where answer.number == request.head.number {
                var rest = answer.range
                while !rest.isEmpty {
                    let segment = sender.again(rest, atMost: answerSize.value)
                    queued.append(.goOn(handle, frame(for: request, segment)))
                    rest = min(segment.range.upperBound, rest.upperBound)..<rest.upperBound
                }
            }
            return .begin(handle, padding(for: request))
        }
        let isOver =
            stream.bytes >= LongPollStreaming.mostBytes
            || now >= stream.since.advanced(by: LongPollStreaming.longest)
        if isOver {
            pending[handle] = nil
            return .endWith(handle, frame(for: request, nil))
        }
        guard request.isWritable else { return nil }
        let isBeat = now >= stream.last.advanced(by: LongPollStreaming.beat)
        guard sender.canSend || isBeat || hasRoomToTell else { return nil }
        let segment = segment(now: now)
        remember(request, segment)
        let frame = frame(for: request, segment)
        // Whichever of those with the same number the client hears, it hears all.
        for (twin, about) in pending where about.head.number == request.head.number && about.isWhole {
            guard about.stream != nil else { continue }
            pending[twin]?.stream?.bytes += frame.byteCount
            pending[twin]?.stream?.last = now
            guard twin != handle else { continue }
            guard about.isWritable else {
                pending[twin] = nil
                queued.append(.endWith(twin, self.frame(for: about, nil)))
                continue
            }
            queued.append(.goOn(twin, frame))
        }
        return .goOn(handle, frame)
    }

    private mutating func segment(now: MonotonicInstant) -> LongPollSender.Segment? {
        guard let segment = sender.next(atMost: answerSize.value - LongPollHead.bytes) else { return nil }
        if measured == nil, !segment.range.isEmpty {
            measured = Measured(
                end: segment.range.upperBound, bytes: segment.data.readableBytes, at: now)
        }
        return segment
    }

    /// The only, or the last, frame of an answer.
    private mutating func finish(
        _ handle: Handle, _ request: Pending, _ segment: LongPollSender.Segment?
    ) -> LongPollFrame {
        pending[handle] = nil
        remember(request, segment)
        return frame(for: request, segment)
    }

    /// Frames of one answer mostly follow one another.
    private mutating func remember(_ request: Pending, _ segment: LongPollSender.Segment?) {
        guard let range = segment?.range, !range.isEmpty else { return }
        let number = request.head.number
        let place = answered.lastIndex { $0.number == number && $0.range.upperBound == range.lowerBound }
        if let place {
            answered[place].range = answered[place].range.lowerBound..<range.upperBound
        } else {
            answered.append(Answered(number: number, range: range))
        }
        // Whoever leaves so many open gets it again.
        if answered.count > Self.mostRemembered { sender.lose(answered.removeFirst().range) }
    }

    private mutating func frame(
        for request: Pending, _ segment: LongPollSender.Segment?
    ) -> LongPollFrame {
        toldLimit = receiver.limit
        var head = LongPollHead(
            number: request.head.number, acknowledged: receiver.received, limit: receiver.limit,
            offset: segment?.offset ?? sender.sent)
        if segment?.isEnd == true { head.flags.insert(.end) }
        if request.hasDropped { head.flags.insert(.dropped) }
        return LongPollFrame(head, data: segment?.data ?? ByteBuffer())
    }

    private func padding(for request: Pending) -> LongPollFrame {
        let head = LongPollHead(
            flags: .padding, number: request.head.number, acknowledged: receiver.received,
            limit: receiver.limit)
        return LongPollFrame(head, data: ByteBuffer(repeating: 0x20, count: LongPollStreaming.padding))
    }
}
