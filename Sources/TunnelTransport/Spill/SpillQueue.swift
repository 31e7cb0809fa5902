import DequeModule
import Glibc
import NIOCore
import NIOPosix
import TunnelProtocol

/// Who uses a `SpillQueue`, on its event loop.
protocol SpillQueueUser: AnyObject {
    /// So many bytes that were appended wait in memory no longer.
    func spillTook(_ count: Int)
    /// The next bytes, as many as were wanted at most.
    func spillDelivers(_ bytes: ByteBuffer)
    /// What is appended stays in memory until something was delivered: the file is full, or there is none.
    func spillIsFull()
    /// Something went wrong with the folder; with `isLost`, what lay there is gone.
    func spillFailed(_ reason: String, isLost: Bool)
}

/// Bytes that come faster than they are wanted: in order, through a file. Reading and writing happen on the thread
/// pool, one piece at a time each way; in memory there is what was appended last and one piece each way.
final class SpillQueue {
    /// What is read or written at once, in bytes.
    static let piece = 128 << 10

    private enum File {
        case none
        case opening
        case open(SpillFile)
        /// There is none, or it takes no more.
        case unusable(SpillFile?)
    }

    private let space: SpillSpace
    private let eventLoop: any EventLoop
    private weak var user: (any SpillQueueUser)?
    private var file = File.none
    private var ring: SpillRing
    /// What is not in the file; its first piece may be on its way there.
    private var arriving = Deque<ByteBuffer>()
    /// The same in bytes.
    private(set) var arrivingBytes = 0
    private var wanted = 0
    private var isWriting = false
    private var isReading = false
    private var isPumping = false
    private var isOver = false

    init(space: SpillSpace, capacity: Int, eventLoop: any EventLoop, user: any SpillQueueUser) {
        self.space = space
        self.ring = SpillRing(capacity: capacity)
        self.eventLoop = eventLoop
        self.user = user
    }

    /// Whether everything that was appended has been delivered.
    var isEmpty: Bool { ring.count == 0 && arrivingBytes == 0 }

    func append(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        arrivingBytes += bytes.readableBytes
        if let last = arriving.indices.last, !isWriting || arriving.count > 1,
            arriving[last].readableBytes + bytes.readableBytes <= Self.piece
        {
            arriving[last].writeImmutableBuffer(bytes)
        } else {
            arriving.append(bytes)
        }
        pump()
    }

    /// So many bytes more are wanted.
    func want(_ count: Int) {
        wanted += count
        pump()
    }

    /// Nothing is wanted any more. The file goes when what is under way with it is over.
    func close() {
        isOver = true
        file = .none
        arriving.removeAll()
        arrivingBytes = 0
        user = nil
    }

    private func pump() {
        guard !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        var goesOn = true
        while goesOn, !isOver { goesOn = handOn() }
        if !isOver { store() }
    }

    // MARK: Out

    /// - Returns: whether there may be more to do at once.
    private func handOn() -> Bool {
        guard wanted > 0, !isReading else { return false }
        if let piece = ring.oldest(min(wanted, Self.piece)) {
            read(piece)
            return false
        }
        guard !isWriting, let first = arriving.first else { return false }
        let count = min(wanted, first.readableBytes)
        guard let part = first.getSlice(at: first.readerIndex, length: count) else { return false }
        dropArrived(count)
        wanted -= count
        // Delivered first: who hears that nothing waits any more may take it for the end.
        let user = user
        user?.spillDelivers(part)
        user?.spillTook(count)
        return true
    }

    private func read(_ piece: SpillRing.Piece) {
        guard let file = usableFile else { return }
        isReading = true
        onPool({ () throws(IOError) in try file.read(piece.count, at: piece.offset) }) { result in
            self.isReading = false
            switch result {
            case .success(let bytes):
                self.ring.taken(piece.count)
                if self.ring.count == 0, !self.isWriting { self.ring.rewind() }
                self.wanted -= piece.count
                self.user?.spillDelivers(bytes)
            case .failure(let error):
                self.user?.spillFailed("\(error)", isLost: true)
            }
        }
    }

    private var usableFile: SpillFile? {
        switch file {
        case .open(let file): file
        case .unusable(let file): file
        case .none, .opening: nil
        }
    }

    // MARK: In

    private func store() {
        guard !isWriting, let next = arriving.first else { return }
        switch file {
        case .opening: return
        case .unusable: user?.spillIsFull()
        case .none: openFile()
        case .open(let file):
            guard let room = ring.room(for: next.readableBytes), file.grow(to: room.offset + room.count)
            else {
                user?.spillIsFull()
                return
            }
            write(next, room, file)
        }
    }

    private func openFile() {
        file = .opening
        let space = space
        onPool({ () throws(IOError) in try space.makeFile() }) { result in
            switch result {
            case .success(let file): self.file = .open(file)
            case .failure(let error): self.cannotWrite(error)
            }
        }
    }

    private func write(_ bytes: ByteBuffer, _ room: SpillRing.Piece, _ file: SpillFile) {
        guard let part = bytes.getSlice(at: bytes.readerIndex, length: room.count) else { return }
        isWriting = true
        onPool({ () throws(IOError) in try file.write(part, at: room.offset) }) { result in
            self.isWriting = false
            switch result {
            case .success:
                self.ring.filled(room.count)
                self.dropArrived(room.count)
                self.user?.spillTook(room.count)
            case .failure(let error):
                self.cannotWrite(error)
            }
        }
    }

    private func dropArrived(_ count: Int) {
        arrivingBytes -= count
        guard let first = arriving.first else { return }
        if first.readableBytes == count {
            _ = arriving.popFirst()
        } else {
            arriving[0].moveReaderIndex(forwardBy: count)
        }
    }

    private func cannotWrite(_ error: IOError) {
        file = .unusable(usableFile)
        user?.spillFailed("\(error)", isLost: false)
    }

    private func onPool<Value: Sendable>(
        _ work: @escaping @Sendable () throws(IOError) -> Value,
        then: @escaping (Result<Value, IOError>) -> Void
    ) {
        space.pool.runIfActive(eventLoop: eventLoop) { () -> Result<Value, IOError> in
            do throws(IOError) { return .success(try work()) } catch { return .failure(error) }
        }
        .assumeIsolated().whenComplete { outcome in
            guard !self.isOver else { return }
            then((try? outcome.get()) ?? .failure(IOError(errnoCode: ECANCELED, reason: "the program ends")))
            self.pump()
        }
    }
}
