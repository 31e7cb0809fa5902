/// What waits to be written: lines in one row of bytes, and the count of those for which there was no room.
///
/// Pure bookkeeping; `LogSink` guards it with a lock and does what it says.
struct LogBuffer: ~Copyable {
    /// What the writer does next.
    enum Step: Equatable {
        /// Write the batch and, where lines were dropped, a report of it behind it; then call `finish`.
        case write(lineCount: Int, drops: Int)
        /// Nothing to do: wait to be woken.
        case sleep
        /// Closed, and everything is written.
        case end
    }

    private let capacity: Int
    private var bytes: [UInt8] = []
    private var lineCount = 0
    private var bytesInFlight = 0
    private var droppedLines = 0
    private var isWriterAsleep = false
    /// A report of drops alone is not tried on what just failed: that would go round for ever.
    private var hasOutputFailed = false
    private(set) var isClosed = false

    /// Lines taken since the start.
    private(set) var appendedLines = 0
    /// Lines of these that are written or given up.
    private(set) var settledLines = 0
    /// True once the writer has ended.
    var isFinished = false

    init(capacity: Int) { self.capacity = capacity }

    /// Takes a line or counts it as dropped.
    ///
    /// - Returns: true when the writer sleeps and must be woken.
    mutating func append(_ line: [UInt8]) -> Bool {
        guard !isClosed else { return false }
        guard bytes.count + bytesInFlight + line.count <= capacity else {
            droppedLines += 1
            return wakeWriter()
        }
        bytes.append(contentsOf: line)
        lineCount += 1
        appendedLines += 1
        return wakeWriter()
    }

    /// Takes no more lines; the writer ends after those that are there.
    ///
    /// - Returns: true when the writer sleeps and must be woken.
    mutating func close() -> Bool {
        isClosed = true
        return wakeWriter()
    }

    /// Moves everything that waits into the batch.
    mutating func take(into batch: inout [UInt8]) -> Step {
        batch.removeAll(keepingCapacity: batch.capacity <= Self.keptCapacity)
        guard !bytes.isEmpty || (droppedLines > 0 && !hasOutputFailed) else {
            isWriterAsleep = !isClosed
            return isClosed ? .end : .sleep
        }
        swap(&batch, &bytes)
        bytesInFlight = batch.count
        let drops = droppedLines
        let lines = lineCount
        lineCount = 0
        droppedLines = 0
        return .write(lineCount: lines, drops: drops)
    }

    /// Notes what became of a batch: lines that could not be written count as dropped.
    ///
    /// - Parameter writtenLines: nil when all was written, else how many whole lines were.
    mutating func finish(lineCount: Int, drops: Int, failedAfter writtenLines: Int?) {
        bytesInFlight = 0
        settledLines += lineCount
        hasOutputFailed = writtenLines != nil
        if let writtenLines {
            // The report stands last, so where a batch failed it is the first that is missing.
            droppedLines += max(0, lineCount - writtenLines) + drops
        }
    }

    private mutating func wakeWriter() -> Bool {
        defer { isWriterAsleep = false }
        return isWriterAsleep
    }

    /// Memory that stays with the buffers between bursts.
    private static let keptCapacity = 64 * 1024
}
