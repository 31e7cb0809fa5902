import Foundation
import Observability
import Synchronization
import TestSupport

/// A log file in a folder of its own, removed at the end.
final class LogFile: Sendable {
    let path: String
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path(of: "agent.log")
    }

    func text(of name: String? = nil) throws -> String {
        try String(contentsOfFile: name ?? path, encoding: .utf8)
    }

    func lines(of name: String? = nil) throws -> [String] {
        let text = try text(of: name)
        return text.isEmpty ? [] : text.dropLast().components(separatedBy: "\n")
    }
}

/// Runs the body with a sink on a new file, closes the sink, and gives the file's lines.
func linesLogged(
    format: LogFormat = .logfmt, capacity: Int = LogSink.defaultCapacity, _ body: (LogSink) throws -> Void
) throws -> [String] {
    let file = try LogFile()
    let sink = try LogSink(path: file.path, format: format, capacity: capacity)
    try body(sink)
    sink.close(timeout: .seconds(20))
    return try file.lines()
}

/// A pipe whose reading end nobody reads until told to.
final class BlockedPipe: Sendable {
    let readEnd: Int32
    let writeEnd: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw POSIXError(.EMFILE) }
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    func closeReadEnd() { close(readEnd) }
    func closeWriteEnd() { close(writeEnd) }

    /// Reads, on a thread of its own, until the writing end is closed.
    func startReading() -> PipeReader { PipeReader(readEnd) }
}

/// What a pipe's reading end gives.
final class PipeReader: Sendable {
    private let received = Mutex("")
    private let isDone = DispatchSemaphore(value: 0)

    fileprivate init(_ readEnd: Int32) {
        Thread.detachNewThread { [self] in
            let handle = FileHandle(fileDescriptor: readEnd, closeOnDealloc: true)
            let text = String(decoding: handle.readDataToEndOfFile(), as: UTF8.self)
            received.withLock { $0 = text }
            isDone.signal()
        }
    }

    /// Waits for the end, 20 seconds at most. Call it once.
    func text() -> String {
        _ = isDone.wait(timeout: .now() + 20)
        return received.withLock { $0 }
    }
}
