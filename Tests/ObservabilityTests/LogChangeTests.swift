import Foundation
import Logging
import TestSupport
import Testing

@testable import Observability

@Suite(.timeLimit(.minutes(1))) struct LogChangeTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func makeLog(format: LogFormat = .logfmt) throws -> AgentLog {
        AgentLog(sink: try LogSink(path: folder.path(of: "first.log"), format: format))
    }

    private func lines(of name: String) throws -> [String] {
        try folder.text(of: name).split(separator: "\n").map(String.init)
    }

    @Test func loggersHandedOutBeforeFollow() throws {
        let log = try makeLog()
        defer { log.close() }
        let logger = log.makeLogger(label: "agent")
        let access = log.access
        logger.info("before")
        logger.debug("not yet")
        log.commit(
            try log.prepare(
                level: .debug, format: .json, destination: .file(path: folder.path(of: "second.log"))))
        logger.debug("after")
        access.write(
            .received(method: "GET", path: "/", caller: "127.0.0.1:1", xHost: nil, attempt: 1),
            tokenHint: nil, requestID: 1)
        #expect(log.sink.flush(timeout: .seconds(20)))
        let first = try lines(of: "first.log")
        #expect(first.count == 1 && first[0].contains(#"message="before""#))
        let second = try lines(of: "second.log")
        #expect(second.count == 1 && second[0].hasPrefix("{") && second[0].contains(#""message":"after""#))

        log.commit(
            try log.prepare(
                level: .warning, format: .text, destination: .file(path: folder.path(of: "third.log"))))
        #expect(!access.isEnabled)
        log.level.configure(.info)
        access.write(
            .received(method: "GET", path: "/", caller: "127.0.0.1:1", xHost: nil, attempt: 1),
            tokenHint: nil, requestID: 2)
        #expect(log.sink.flush(timeout: .seconds(20)))
        let third = try lines(of: "third.log")
        #expect(third.count == 1 && third[0].contains("access: HTTP RCV"))
    }

    @Test func aFileThatCannotBeOpenedChangesNothing() throws {
        let log = try makeLog()
        defer { log.close() }
        #expect(throws: LogSinkError.self) {
            try log.prepare(level: .error, format: .json, destination: .file(path: "/nonexistent/agent.log"))
        }
        log.makeLogger(label: "agent").info("still here")
        #expect(log.sink.flush(timeout: .seconds(20)))
        #expect(try lines(of: "first.log").count == 1)
        #expect(log.sink.format == .logfmt)
    }

    @Test func aChangeThatIsGivenUpChangesNothing() throws {
        let log = try makeLog()
        defer { log.close() }
        let before = try openFiles(named: "other.log")
        var change: LogChange? = try log.prepare(
            level: .error, format: .json, destination: .file(path: folder.path(of: "other.log")))
        #expect(change != nil)
        #expect(try openFiles(named: "other.log") == before + 1)
        change = nil
        #expect(try openFiles(named: "other.log") == before)
        log.makeLogger(label: "agent").info("still here")
        #expect(log.sink.flush(timeout: .seconds(20)))
        #expect(try lines(of: "first.log").count == 1)
    }

    @Test func theSameFileIsOpenedAnew() throws {
        let log = try makeLog()
        defer { log.close() }
        let logger = log.makeLogger(label: "agent")
        let path = folder.path(of: "first.log")
        logger.info("before")
        #expect(rename(path, path + ".1") == 0)
        logger.info("moved")
        log.commit(try log.prepare(level: .info, format: .logfmt, destination: .file(path: path)))
        logger.info("after")
        #expect(log.sink.flush(timeout: .seconds(20)))
        #expect(try lines(of: "first.log.1").count == 2)
        #expect(try lines(of: "first.log").count == 1)
        #expect(try openFiles(named: "first.log.1") == 0)
        // And so it is reopened later.
        #expect(rename(path, path + ".1") == 0)
        try log.sink.reopen()
        logger.info("again")
        #expect(log.sink.flush(timeout: .seconds(20)))
        #expect(try lines(of: "first.log").count == 1)
    }

    @Test func aDescriptorTakesThePlaceOfAFileAndStaysOpen() throws {
        let pipe = try BlockedPipe()
        let reader = pipe.startReading()
        let log = try makeLog()
        let logger = log.makeLogger(label: "agent")
        log.commit(
            try log.prepare(level: .info, format: nil, destination: .descriptor(pipe.writeEnd)))
        logger.info("into the pipe")
        #expect(log.sink.flush(timeout: .seconds(20)))
        log.commit(
            try log.prepare(level: .info, format: nil, destination: .file(path: folder.path(of: "b.log"))))
        logger.info("into the file")
        log.close()
        #expect(fcntl(pipe.writeEnd, F_GETFD) >= 0)
        pipe.closeWriteEnd()
        #expect(reader.text().contains("into the pipe"))
        #expect(try lines(of: "b.log").count == 1)
    }

    @Test func linesThatAFullDiskRefusedAreToldWithTheReason() throws {
        let log = AgentLog(sink: try LogSink(path: "/dev/full", format: .logfmt))
        defer { log.close() }
        let logger = log.makeLogger(label: "agent")
        logger.info("one")
        logger.info("two")
        #expect(log.sink.flush(timeout: .seconds(20)))
        log.commit(
            try log.prepare(
                level: .info, format: .logfmt, destination: .file(path: folder.path(of: "room.log"))))
        logger.info("three")
        log.close()
        let reports = try lines(of: "room.log").map { try LogfmtLine($0) }.filter { $0["logger"] == "log" }
        #expect(reports.map { $0["message"] } == ["Lines dropped: they could not be written"])
        #expect(reports.first?["line.count"] == "2")
        #expect(reports.first?["error.message"] == "No space left on device")
    }

    /// With the time that each of them has by default it would take 4 s.
    @Test func theEndWaitsForBlockedOutputsNoLongerThanItIsTold() throws {
        let pipes = try (0..<2).map { _ in try BlockedPipe() }
        let sinks = try pipes.map { try LogSink(fileDescriptor: $0.writeEnd) }
        let log = AgentLog(sink: sinks[0], syslog: sinks[1])
        let logger = log.makeLogger(label: "agent")
        // More than the kernel keeps in a pipe.
        for _ in 0..<100 { logger.info("\(String(repeating: "x", count: 1000))") }
        let start = ContinuousClock.now
        log.close(timeout: .milliseconds(10))
        #expect(ContinuousClock.now - start < .seconds(3))
        // Lets the writers end.
        let readers = pipes.map { $0.startReading() }
        for sink in sinks { sink.close(timeout: .seconds(20)) }
        for pipe in pipes { pipe.closeWriteEnd() }
        for reader in readers { #expect(reader.text().contains("xxx")) }
    }

    @Test func aChangeAfterTheEndClosesItsFile() throws {
        let log = try makeLog()
        log.close()
        log.commit(
            try log.prepare(
                level: .info, format: nil, destination: .file(path: folder.path(of: "late.log"))))
        #expect(try openFiles(named: "late.log") == 0)
    }

    /// How often this process has a file of the folder open.
    private func openFiles(named name: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))
                == folder.path(of: name)
        }
    }
}
