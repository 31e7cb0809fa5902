internal import Glibc
internal import HostSystem
internal import Logging
internal import Synchronization
internal import SystemPackage

/// Where log lines go: a file descriptor, a file, or syslog.
///
/// `append` only copies the line into memory, so that event loops can log; one thread of the sink's own
/// writes what has gathered. When the reader is slower than the writers (a full disk, a pipe that nobody
/// reads), lines beyond the buffer are dropped, and a line says how many as soon as there is room.
///
/// The thread holds the sink until `close`.
package final class LogSink: Sendable {
    /// What the buffer holds at most, in bytes, the batch being written included.
    package static let defaultCapacity = 4 * 1024 * 1024

    /// How the lines look, from the next one on.
    package var format: LogFormat { LogFormat(code: formatCode.load(ordering: .relaxed)) }
    private let formatCode: Atomic<UInt8>

    /// Lines that were lost since the start.
    package var droppedLines: UInt64 { buffer.withLock { $0.droppedLines } }

    /// Whether its lines go to a file, where nobody may look.
    package var isFile: Bool { path.withLock { $0 != nil } }

    /// The file that `reopen` opens anew; nil for a descriptor and for syslog.
    private let path: Mutex<String?>
    private let buffer: Mutex<LogBuffer>
    private let wakeUp: WakeUp
    private let output: any LogWriting
    /// What stands before each line for syslog.
    private let syslogHeader: SyslogHeader?

    /// A sink for an open descriptor, such as standard error; it is never closed here.
    ///
    /// - Parameters:
    ///   - format: how the lines look; nil for text on a terminal, else logfmt.
    ///   - capacity: what the buffer holds at most, in bytes.
    /// - Throws: `LogSinkError` when the process is short of descriptors or threads.
    package convenience init(
        fileDescriptor: Int32, format: LogFormat? = nil, capacity: Int = defaultCapacity
    ) throws(LogSinkError) {
        try self.init(LogTarget(.descriptor(fileDescriptor), format: format), capacity: capacity)
    }

    /// A sink that appends to a file, made with mode 0640 where it is missing.
    ///
    /// - Throws: `LogSinkError` when the file cannot be opened, or as above.
    package convenience init(
        path: String, format: LogFormat? = nil, capacity: Int = defaultCapacity
    ) throws(LogSinkError) {
        try self.init(LogTarget(.file(path: path), format: format), capacity: capacity)
    }

    private convenience init(_ target: LogTarget, capacity: Int) throws(LogSinkError) {
        try self.init(
            output: LogOutput(target.descriptor), path: target.path, format: target.format,
            capacity: capacity)
    }

    /// A sink that sends each line to the system's log. Where nobody takes them, lines are dropped and counted.
    ///
    /// - Throws: `LogSinkError` as above; not when syslog is away.
    package convenience init(
        syslog target: SyslogTarget, capacity: Int = defaultCapacity
    ) throws(LogSinkError) {
        try self.init(
            output: SyslogOutput(path: target.path), path: nil, format: .text, capacity: capacity,
            syslogHeader: SyslogHeader(facilityCode: target.facilityCode))
    }

    private init(
        output: any LogWriting, path: String?, format: LogFormat, capacity: Int,
        syslogHeader: SyslogHeader? = nil
    ) throws(LogSinkError) {
        self.path = Mutex(path)
        formatCode = Atomic(format.code)
        self.syslogHeader = syslogHeader
        self.output = output
        buffer = Mutex(LogBuffer(capacity: capacity))
        do throws(Errno) {
            wakeUp = try WakeUp()
        } catch {
            output.close()
            throw LogSinkError(what: "cannot make the log's pipe", error)
        }
        guard SignalFreeThread(work: { self.runWriter() }).start() else {
            wakeUp.close()
            output.close()
            throw LogSinkError(what: "cannot start the log's thread", .resourceTemporarilyUnavailable)
        }
    }

    /// Begins a line as this sink wants it.
    ///
    /// - Parameter format: the sink's, where the caller has asked for it and built upon it: it may change meanwhile.
    func makeLine(
        at timestamp: LogTimestamp, level: Logger.Level, logger: String, message: String,
        format: LogFormat? = nil
    ) -> LogLine {
        if let syslogHeader {
            return LogLine(
                syslog: syslogHeader, at: timestamp, level: level, logger: logger, message: message)
        }
        return LogLine(
            format: format ?? self.format, at: timestamp, level: level, logger: logger, message: message)
    }

    /// The same of plain words of our own.
    ///
    /// - Parameter memory: what it is written into; empty.
    func makeLine(
        in memory: consuming LineBytes, at timestamp: LogTimestamp, level: Logger.Level, logger: StaticString,
        message: StaticString, format: LogFormat
    ) -> LogLine {
        LogLine(
            memory, format: format, syslog: syslogHeader, at: timestamp, level: level, logger: logger,
            message: message)
    }

    /// Takes a line, the newline included. Never waits; what is beyond the buffer is dropped and counted.
    /// After `close` lines are dropped without a word.
    func append(_ line: borrowing LineBytes) {
        line.withBytes { append($0) }
    }

    /// The same of a line that is whole.
    func append(_ line: UnsafeBufferPointer<UInt8>) {
        let mustWake = buffer.withLock { $0.append(line) }
        if mustWake { wakeUp.signal() }
    }

    /// Waits until everything appended so far is written or given up, for the end of the process. Never on
    /// an event loop.
    ///
    /// - Parameter timeout: how long at most: the reader may be gone for good.
    /// - Returns: false when the time was up first.
    @discardableResult
    package func flush(timeout: Duration = .seconds(2)) -> Bool {
        let target = buffer.withLock { $0.appendedLines }
        return wait(timeout: timeout) { $0.settledLines >= target }
    }

    /// Opens the file anew, for log rotation: lines from now on go to the file that bears the name now.
    /// Does nothing for a descriptor.
    ///
    /// - Throws: `LogSinkError` when the file cannot be opened; then the old one stays in use.
    package func reopen() throws(LogSinkError) {
        guard let path = path.withLock({ $0 }) else { return }
        switchOutput(to: LogDescriptor(number: try LogOutput.openFile(path), isOwned: true))
    }

    /// Writes lines from now on to another place, in another format. Never waits: what was logged before goes to the
    /// old place, as fast as that takes it.
    func adopt(_ target: LogTarget) {
        // Before the output: a new file of JSON shall hold nothing else.
        formatCode.store(target.format.code, ordering: .relaxed)
        path.withLock { $0 = target.path }
        switchOutput(to: target.descriptor)
    }

    private func switchOutput(to descriptor: LogDescriptor) {
        guard let output = output as? LogOutput else { return descriptor.close() }
        output.prepareSwitch(to: descriptor)
        let mustWake = buffer.withLock { $0.switchOutput() }
        if mustWake { wakeUp.signal() }
    }

    /// Writes what is left, within the time, and ends the thread. Safe to call again.
    ///
    /// - Returns: false when lines may be lost because the time was up first.
    @discardableResult
    package func close(timeout: Duration = .seconds(2)) -> Bool {
        let mustWake = buffer.withLock { $0.close() }
        if mustWake { wakeUp.signal() }
        return wait(timeout: timeout) { $0.isFinished }
    }

    /// Polls, for want of a lock that can be waited for with a limit; only ends of processes wait here.
    private func wait(timeout: Duration, until isReached: (borrowing LogBuffer) -> Bool) -> Bool {
        let deadline = ContinuousClock.now + timeout
        while true {
            if buffer.withLock({ isReached($0) }) { return true }
            if ContinuousClock.now >= deadline { return false }
            usleep(500)
        }
    }
}

