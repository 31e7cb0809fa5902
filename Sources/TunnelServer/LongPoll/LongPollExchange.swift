import HTTPMessage
import HTTPServing
import NIOCore
import Synchronization
import TunnelProtocol
import TunnelTransport

/// One request of the long-poll carrier and its answer. Bound to its connection's event loop; the session may be on another.
final class LongPollExchange: ServedExchange {
    /// Of what one request carries, in bytes.
    private static let longestData = 2 << 20
    /// A request of which nothing comes for so long, or whose answer is not taken, is given up.
    private static let patience: TimeAmount = .seconds(60)
    private static let count = Atomic<UInt64>(0)

    private enum State {
        case receiving
        case waiting
        /// Its answer goes on.
        case answering
        /// Its answer is written, and on its way out.
        case leaving
        case over
    }

    private let seat: LongPollSeat
    private let isAsked: Bool
    private let handle = LongPollExchange.count.add(1, ordering: .relaxed).newValue
    private let eventLoop: any EventLoop
    private var stream: (any CallerStream)?
    private var state = State.receiving
    private var decoder = LongPollDecoder(longestData: LongPollExchange.longestData)
    private var input = ByteBuffer()
    /// Of the next byte of data; nil before the head has come.
    private var offset: UInt64?
    private var progress: DeliveryProgress
    private var wasWritable = true

    /// - Parameter isAsked: whether the client waits to be told to send the body (RFC 9110 §10.1.1).
    init(_ seat: LongPollSeat, isAsked: Bool, on stream: any CallerStream) {
        self.seat = seat
        self.isAsked = isAsked
        self.stream = stream
        eventLoop = stream.eventLoop
        progress = DeliveryProgress(now: stream.eventLoop.now)
    }

    // MARK: The request

    var takesBytes: Bool { true }

    func start() {
        if isAsked { stream?.send(interim: ResponseHead(status: 100)) }
        checkTime()
    }

    func callerSent(_ bytes: ByteBuffer) {
        guard case .receiving = state else { return }
        progress.moved(now: eventLoop.now)
        if input.readableBytes == 0 { input = bytes } else { input.writeImmutableBuffer(bytes) }
        do throws(NotLongPoll) {
            while case .receiving = state, let part = try decoder.next(&input) { take(part) }
            input.discardReadBytes()
        } catch {
            refuse()
        }
    }

    private func take(_ part: LongPollDecoder.Part) {
        let handle = handle
        switch part {
        case .head(let head):
            guard offset == nil else { return refuse() }
            offset = head.offset
            let this = NIOLoopBound(self, eventLoop: eventLoop)
            let eventLoop = eventLoop
            let reply: @Sendable (LongPollAnswer) -> Void = { answer in
                if eventLoop.inEventLoop {
                    this.value.answer(answer)
                } else {
                    eventLoop.execute { this.value.answer(answer) }
                }
            }
            seat.perform {
                $0.began(head, handle, reply: reply)
            } orElse: {
                reply(.gone)
            }
        case .data(let bytes):
            guard let offset else { return }
            self.offset = offset + UInt64(bytes.readableBytes)
            seat.perform { $0.received(bytes, at: offset, handle) }
        case .end:
            state = .waiting
            seat.perform { $0.ended(handle) }
        }
    }

    /// It is no request of ours.
    private func refuse() {
        leave()
        end { $0.send(Refusal.notLongPoll.answer, closes: true) }
    }

    func callerEndedRequest(trailers: HeaderFields?) {
        if case .receiving = state { refuse() }
    }

    func callerBrokeRules(_ error: HTTPMessageError) { refuse() }
    func callerEndedRaw() {}

    // MARK: The answer

    private func answer(_ answer: LongPollAnswer) {
        guard let stream else { return }
        switch answer {
        case .whole(let bytes):
            stream.begin(LongPollHTTP.answerHead(type: LongPollHTTP.contentType, length: bytes.readableBytes))
            sendLast(bytes)
        case .begin(let bytes):
            state = .answering
            stream.begin(LongPollHTTP.answerHead(type: LongPollHTTP.streamType, length: nil))
            stream.send(bytes, isLast: false)
            lookAtWritability()
        case .goOn(let bytes):
            stream.send(bytes, isLast: false)
            lookAtWritability()
        case .end(let bytes): sendLast(bytes)
        case .busy: end { $0.send(Refusal.tooManyRequests.answer, closes: false) }
        case .gone:
            guard case .answering = state else {
                return end { $0.send(Refusal.unknownSession.answer, closes: false) }
            }
            over()
            stream.exchangeBroke(isWhole: false)
        }
    }

