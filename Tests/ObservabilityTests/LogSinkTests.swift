import Foundation
import Logging
import TestSupport
import Testing

@testable import Observability

@Suite(.timeLimit(.minutes(1))) struct LogSinkTests {
    private static func bytes(_ text: String) -> [UInt8] { Array((text + "\n").utf8) }

    @Test func linesArriveInOrder() throws {
        let lines = try linesLogged { sink in
            for number in 0..<10_000 { sink.append(Self.bytes("line \(number)")) }
        }
        #expect(lines == (0..<10_000).map { "line \($0)" })
    }

    @Test func linesOfManyThreadsStayWhole() throws {
        let threads = 8
        let perThread = 2_000
        let lines = try linesLogged { sink in
            DispatchQueue.concurrentPerform(iterations: threads) { thread in
                for number in 0..<perThread {
                    sink.append(
                        Self.bytes("\(thread):\(number):" + String(repeating: "x", count: number % 200)))
                }
            }
        }
        #expect(lines.count == threads * perThread)
        var next = [Int](repeating: 0, count: threads)
        for line in lines {
            let parts = line.split(separator: ":", omittingEmptySubsequences: false)
            try #require(parts.count == 3)
            let thread = try #require(Int(parts[0]))
            let number = try #require(Int(parts[1]))
            try #require(number == next[thread])
            next[thread] += 1
            try #require(parts[2].count == number % 200)
        }
    }

    @Test func theFileIsMadeForOwnerAndGroupAndAppendedTo() throws {
        let file = try LogFile()
        for text in ["first", "second"] {
            let sink = try LogSink(path: file.path)
            sink.append(Self.bytes(text))
            #expect(sink.close())
        }
        #expect(try file.lines() == ["first", "second"])
        var status = stat()
        #expect(stat(file.path, &status) == 0)
        #expect(status.st_mode & 0o137 == 0)
    }

    @Test func aFileThatCannotBeOpenedIsAClearError() throws {
        let error = #expect(throws: LogSinkError.self) { try LogSink(path: "/nonexistent/agent.log") }
        #expect(
            error?.description == "cannot open the log file /nonexistent/agent.log: No such file or directory"
        )
    }

    @Test func afterARotationLinesGoToTheNewFile() throws {
        let file = try LogFile()
        let sink = try LogSink(path: file.path)
        defer { sink.close() }
        sink.append(Self.bytes("before"))
        #expect(sink.flush())
        #expect(rename(file.path, file.path + ".1") == 0)
        sink.append(Self.bytes("renamed, not yet reopened"))
        try sink.reopen()
        sink.append(Self.bytes("after"))
        #expect(sink.flush())
        #expect(try file.lines(of: file.path + ".1") == ["before", "renamed, not yet reopened"])
        #expect(try file.lines() == ["after"])
    }

    @Test func aFailedReopenKeepsTheOldFile() throws {
        let file = try LogFile()
        let folder = URL(fileURLWithPath: file.path).deletingLastPathComponent().path
        let sink = try LogSink(path: file.path)
        defer { sink.close() }
        let moved = folder + "-moved"
        #expect(rename(folder, moved) == 0)
        defer { _ = rename(moved, folder) }
        #expect(throws: LogSinkError.self) { try sink.reopen() }
        sink.append(Self.bytes("still here"))
        #expect(sink.flush())
        #expect(try file.lines(of: moved + "/agent.log") == ["still here"])
    }

    @Test func aReaderThatNeverReadsBlocksNobody() throws {
        let pipe = try BlockedPipe()
        let sink = try LogSink(fileDescriptor: pipe.writeEnd, format: .logfmt, capacity: 256 * 1024)
        let line = Self.bytes(String(repeating: "x", count: 1000))
        let clock = ContinuousClock()
        let slowest = (0..<5_000).map { _ in clock.measure { sink.append(line) } }.max()
        #expect(try #require(slowest) < .seconds(5))

        let flushing = clock.measure { #expect(!sink.flush(timeout: .milliseconds(100))) }
        #expect(flushing >= .milliseconds(100))
        #expect(flushing < .seconds(20))

        // Once somebody reads, all that was kept arrives, and a line counts the rest.
        let reader = pipe.startReading()
        #expect(sink.close(timeout: .seconds(20)))
        pipe.closeWriteEnd()
        let text = reader.text()
        let lines = text.split(separator: "\n")
        let kept = lines.count { $0.hasPrefix("xxx") && $0.utf8.count == 1000 }
        let reports = lines.filter { $0.contains("Lines dropped") }
        #expect(kept + reports.count == lines.count)
        let reported = try reports.map { try #require(Int(LogfmtLine(String($0))["line.count"] ?? "")) }
        #expect(reported.reduce(0, +) == 5_000 - kept)
        #expect(kept < 5_000)
        #expect(kept * 1001 <= 256 * 1024 + 128 * 1024)
    }

    @Test func aReaderThatLeftNeitherKillsNorBlocks() throws {
        let pipe = try BlockedPipe()
        let sink = try LogSink(fileDescriptor: pipe.writeEnd)
        pipe.closeReadEnd()
        for _ in 0..<100 { sink.append(Self.bytes("nobody reads this")) }
        #expect(sink.flush())
        #expect(sink.close())
        pipe.closeWriteEnd()
    }

    @Test func aDescriptorThatDoesNotBlockIsWaitedFor() throws {
        let pipe = try BlockedPipe()
        #expect(fcntl(pipe.writeEnd, F_SETFL, O_NONBLOCK) == 0)
        let sink = try LogSink(fileDescriptor: pipe.writeEnd)
        let lines = (0..<20_000).map { "line \($0)" }
        for line in lines { sink.append(Self.bytes(line)) }
        let reader = pipe.startReading()
        #expect(sink.close(timeout: .seconds(20)))
        pipe.closeWriteEnd()
        #expect(reader.text().split(separator: "\n").map(String.init) == lines)
    }

    @Test func linesAfterTheCloseAreDropped() throws {
        let file = try LogFile()
        let sink = try LogSink(path: file.path)
        #expect(sink.close())
        sink.append(Self.bytes("too late"))
        #expect(sink.flush())
        #expect(sink.close())
        try sink.reopen()
        #expect(try file.lines() == [])
    }
}

extension LogSink {
    func append(_ line: [UInt8]) { line.withUnsafeBufferPointer { append($0) } }
}

extension LogBuffer {
    fileprivate mutating func append(_ line: [UInt8]) -> Bool { line.withUnsafeBufferPointer { append($0) } }
}

@Suite struct LogBufferTests {
    @Test func linesBeyondTheCapacityAreCounted() {
        var buffer = LogBuffer(capacity: 10)
        var batch: [UInt8] = []
        #expect(buffer.append([1, 2, 3, 4, 5, 6]) == false)
        #expect(buffer.append([1, 2, 3, 4, 5]) == false)
        #expect(buffer.append([1, 2, 3, 4]) == false)
        let drops = LogDrops(lineCount: 1)
        #expect(buffer.take(into: &batch) == .write(lineCount: 2, drops: drops))
        #expect(batch == [1, 2, 3, 4, 5, 6, 1, 2, 3, 4])
        // What is being written takes room too.
        #expect(buffer.append([1]) == false)
        buffer.finish(lineCount: 2, drops: drops, failure: nil)
        #expect(buffer.take(into: &batch) == .write(lineCount: 0, drops: drops))
    }

    @Test func onlyASleepingWriterIsWoken() {
        var buffer = LogBuffer(capacity: 10)
        var batch: [UInt8] = []
        #expect(buffer.take(into: &batch) == .sleep)
        #expect(buffer.append([1]) == true)
        #expect(buffer.append([1]) == false)
    }

    @Test func aFailedWriteIsCountedAndNotTriedForever() {
        var buffer = LogBuffer(capacity: 100)
        var batch: [UInt8] = []
        _ = buffer.append([1])
        _ = buffer.append([2])
        _ = buffer.append([3])
        #expect(buffer.take(into: &batch) == .write(lineCount: 3, drops: nil))
        buffer.finish(lineCount: 3, drops: nil, failure: LogWriteFailure(writtenLines: 1, code: ENOSPC))
        #expect(buffer.take(into: &batch) == .sleep)
        _ = buffer.append([4])
        let drops = LogDrops(lineCount: 2, errorCode: ENOSPC)
        #expect(buffer.take(into: &batch) == .write(lineCount: 1, drops: drops))
        buffer.finish(lineCount: 1, drops: drops, failure: nil)
        #expect(buffer.settledLines == 4)
        #expect(buffer.close() == false)
        #expect(buffer.take(into: &batch) == .end)
    }

    @Test func linesBeforeASwitchAreWrittenBeforeIt() {
        var buffer = LogBuffer(capacity: 100)
        var batch: [UInt8] = []
        #expect(buffer.take(into: &batch) == .sleep)
        _ = buffer.append([1])
        #expect(buffer.switchOutput() == false)
        _ = buffer.append([2])
        #expect(buffer.take(into: &batch) == .write(lineCount: 1, drops: nil))
        #expect(batch == [1])
        buffer.finish(lineCount: 1, drops: nil, failure: nil)
        #expect(buffer.take(into: &batch) == .switchOutput)
        #expect(buffer.take(into: &batch) == .write(lineCount: 1, drops: nil))
        #expect(batch == [2])
        buffer.finish(lineCount: 1, drops: nil, failure: nil)
        #expect(buffer.take(into: &batch) == .sleep)
        #expect(buffer.switchOutput() == true)
        #expect(buffer.take(into: &batch) == .switchOutput)
    }

    @Test func anotherOutputIsToldWhatTheLastOneLost() {
        var buffer = LogBuffer(capacity: 100)
        var batch: [UInt8] = []
        _ = buffer.append([1])
        _ = buffer.take(into: &batch)
        buffer.finish(lineCount: 1, drops: nil, failure: LogWriteFailure(writtenLines: 0, code: EIO))
        #expect(buffer.take(into: &batch) == .sleep)
        #expect(buffer.switchOutput() == true)
        #expect(buffer.take(into: &batch) == .switchOutput)
        #expect(
            buffer.take(into: &batch) == .write(lineCount: 0, drops: LogDrops(lineCount: 1, errorCode: EIO)))
    }

    @Test func linesThatWaitForASwitchTakeRoom() {
        var buffer = LogBuffer(capacity: 10)
        var batch: [UInt8] = []
        _ = buffer.append([1, 2, 3, 4, 5, 6])
        _ = buffer.switchOutput()
        _ = buffer.append([1, 2, 3, 4, 5])
        #expect(
            buffer.take(into: &batch) == .write(lineCount: 1, drops: LogDrops(lineCount: 1)))
    }
}