// MARK: - The writer's thread

private let newline = UInt8(ascii: "\n")

extension LogSink {
    private func runWriter() {
        var batch: [UInt8] = []
        var complaint = RepeatedWarning()
        while true {
            switch buffer.withLock({ $0.take(into: &batch) }) {
            case .write(let lineCount, let drops):
                if let drops { batch.append(contentsOf: dropReport(drops)) }
                let written = output.write(batch)
                let failure =
                    written.count == batch.count
                    ? nil
                    : LogWriteFailure(
                        writtenLines: batch[..<written.count].count { $0 == newline }, code: written.code)
                if let failure { complain(failure, &complaint) }
                let isClosing = buffer.withLock {
                    $0.finish(lineCount: lineCount, drops: drops, failure: failure)
                    return $0.isClosed
                }
                // Under load the next lines gather meanwhile, and nobody pays for waking this thread.
                if !isClosing { usleep(Self.pauseMicroseconds) }
            case .switchOutput:
                output.switchOutput()
            case .sleep:
                wakeUp.wait()
            case .end:
                output.close()
                wakeUp.close()
                buffer.withLock { $0.isFinished = true }
                return
            }
        }
    }

    /// How long lines gather at most, in microseconds. Two hundred writes a second cost nothing, and nobody
    /// sees the delay.
    private static let pauseMicroseconds: UInt32 = 5_000

    /// A log file that cannot be written to does not say so itself.
    private func complain(_ failure: LogWriteFailure, _ complaint: inout RepeatedWarning) {
        guard let path = path.withLock({ $0 }), complaint.happened() != nil else { return }
        StandardError.write(
            "wstunnel: cannot write to the log file \(path): \(Errno(rawValue: failure.code)); lines are dropped until it can be\n"
        )
    }

    private func dropReport(_ drops: LogDrops) -> [UInt8] {
        let message =
            if syslogHeader != nil {
                "Lines dropped: syslog did not take them"
            } else if drops.errorCode != nil {
                "Lines dropped: they could not be written"
            } else {
                "Lines dropped: the log is not read, or its disk not written, fast enough"
            }
        var line = makeLine(at: .now(), level: .warning, logger: "log", message: message)
        line.add("line.count", drops.lineCount)
        if let code = drops.errorCode {
            line.add("error.message", Errno(rawValue: code).description)
        }
        return line.end().array()
    }
}

/// Why the log cannot be written to where it was told.
package struct LogSinkError: Error, CustomStringConvertible, Sendable {
    /// What was tried, with the path, and what stands against it.
    package let description: String

    package init(what: String, reason: String) { description = "\(what): \(reason)" }

    init(what: String, _ failure: Errno) { self.init(what: what, reason: failure.description) }
}
