import NIOCore
import TunnelProtocol

/// Messages of one session of protocol v1 that are kept in files, as its machine asks for. Bound to its event loop.
final class SessionSpilling {
    let space: SpillSpace
    /// Of one message in one direction, in bytes.
    let capacity: Int
    /// Whether answers come here, and not requests.
    let isAnswers: Bool
    private weak var session: MessageSession?
    private var received: [StreamID: ReceivedSpill] = [:]
    private var sent: [StreamID: SentSpill] = [:]

    init(_ session: MessageSession, in space: SpillSpace, limits: SessionLimits, role: SessionRole) {
        self.session = session
        self.space = space
        capacity = limits.v1.maximumSpilledBytes
        isAnswers = role == .opener
    }

    // MARK: From the machine

    func overflowed(_ id: StreamID, _ direction: StreamDirection, on eventLoop: any EventLoop) {
        guard let session, let receiver = session.receivers[id] else { return }
        switch direction {
        case .received:
            let spill = ReceivedSpill(
                id, of: self, reader: receiver, inherited: session.machine.unread(id), eventLoop: eventLoop)
            received[id] = spill
            session.receivers[id] = spill
        case .sent:
            sent[id] = SentSpill(id, of: self, eventLoop: eventLoop)
            // It was asked to wait, and need not.
            receiver.streamBecameWritable()
        }
    }

    /// - Returns: false when what is sent on this stream does not come from here.
    func becameWritable(_ id: StreamID) -> Bool {
        guard let spill = sent[id] else { return false }
        spill.sessionBecameWritable()
        return true
    }

    // MARK: From the stream's owner

    /// - Returns: whether the sender may go on; nil when the stream does not send through here.
    func send(_ id: StreamID, _ bytes: ByteBuffer) -> Bool? { sent[id]?.send(bytes) }

    /// - Returns: false when the stream does not send through here.
    func finish(_ id: StreamID, trailers: ByteBuffer?) -> Bool {
        guard let spill = sent[id] else { return false }
        spill.finish(trailers: trailers)
        return true
    }

    /// - Returns: how many of these bytes the machine counts.
    func consumed(_ id: StreamID, _ count: Int) -> Int { received[id]?.consumed(count) ?? count }

    /// What came on this stream is not needed any more.
    func readerLetGo(of id: StreamID) { received.removeValue(forKey: id)?.close() }

    /// What was to be sent on this stream is not.
    func senderLetGo(of id: StreamID) { sent.removeValue(forKey: id)?.close() }

    /// What came goes on to its readers.
    func sessionEnded() {
        for spill in sent.values { spill.close() }
        sent = [:]
    }

    // MARK: From the files

    func lieOutside(_ id: StreamID, _ count: Int) { session?.liesOutside(id, count) }

    func keepOutside(_ id: StreamID, _ count: Int) {
        session?.machine.keptElsewhere(id, count)
        session?.scheduleFlush()
    }

    func senderMayGoOn(_ id: StreamID) { session?.receivers[id]?.streamBecameWritable() }

    func release(_ id: StreamID) {
        session?.machine.release(id)
        session?.scheduleFlush()
    }

    func feed(_ id: StreamID, _ bytes: ByteBuffer) -> Bool {
        guard let session else { return false }
        defer { session.scheduleFlush() }
        return session.machine.send(id, bytes)
    }

    func allIsFed(_ id: StreamID, trailers: ByteBuffer?) {
        sent.removeValue(forKey: id)
        session?.machine.finish(id, trailers: trailers)
        session?.scheduleFlush()
    }

    /// Ends a stream whose bytes are lost.
    ///
    /// - Parameter tells: whether its receiver does not know yet.
    func giveUp(_ id: StreamID, reason: String, tells: Bool) {
        let receiver = session?.receivers[id]
        session?.reset(id, .originFailed, reason: reason)
        if tells { receiver?.streamWasReset(.originFailed, reason: reason) }
    }

    func tellFailure(_ reason: String) {
        if space.mayTell() { session?.tellSpillFailure(reason) }
    }
}
