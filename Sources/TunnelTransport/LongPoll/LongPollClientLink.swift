import HTTPMessage
import HostSystem
import NIOCore
import TunnelProtocol

/// The client's end of one long-poll session: sends the requests that carry it, on as many connections as they need. Carries
/// out what its `LongPollClientMachine` decides. Bound to one event loop.
final class LongPollClientLink: PipeTransport {
    /// The channel closes; what it sent has so long to go out.
    private static let farewellTime: TimeAmount = .seconds(10)

    private let target: TunnelDialler.Target
    private let session: String
    private let connect: (PollConnection) -> Void
    private let tellForeign: (String) -> Void
    private let eventLoop: NIOIsolatedEventLoop
    private var machine: LongPollClientMachine
    private var busy: [UInt64: Answer] = [:]
    private var idle: [PollConnection] = []
    private var channel: PipeChannel?
    private var timer: DeadlineTimer?
    private var isRunning = false
    private var runsAgain = false
    private var isOver = false
    /// What was said last in place of an answer.
    private var lastWords: String?

    /// An answer as it comes.
    private struct Answer {
        let connection: PollConnection
        /// Whether the request may be held.
        let isHeld: Bool
        var decoder = LongPollDecoder()
        var input = ByteBuffer()
        var frame: LongPollHead?
        /// Of the next byte of data.
        var offset: UInt64 = 0
        var refusal: RefusalQuote?
    }

    /// Called on the event loop.
    ///
    /// - Parameters:
    ///   - session: names it to the server.
    ///   - connection: on which the first request was answered.
    ///   - tellForeign: told what answers in place of the server.
    ///   - connect: makes a connection for a handler, or tells it that there is none.
    init(
        to target: TunnelDialler.Target, session: String, on eventLoop: any EventLoop,
        first connection: PollConnection, tellForeign: @escaping (String) -> Void,
        connect: @escaping (PollConnection) -> Void
    ) {
        self.tellForeign = tellForeign
        self.target = target
        self.session = session
        self.connect = connect
        self.eventLoop = eventLoop.assumeIsolated()
        machine = LongPollClientMachine(now: eventLoop.instant)
        idle = [connection]
        timer = DeadlineTimer(on: eventLoop) { [weak self] in self?.run() }
    }

    /// The channel on which the session is to be.
    func open(_ addHandlers: (PipeChannel) throws -> Void) throws -> PipeChannel {
        // The TLS library wants an address, to compare it with certificates: nobody has this one.
        let nobody = try SocketAddress(ipAddress: "0.0.0.0", port: 0)
        let channel = PipeChannel(self, on: eventLoop.nonisolated(), remoteAddress: nobody)
        self.channel = channel
        do {
            try addHandlers(channel)
        } catch {
            channel.close(promise: nil)
            throw error
        }
        channel.open()
        run()
        return channel
    }

    private var now: MonotonicInstant { eventLoop.nonisolated().instant }

    // MARK: What is to be done

    private func run() {
        guard !isOver else { return }
        guard !isRunning else {
            runsAgain = true
            return
        }
        isRunning = true
        repeat {
            runsAgain = false
            while let action = machine.next(now: now) {
                switch action {
                case .send(let request): send(request)
                case .cancel(let number): busy.removeValue(forKey: number)?.connection.close()
                }
            }
            channel?.transportMoved()
            if machine.receiver.hasEnded, machine.receiver.readyBytes == 0 { channel?.transportEnded(nil) }
        } while runsAgain
        isRunning = false
        if let end = machine.end { return over(end) }
        arm()
    }

    private func arm() {
        timer?.ring(by: .uptimeNanoseconds(machine.deadline(now: now).nanoseconds))
    }

    private func send(_ request: LongPollClientMachine.Request) {
        closeStale()
        let connection = idle.popLast() ?? PollConnection()
        let isNew = !connection.isIdle
        busy[request.number] = Answer(connection: connection, isHeld: request.frame.head.hold > 0)
        let body = request.frame.encoded
        var fields = HeaderFields()
        fields.append(named: LongPollHTTP.sessionField, session)
        // What stands before the server may ask for it each time.
        if let password = target.outerAuthorization { fields.append(.authorization, password) }
        let head = LongPollHTTP.head(to: target, bodyBytes: body.readableBytes, fields: fields)
        connection.send(head, body: body) { self.happened($0, to: request.number) }
        guard isNew else { return }
        machine.connects(request.number)
        connect(connection)
    }

    private func closeStale() {
        let now = eventLoop.nonisolated().now
        for connection in idle where connection.isStale(now: now) { connection.close() }
        idle.removeAll { !$0.isIdle || $0.isStale(now: now) }
    }

    // MARK: Answers

    private func happened(_ event: PollConnection.Event, to number: UInt64) {
        guard !isOver, busy[number] != nil else { return }
        switch event {
        case .sent: machine.sent(number, now: now)
        case .head(let head): answerBegan(head, number)
        case .body(let bytes): take(bytes, number)
        case .end: answerEnded(number)
        case .failed(let error):
            guard let answer = busy.removeValue(forKey: number) else { return }
            if let refusal = answer.refusal {
                refused(refusal, number)
                break
            }
            if let error = error as? DialError { lastWords = error.message }
            let connection = answer.connection
            let isStale = connection.isReused && answer.frame == nil && !answer.isHeld
            machine.failed(number, !connection.hasSent ? .notConnected : isStale ? .stale : .cut, now: now)
        }
        run()
    }

