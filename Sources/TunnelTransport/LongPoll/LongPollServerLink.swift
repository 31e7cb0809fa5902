import HostSystem
package import NIOCore
package import TunnelProtocol

/// The server's end of one long-poll session: joins the requests that carry it to the channel on which the session is. Carries
/// out what its `LongPollServerMachine` decides. Bound to one event loop, wherever its requests come in.
package final class LongPollServerLink: PipeTransport {
    /// The channel closes; what it sent has so long to go out.
    private static let farewellTime: TimeAmount = .seconds(10)
    /// What is kept for a client that does not say that it has it, where memory is short, in bytes.
    private static let littleKept = 256 << 10
    /// Requests at once, those whose answers are on their way out included; and where memory is short.
    private static let mostRequests = 16
    private static let fewRequests = 8

    private let eventLoop: NIOIsolatedEventLoop
    private let budget: any ReceiveBudget
    private var machine: LongPollServerMachine
    private var replies: [LongPollServerMachine.Handle: (LongPollAnswer) -> Void] = [:]
    /// Requests, until they are over for their connections, with the bytes of their answers that may not have gone out.
    private var open: [LongPollServerMachine.Handle: Int] = [:]
    private var answerBytes = 0
    /// Known until it is closed.
    private var channel: PipeChannel?
    private var onEnd: (() -> Void)?
    private var timer: DeadlineTimer?
    private var isRunning = false
    private var runsAgain = false
    private var isOver = false
    /// Bytes that the budget knows of.
    private var counted = 0

    /// Called on the event loop.
    ///
    /// - Parameters:
    ///   - budget: for what is kept.
    ///   - onEnd: called once, when no request for it is to come any more.
    package init(
        on eventLoop: any EventLoop, budget: any ReceiveBudget, onEnd: @escaping () -> Void
    ) {
        self.eventLoop = eventLoop.assumeIsolated()
        self.budget = budget
        self.onEnd = onEnd
        machine = LongPollServerMachine(now: eventLoop.instant)
        channel = PipeChannel(self, on: eventLoop, remoteAddress: nil)
        timer = DeadlineTimer(on: eventLoop) { [weak self] in self?.run() }
    }

    private var now: MonotonicInstant { eventLoop.nonisolated().instant }

    /// Puts handlers on the channel and begins.
    package func open(_ addHandlers: (PipeChannel) throws -> Void) throws {
        guard let channel else { return }
        do {
            try addHandlers(channel)
        } catch {
            channel.close(promise: nil)
            throw error
        }
        channel.open()
        run()
    }

    // MARK: Requests

    /// A request came. Where there are too many at once it is turned away.
    ///
    /// - Parameter reply: takes the answer; called on this event loop.
    package func began(
        _ head: LongPollHead, _ handle: LongPollServerMachine.Handle,
        reply: @escaping (LongPollAnswer) -> Void
    ) {
        guard !isOver, open.count < (budget.isShort ? Self.fewRequests : Self.mostRequests) else {
            return reply(isOver ? .gone : .busy)
        }
        replies[handle] = reply
        open[handle] = 0
        machine.received(head, from: handle, now: now)
    }

    package func received(_ bytes: ByteBuffer, at offset: UInt64, _ handle: LongPollServerMachine.Handle) {
        let mayHold = !budget.isShort || machine.receiver.heldBytes < Self.littleKept
        machine.received(bytes, at: offset, from: handle, mayHold: mayHold, now: now)
        channel?.transportMoved()
        count()
    }

    package func ended(_ handle: LongPollServerMachine.Handle) {
        machine.requestEnded(handle, now: now)
        run()
    }

    /// Its answer has gone out, or its connection is gone.
    package func left(_ handle: LongPollServerMachine.Handle) {
        replies[handle] = nil
        answerBytes -= open.removeValue(forKey: handle) ?? 0
        machine.left(handle, now: now)
        run()
    }

    package func became(writable isWritable: Bool, _ handle: LongPollServerMachine.Handle) {
        machine.became(writable: isWritable, handle)
        if isWritable { run() }
    }

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
            while let action = machine.next(now: now) { carryOut(action) }
            channel?.transportMoved()
            if machine.receiver.hasEnded, machine.receiver.readyBytes == 0 { channel?.transportEnded(nil) }
        } while runsAgain
        isRunning = false
        count()
        if let end = machine.end { return over(end) }
        arm()
    }

    private func carryOut(_ action: LongPollServerMachine.Action) {
        let frame = action.frame
        // Of one that goes on nothing comes before most of what came has gone out.
        if let before = open[action.handle] {
            open[action.handle] = frame.byteCount
            answerBytes += frame.byteCount - before
        }
        switch action {
        case .answer(let handle, let frame): replies.removeValue(forKey: handle)?(.whole(frame.encoded))
        case .begin(let handle, let frame): replies[handle]?(.begin(frame.encoded))
        case .goOn(let handle, let frame): replies[handle]?(.goOn(frame.encoded))
        case .endWith(let handle, let frame): replies.removeValue(forKey: handle)?(.end(frame.encoded))
        }
    }

    private func count() {
        let kept =
            isOver
            ? 0 : machine.keptBytes + machine.receiver.heldBytes + machine.receiver.readyBytes + answerBytes
        guard kept != counted else { return }
        budget.count(kept - counted)
        counted = kept
    }

    private func arm() {
        timer?.ring(by: .uptimeNanoseconds(machine.deadline(now: now).nanoseconds))
    }

    private func over(_ end: LongPollServerMachine.End) {
        guard !isOver else { return }
        isOver = true
        timer?.cancel()
        let left = replies
        replies = [:]
        for reply in left.values { reply(.gone) }
        channel?.transportEnded(Self.error(end))
        channel = nil
        count()
        onEnd.take()?()
    }

    private static func error(_ end: LongPollServerMachine.End) -> LongPollEnd? {
        switch end {
        case .finished: nil
        case .silent: LongPollEnd(description: "no request of the tunnel client came for a minute")
        case .misuse, .acknowledgedTooMuch:
            LongPollEnd(description: "the tunnel client broke the rules of the long-poll carrier")
        }
    }

    // MARK: From the channel

    package var mostUnsent: Int { max(128 << 10, 2 * machine.answerBytes) }

    package var unsentBytes: Int {
        let most = budget.isShort ? Self.littleKept : LongPollSender.mostKept
        return max(machine.unsentBytes, machine.keptBytes - max(0, most - mostUnsent))
    }

    package var progress: CarrierProgress? {
        CarrierProgress(acknowledged: machine.acknowledged, waiting: machine.keptBytes)
    }

    package func send(_ bytes: ByteBuffer) { machine.write(bytes) }
    package func flush() { run() }
    package func receive() -> ByteBuffer? { machine.read() }

    package func finish() {
        machine.finish()
        run()
    }

    package func channelClosed() {
        channel = nil
        machine.finish()
        run()
        guard !isOver else { return }
        eventLoop.scheduleTask(in: Self.farewellTime) { self.over(.finished) }
    }
}
