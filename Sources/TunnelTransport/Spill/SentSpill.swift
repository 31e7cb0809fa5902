import NIOCore
import TunnelProtocol

/// The rest of a message that is too large to be kept in memory until it is whole: goes into a file, and from there into
/// the session once the message has its turn.
final class SentSpill: SpillQueueUser {
    /// Bytes on their way to the file, from which on the sender waits, and down to which it waits.
    private static let highWater = 64 << 10
    private static let lowWater = 32 << 10

    private let id: StreamID
    private weak var spilling: SessionSpilling?
    private var queue: SpillQueue?
    private var senderWaits = false
    private var isFinished = false
    private var trailers: ByteBuffer?
    private var isReleased = false
    private var asked = 0

    init(_ id: StreamID, of spilling: SessionSpilling, eventLoop: any EventLoop) {
        self.id = id
        self.spilling = spilling
        queue = SpillQueue(
            space: spilling.space, capacity: spilling.capacity, eventLoop: eventLoop, user: self)
    }

    func close() {
        queue?.close()
        queue = nil
    }

    // MARK: From the sender

    /// - Returns: false when it should wait.
    func send(_ bytes: ByteBuffer) -> Bool {
        spilling?.keepOutside(id, bytes.readableBytes)
        queue?.append(bytes)
        if queue?.arrivingBytes ?? 0 >= Self.highWater { senderWaits = true }
        return !senderWaits
    }

    func finish(trailers: ByteBuffer?) {
        isFinished = true
        self.trailers = trailers
        settle()
    }

    // MARK: From the session

    /// It takes more of the message.
    func sessionBecameWritable() {
        guard asked < SpillQueue.piece else { return }
        let more = SpillQueue.piece - asked
        asked = SpillQueue.piece
        queue?.want(more)
        settle()
    }

    // MARK: From the file

    func spillTook(_ count: Int) {
        if senderWaits, queue?.arrivingBytes ?? 0 <= Self.lowWater {
            senderWaits = false
            spilling?.senderMayGoOn(id)
        }
        settle()
    }

    func spillDelivers(_ bytes: ByteBuffer) {
        asked -= bytes.readableBytes
        if spilling?.feed(id, bytes) == true { sessionBecameWritable() }
        settle()
    }

    func spillIsFull() { release() }

    func spillFailed(_ reason: String, isLost: Bool) {
        spilling?.tellFailure(reason)
        guard isLost else { return release() }
        spilling?.giveUp(id, reason: "cannot read what was kept: \(reason)", tells: true)
    }

    /// Nothing has to be waited for: it is whole, or no more of it can be kept.
    private func release() {
        guard !isReleased else { return }
        isReleased = true
        spilling?.release(id)
    }

    private func settle() {
        guard isFinished, let queue, queue.arrivingBytes == 0 else { return }
        release()
        guard queue.isEmpty else { return }
        close()
        spilling?.allIsFed(id, trailers: trailers)
    }
}