    private func answerBegan(_ head: ResponseHead, _ number: UInt64) {
        guard head.status != 200 else { return }
        busy[number]?.refusal = try? RefusalQuote(head, requestMethod: "POST")
    }

    private func take(_ bytes: ByteBuffer, _ number: UInt64) {
        if busy[number]?.refusal != nil {
            busy[number]?.refusal?.take(decoded: bytes)
            return
        }
        guard var answer = busy[number] else { return }
        if answer.input.readableBytes == 0 {
            answer.input = bytes
        } else {
            answer.input.writeImmutableBuffer(bytes)
        }
        do throws(NotLongPoll) {
            while let part = try answer.decoder.next(&answer.input) {
                switch part {
                case .head(let head):
                    answer.frame = head
                    guard head.number == number else { throw NotLongPoll() }
                    answer.offset = head.offset
                    machine.received(head, to: number, now: now)
                case .data(let data):
                    guard let head = answer.frame, !head.flags.contains(.padding) else { continue }
                    let upper = answer.offset + UInt64(data.readableBytes)
                    let isLast = upper == head.offset + UInt64(head.length)
                    machine.received(
                        data, at: answer.offset, isEnd: isLast && head.flags.contains(.end), to: number,
                        now: now)
                    answer.offset = upper
                case .end: break
                }
            }
            answer.input.discardReadBytes()
            busy[number] = answer
        } catch {
            // Behind a frame of ours stands what nobody is to read.
            if answer.frame == nil { foreign(Self.words(ofForeign: answer.input)) }
            busy.removeValue(forKey: number)?.connection.close()
            machine.failed(number, .foreign, now: now)
        }
    }

    private func foreign(_ words: String) {
        lastWords = words
        tellForeign(words)
    }

    /// What something in between says in place of the server.
    private static func words(ofForeign input: ByteBuffer) -> String {
        let visible = input.readableBytesView.prefix(120).prefix { $0 != 0x0a && $0 != 0x0d }
            .map { (0x20..<0x7f).contains($0) ? $0 : UInt8(ascii: "?") }
        let line = String(decoding: visible, as: UTF8.self)
        return "something in between answered in place of the tunnel server: \(line)"
    }

    private func answerEnded(_ number: UInt64) {
        guard let answer = busy.removeValue(forKey: number) else { return }
        if answer.connection.isIdle { idle.append(answer.connection) }
        if let refusal = answer.refusal { return refused(refusal, number) }
        guard answer.frame != nil, answer.decoder.isBetweenFrames, answer.input.readableBytes == 0 else {
            // Shorter than it should be.
            return machine.failed(number, .foreign, now: now)
        }
        machine.answered(number, now: now)
    }

    private func refused(_ refusal: RefusalQuote, _ number: UInt64) {
        let words = target.plainProxy.flatMap { $0.words(ofAuthentication: refusal.head.status) }
        if refusal.head.status != 410 { foreign(words ?? refusal.explanation) }
        switch refusal.head.status {
        case 410: machine.wasForgotten()
        case 413: machine.failed(number, .tooLarge, now: now)
        case 408, 504: machine.failed(number, .timedOut, now: now)
        default: machine.failed(number, .foreign, now: now)
        }
    }

    // MARK: The end

    private func over(_ end: LongPollClientMachine.End) {
        guard !isOver else { return }
        isOver = true
        timer?.cancel()
        for answer in busy.values { answer.connection.close() }
        for connection in idle { connection.close() }
        busy = [:]
        idle = []
        channel?.transportEnded(error(end))
        channel = nil
    }

    private func error(_ end: LongPollClientMachine.End) -> LongPollEnd? {
        switch end {
        case .finished: return nil
        case .gone:
            return LongPollEnd(description: "the tunnel server does not know the long-poll session any more")
        case .lost:
            let why = lastWords.map { "; the last answer: \($0)" } ?? ""
            return LongPollEnd(description: "no answer of the tunnel server came through for a minute\(why)")
        case .misuse, .acknowledgedTooMuch:
            return LongPollEnd(description: "the tunnel server broke the rules of the long-poll carrier")
        }
    }

    // MARK: From the channel

    var mostUnsent: Int { max(128 << 10, 4 * machine.uploadBytes) }

    var unsentBytes: Int {
        max(machine.unsentBytes, machine.keptBytes - (LongPollSender.mostKept - mostUnsent))
    }

    var progress: CarrierProgress? {
        CarrierProgress(acknowledged: machine.acknowledged, waiting: machine.keptBytes)
    }

    func send(_ bytes: ByteBuffer) { machine.write(bytes, now: now) }
    func flush() { run() }
    func receive() -> ByteBuffer? { machine.read() }

    func finish() {
        machine.finish()
        run()
    }

    func channelClosed() {
        channel = nil
        machine.finish()
        run()
        guard !isOver else { return }
        eventLoop.scheduleTask(in: Self.farewellTime) { self.over(.finished) }
    }
}
