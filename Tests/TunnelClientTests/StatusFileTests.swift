import Foundation
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import TunnelClient

@Suite(.timeLimit(.minutes(1))) struct StatusFileTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path(of: "web.status") }

    init() throws { folder = try TemporaryFolder() }

    @Test func twoLinesTellTheMoment() throws {
        #expect(
            StatusFile.text(secondsSince1970: 1_700_000_000)
                == "Unix: 1700000000\nTime: 2023-11-14T22:13:20Z\n")
        let file = StatusFile(path: path) { _ in }
        try folder.write("Unix: 1\nTime: and a longer text that must go\n", to: "web.status")
        try file.write(secondsSince1970: 951_782_400)
        #expect(try folder.text(of: "web.status") == "Unix: 951782400\nTime: 2000-02-29T00:00:00Z\n")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["web.status"])
    }

    @Test func theProbeLeavesNothing() throws {
        try StatusFile(path: path) { _ in }.probe()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test func aFolderThatIsMissingIsAClearError() throws {
        let file = StatusFile(path: folder.path(of: "no/web.status")) { _ in }
        let error = #expect(throws: StatusFileError.self) { try file.probe() }
        let words = "statusfile: cannot write \(folder.path)/no/web.status: No such file or directory"
        #expect(error?.description.hasPrefix(words) == true)
    }

    @Test func aDeviceIsNotReplaced() throws {
        #expect(mkfifo(path, 0o600) == 0)
        let file = StatusFile(path: path) { _ in }
        #expect(throws: StatusFileError.self) { try file.write(secondsSince1970: 1) }
        var status = stat()
        #expect(lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
    }

    @Test(arguments: ["web.status", "web.status.new"])
    func whatIsNoStatusFileIsNotReplaced(name: String) throws {
        try folder.write("precious", to: name)
        let error = #expect(throws: StatusFileError.self) {
            try StatusFile(path: path) { _ in }.write(secondsSince1970: 1)
        }
        #expect(error?.description.contains("\(name) is there, and is no status file") == true)
        #expect(throws: StatusFileError.self) { try StatusFile(path: path) { _ in }.probe() }
        #expect(try folder.text(of: name) == "precious")
    }

    /// NULs are what a power loss leaves of one.
    @Test(arguments: ["", "Uni", "Unix: 1\nTime: x\n", String(repeating: "\0", count: 45)])
    func whatBeginsAsAStatusFileIsReplaced(text: String) throws {
        try folder.write(text, to: "web.status")
        try folder.write(text, to: "web.status.new")
        try StatusFile(path: path) { _ in }.write(secondsSince1970: 5)
        #expect(try folder.text(of: "web.status").hasPrefix("Unix: 5\n"))
    }

    @Test(arguments: [String(repeating: "\0", count: 45) + "precious", String(repeating: "\0", count: 4096)])
    func nulsThatNoStatusFileHadAreNotReplaced(text: String) throws {
        try folder.write(text, to: "web.status")
        #expect(throws: StatusFileError.self) {
            try StatusFile(path: path) { _ in }.write(secondsSince1970: 5)
        }
        #expect(try folder.text(of: "web.status") == text)
    }

    @Test func whatLiesInTheWayIsNotWrittenThrough() throws {
        try folder.write("precious", to: "other")
        #expect(symlink(folder.path(of: "other"), path + ".new") == 0)
        try StatusFile(path: path) { _ in }.write(secondsSince1970: 5)
        #expect(try folder.text(of: "other") == "precious")
        #expect(try folder.text(of: "web.status").hasPrefix("Unix: 5\n"))
    }

    @Test func aRowOfFailuresIsToldOnce() async throws {
        let errors = Mutex<[String]>([])
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        let later = folder.path(of: "later")
        let file = StatusFile(path: later + "/web.status", pool: pool) { error in
            errors.withLock { $0.append("\(error)") }
        }
        // The pool has one thread: what is asked of it comes behind the write.
        func hear(_ second: Int) async throws {
            file.serverWasHeard(now: second)
            try await pool.runIfActive {}
        }
        for second in 1...3 { try await hear(second) }
        #expect(errors.withLock { $0.count } == 1)
        try FileManager.default.createDirectory(atPath: later, withIntermediateDirectories: false)
        try await hear(4)
        #expect(try folder.text(of: "later/web.status") == "Unix: 4\nTime: 1970-01-01T00:00:04Z\n")
        #expect(errors.withLock { $0.count } == 1)
        try FileManager.default.removeItem(atPath: later)
        for second in 5...6 { try await hear(second) }
        #expect(errors.withLock { $0.count } == 2)
        try await pool.shutdownGracefully()
    }

    @Test func whatIsHeardWhileAWriteIsUnderWayIsLeftToTheNext() async throws {
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        let mayGoOn = Gate()
        let isHeld = Gate()
        let holding = Task {
            try await pool.runIfActive {
                isHeld.open(); try mayGoOn.wait()
            }
        }
        try await onThread { try isHeld.wait() }
        let file = StatusFile(path: path, pool: pool) { _ in }
        for second in 1...100 { file.serverWasHeard(now: second) }
        mayGoOn.open()
        try await holding.value
        try await pool.runIfActive {}
        #expect(try folder.text(of: "web.status").hasPrefix("Unix: 1\n"))
        file.serverWasHeard(now: 101)
        try await pool.runIfActive {}
        #expect(try folder.text(of: "web.status").hasPrefix("Unix: 101\n"))
        try await pool.shutdownGracefully()
    }
}
