import NIOCore
import TunnelProtocol

/// What comes on one stream and its reader does not take: kept in a file, so that the session goes on. Stands between
/// the session and the reader from then on, and outlives the session: the reader gets what came before an end.
final class ReceivedSpill: StreamReceiver, SpillQueueUser {
    /// What the reader may hold at a time, in bytes.
    private static let window = 256 << 10

    private enum End {
        case last
        case trailers(ByteBuffer)
        case reset(StreamTermination, String)
    }

    private let id: StreamID
    private let reader: any StreamReceiver
    private weak var spilling: SessionSpilling?
    private var queue: SpillQueue?
    /// What the reader had before, which the session counts, and what it has of us.
    private var inherited: Int
    private var handedOut = 0
    private var asked = 0
    private var end: End?
    private var isOver = false

    /// - Parameter inherited: what the reader has and did not take yet.
    init(
        _ id: StreamID, of spilling: SessionSpilling, reader: any StreamReceiver, inherited: Int,
        eventLoop: any EventLoop
    ) {
        self.id = id
        self.spilling = spilling
        self.reader = reader
        self.inherited = inherited
        queue = SpillQueue(
            space: spilling.space, capacity: spilling.capacity, eventLoop: eventLoop, user: self)
        ask()
    }

    /// Nobody reads it any more.
    func close() {
        isOver = true
        queue?.close()
        queue = nil
    }

    /// The reader took so many bytes.
    ///
    /// - Returns: how many of them the session counts.
    func consumed(_ count: Int) -> Int {
        let ofBefore = min(count, inherited)
        inherited -= ofBefore
        handedOut = max(0, handedOut - (count - ofBefore))
        ask()
        return ofBefore
    }

    private func ask() {
        let room = Self.window - inherited - handedOut - asked
        guard room >= Self.window / 4 else { return }
        asked += room
        queue?.want(room)
    }

    // MARK: From the file

    func spillTook(_ count: Int) { spilling?.lieOutside(id, count) }

    func spillDelivers(_ bytes: ByteBuffer) {
        asked -= bytes.readableBytes
        handedOut += bytes.readableBytes
        reader.streamReceived(data: bytes, isLast: false)
        passEndOn()
    }

    /// What comes then waits in the session, which does not read on.
    func spillIsFull() {}

    func spillFailed(_ reason: String, isLost: Bool) {
        spilling?.tellFailure(reason)
        guard isLost, !isOver else { return }
        let spilling = spilling
        close()
        reader.streamWasReset(.originFailed, reason: "cannot read what was kept: \(reason)")
        spilling?.giveUp(id, reason: "cannot read what was kept: \(reason)", tells: false)
    }

    private func passEndOn() {
        guard let end, !isOver, queue?.isEmpty == true else { return }
        isOver = true
        switch end {
        case .last: reader.streamReceived(data: ByteBuffer(), isLast: true)
        case .trailers(let lines): reader.streamReceived(trailers: lines)
        case .reset(let end, let reason):
            spilling?.readerLetGo(of: id)
            reader.streamWasReset(end, reason: reason)
        }
    }

    // MARK: From the session

    func streamReceived(head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32?) {
        reader.streamReceived(head: head, isInterim: isInterim, isLast: isLast, originTime: originTime)
    }

    func streamReceived(data: ByteBuffer, isLast: Bool) {
        if isLast { end = .last }
        queue?.append(data)
        passEndOn()
    }

    func streamReceived(trailers: ByteBuffer) {
        end = .trailers(trailers)
        passEndOn()
    }

    func streamWasReset(_ why: StreamTermination, reason: String) {
        guard spilling?.isAnswers == true else {
            // Nobody waits for what this request would bring about.
            close()
            spilling?.readerLetGo(of: id)
            return reader.streamWasReset(why, reason: reason)
        }
        guard end == nil else { return }
        end = .reset(why, reason)
        passEndOn()
    }

    func streamBecameWritable() { reader.streamBecameWritable() }

    func streamReportsProgress() { reader.streamReportsProgress() }
}
