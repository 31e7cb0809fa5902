/// What waits to be written: lines in one row of bytes, and the count of those for which there was no room.
///
/// Pure bookkeeping; `LogSink` guards it with a lock and does what it says.
struct LogBuffer: ~Copyable {
    /// What the writer does next.
    enum Step: Equatable {
        /// Write the batch and, where lines were dropped, a report of it behind it; then call `finish`.
        case write(lineCount: Int, drops: LogDrops?)
        /// Everything that belongs to the present output is written: the next one takes its place.
        case switchOutput
        /// Nothing to do: wait to be woken.
        case sleep
        /// Closed, and everything is written.
        case end
    }

    private let capacity: Int
    private var bytes: [UInt8] = []
    private var lineCount = 0
    private var bytesInFlight = 0
    private var drops = LogDrops()
    /// Lines that still belong to the present output, when another is to take its place.
    private var linesBeforeSwitch: (bytes: [UInt8], count: Int)?
    private var isWriterAsleep = false
    /// A report of drops alone is not tried on what just failed: that would go round for ever.
    private var hasOutputFailed = false
    private(set) var isClosed = false

    /// Lines taken since the start.
    private(set) var appendedLines = 0
    /// Lines of these that are written or given up.
    private(set) var settledLines = 0
    /// Lines that were lost since the start.
    private(set) var droppedLines: UInt64 = 0
    /// True once the writer has ended.
    var isFinished = false

    init(capacity: Int) { self.capacity = capacity }

    /// Takes a line or counts it as dropped.
    ///
    /// - Returns: true when the writer sleeps and must be woken.
    mutating func append(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
        guard !isClosed else { return false }
        let waiting = bytes.count + (linesBeforeSwitch?.bytes.count ?? 0) + bytesInFlight
        guard waiting + line.count <= capacity else {
            drops.lineCount += 1
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

    /// Lines from now on go to the next output, those before to the present one.
    ///
    /// - Returns: true when the writer sleeps and must be woken.
    mutating func switchOutput() -> Bool {
        guard !isClosed else { return false }
        // A switch that still waits is overtaken: its output never came into use.
        let before = linesBeforeSwitch ?? ([], 0)
        linesBeforeSwitch = (before.bytes + bytes, before.count + lineCount)
        bytes = []
        lineCount = 0
        return wakeWriter()
    }

    /// Moves everything that waits for the present output into the batch.
    mutating func take(into batch: inout [UInt8]) -> Step {
        batch.removeAll(keepingCapacity: batch.capacity <= Self.keptCapacity)
        if let before = linesBeforeSwitch {
            guard before.count == 0 else {
                linesBeforeSwitch = ([], 0)
                batch = before.bytes
                return write(batch, lineCount: before.count)
            }
            linesBeforeSwitch = nil
            hasOutputFailed = false
            return .switchOutput
        }
        guard !bytes.isEmpty || (drops.lineCount > 0 && !hasOutputFailed) else {
            isWriterAsleep = !isClosed
            return isClosed ? .end : .sleep
        }
        swap(&batch, &bytes)
        defer { lineCount = 0 }
        return write(batch, lineCount: lineCount)
    }

    private mutating func write(_ batch: [UInt8], lineCount: Int) -> Step {
        bytesInFlight = batch.count
        defer { drops = LogDrops() }
        return .write(lineCount: lineCount, drops: drops.lineCount > 0 ? drops : nil)
    }

    /// Notes what became of a batch: lines that could not be written count as dropped.
    ///
    /// - Parameter failure: nil when all was written.
    mutating func finish(lineCount: Int, drops reported: LogDrops?, failure: LogWriteFailure?) {
        bytesInFlight = 0
        settledLines += lineCount
        hasOutputFailed = failure != nil
        if let failure {
            // The report stands last, so where a batch failed it is the first that is missing.
            let lost = max(0, lineCount - failure.writtenLines)
            drops.lineCount += lost + (reported?.lineCount ?? 0)
            droppedLines += UInt64(lost)
            drops.errorCode = failure.code
        }
    }

    private mutating func wakeWriter() -> Bool {
        defer { isWriterAsleep = false }
        return isWriterAsleep
    }

    /// Memory that stays with the buffers between bursts.
    private static let keptCapacity = 64 * 1024
}

/// Lines that were lost.
struct LogDrops: Equatable {
    var lineCount = 0
    /// The system's `errno` for the last write that failed; nil when lines only came faster than they were written.
    var errorCode: Int32?
}

/// Where a batch of lines broke off, and why.
struct LogWriteFailure: Equatable {
    /// Whole lines of the batch that were written.
    var writtenLines: Int
    /// The system's `errno`.
    var code: Int32
}