    /// Until the answer has gone out, the session counts it: there are not to be many that nobody reads.
    private func sendLast(_ bytes: ByteBuffer) {
        state = .leaving
        progress.moved(now: eventLoop.now)
        stream?.send(bytes, isLast: true)
        leaveOnceOut()
    }

    private func leaveOnceOut() {
        guard case .leaving = state, stream?.isWritable == true else { return }
        leave()
        end { _ in }
    }

    func callerBecameWritable() {
        progress.moved(now: eventLoop.now)
        lookAtWritability()
        leaveOnceOut()
    }

    private func lookAtWritability() {
        guard case .answering = state, let isWritable = stream?.isWritable, isWritable != wasWritable else {
            return
        }
        wasWritable = isWritable
        let handle = handle
        seat.perform { $0.became(writable: isWritable, handle) }
    }

    func answerIsOut(missing: Int) {}

    // MARK: The end

    private func end(_ finish: (any CallerStream) -> Void) {
        guard let stream else { return }
        over()
        finish(stream)
        stream.exchangeEnded()
    }

    private func over() {
        state = .over
        stream = nil
    }

    private func leave() {
        let handle = handle
        seat.perform { $0.left(handle) }
    }

    func callerLeft() {
        over()
        leave()
    }

    /// The session drains by itself, and needs its requests for that.
    func serverStops() {}

    func cutShort() {
        leave()
        guard let stream else { return }
        let hasBegun =
            switch state {
            case .answering, .leaving: true
            default: false
            }
        over()
        if hasBegun {
            stream.exchangeBroke(isWhole: false)
        } else {
            stream.send(Refusal.unknownSession.answer, closes: true)
            stream.exchangeEnded()
        }
    }

    func checkTime() {
        guard let stream else { return }
        let now = eventLoop.now
        switch state {
        case .waiting: progress.moved(now: now)
        case .answering, .leaving:
            progress.sees(undelivered: stream.undelivered, now: now)
            if stream.undelivered == 0 { progress.moved(now: now) }
        case .receiving, .over: break
        }
        guard now < progress.last + Self.patience else {
            leave()
            over()
            return stream.exchangeGaveUp()
        }
        stream.ring(by: progress.last + Self.patience)
    }
}

extension CallerStream {
    /// Writes the head of an answer to a POST, of which a body follows.
    fileprivate func begin(_ head: ResponseHead) {
        var head = head
        guard let promise = try? AnswerLength(settling: &head, toMethod: "POST", isLast: false) else {
            return
        }
        send(head, promise, isLast: false)
    }
}

/// The first request of a session, answered with its name.
final class LongPollOpeningExchange: ServedExchange {
    private let name: String
    private var stream: (any CallerStream)?

    init(_ name: String, on stream: any CallerStream) {
        self.name = name
        self.stream = stream
    }

    var takesBytes: Bool { true }

    func start() {
        guard let stream = stream.take() else { return }
        let frame = LongPollFrame(LongPollHead(number: 0)).encoded
        var head = LongPollHTTP.answerHead(type: LongPollHTTP.contentType, length: frame.readableBytes)
        head.fields.append(named: LongPollHTTP.sessionField, name)
        stream.begin(head)
        stream.send(frame, isLast: true)
        stream.exchangeEnded()
    }

    func callerSent(_ bytes: ByteBuffer) {}
    func callerEndedRequest(trailers: HeaderFields?) {}
    func callerEndedRaw() {}
    func callerBrokeRules(_ error: HTTPMessageError) {}
    func callerLeft() { stream = nil }
    func callerBecameWritable() {}
    func answerIsOut(missing: Int) {}
    func serverStops() {}
    func cutShort() {}
    func checkTime() {}
}
