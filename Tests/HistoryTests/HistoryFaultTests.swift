import AgentStatus
import Foundation
import Observability
import TestSupport
import Testing
import TunnelConfiguration

@testable import History

/// Files that are locked, damaged, somebody else's, or cannot be written.
@Suite(.timeLimit(.minutes(1))) struct HistoryFaultTests {
    private func publish(_ world: HistoryWorld, _ message: String) {
        world.log.events.publish(AgentEvent(.error, message: message))
    }

    private func messages(_ world: HistoryWorld) async throws -> [String] {
        try await world.page(.events).events?.map(\.event.message) ?? []
    }

    @Test func aLockedFileIsWaitedFor() async throws {
        let world = try HistoryWorld()
        await world.open()
        let other = try world.connection()
        try other.run("BEGIN EXCLUSIVE")
        publish(world, "while locked")
        world.tick()
        #expect(world.keeper.snapshot.fault?.contains("locked by another process") == true)
        try other.run("COMMIT")
        world.tick(after: 3000)
        #expect(world.keeper.snapshot.fault == nil && world.keeper.snapshot.lost == 0)
        #expect(try await messages(world) == ["while locked"])
        #expect(try world.lines("Cannot write the history").count == 1)
        #expect(try world.lines("The history is written again").count == 1)
    }

    @Test func aFileThatIsNotOursIsLeftAlone() async throws {
        let world = try HistoryWorld()
        try world.folder.write(
            "servers: [{ name: a }]\n# and more than a hundred bytes\n" + String(repeating: "#", count: 100),
            to: "history.db")
        let before = try world.folder.text(of: "history.db")
        publish(world, "kept")
        await world.open()
        #expect(world.keeper.snapshot.fault?.contains("something else than a history") == true)
        let page = try await world.page(.events)
        #expect(page.source == .memory && page.events?.map(\.event.message) == ["kept"])
        #expect(try world.folder.text(of: "history.db") == before)
        // Nor is a database of somebody else's.
        try FileManager.default.removeItem(atPath: world.path)
        try world.folder.write("", to: "history.db")
        do { try world.connection().run("CREATE TABLE theirs (a)") }
        world.tick(after: 3000)
        #expect(world.keeper.snapshot.fault?.contains("something else than a history") == true)
        #expect(try world.connection().number("PRAGMA application_id") == 0)
        #expect(try world.lines("Cannot write the history").count == 1)
    }

    @Test func aFileOfALaterVersionIsLeftAlone() async throws {
        let first = try HistoryWorld()
        await first.open()
        await first.keeper.close()
        try first.connection().run("PRAGMA user_version = 2")
        let next = try HistoryWorld(first.folder)
        publish(next, "kept")
        await next.open()
        #expect(next.keeper.snapshot.fault?.contains("a later version") == true)
        #expect(try await next.page(.events).source == .memory)
        #expect(try next.connection().number("PRAGMA user_version") == 2)
    }

    @Test(arguments: [0, 5000]) func aDamagedFileIsMovedAside(from start: Int) async throws {
        let first = try HistoryWorld()
        await first.open()
        for number in 0..<200 { publish(first, "before \(number)") }
        first.tick()
        await first.keeper.close()
        // All zeros at its beginning, or nonsense behind its header.
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: first.path)))
        for index in start..<bytes.count { bytes[index] = start == 0 && index < 4096 ? 0 : 0x5a }
        try first.folder.write(bytes, to: "history.db")
        let next = try HistoryWorld(first.folder)
        await next.open()
        publish(next, "after")
        next.tick(after: 3000)
        next.tick(after: 3000)
        #expect(next.keeper.snapshot.fault == nil)
        #expect(try await messages(next) == ["after"])
        let names = try FileManager.default.contentsOfDirectory(atPath: first.folder.path)
        let aside = try #require(names.first { $0.hasPrefix("history.db.corrupt-") && !$0.hasSuffix("-wal") })
        #expect(try Data(contentsOf: URL(fileURLWithPath: first.folder.path(of: aside))) == Data(bytes))
        #expect(try next.lines("moved aside").count == 1)
    }

    @Test func aFileThatWasTakenAwayIsBegunAnew() async throws {
        let world = try HistoryWorld()
        await world.open()
        publish(world, "first")
        world.tick()
        for name in ["history.db", "history.db-wal", "history.db-shm"] {
            try FileManager.default.removeItem(atPath: world.folder.path(of: name))
        }
        publish(world, "second")
        world.tick()
        #expect(try await messages(world) == ["second"])
        #expect(world.keeper.snapshot.fault == nil)
    }

    @Test func whereTheFolderIsMissingMemoryHasIt() async throws {
        let world = try HistoryWorld()
        world.keeper.apply(HistoryConfiguration(file: world.folder.path(of: "none/history.db")))
        await world.keeper.untilIdle()
        publish(world, "kept")
        world.tick()
        #expect(world.keeper.snapshot.fault?.contains("folder") == true)
        #expect(try await messages(world) == ["kept"])
        try FileManager.default.createDirectory(
            atPath: world.folder.path(of: "none"), withIntermediateDirectories: false)
        world.tick(after: 3000)
        #expect(world.keeper.snapshot.fault == nil)
        let page = try await world.page(.events)
        #expect(page.source == .file && page.events?.map(\.event.message) == ["kept"])
    }

    @Test func aLinkInAFolderOfOthersIsNotFollowed() async throws {
        let world = try HistoryWorld()
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: world.folder.path)
        try FileManager.default.createSymbolicLink(
            atPath: world.path, withDestinationPath: world.folder.path(of: "elsewhere.db"))
        await world.open()
        #expect(
            (world.keeper.snapshot.fault ?? "").contains("is a link, and others"), "\(world.keeper.snapshot)")
        #expect(!FileManager.default.fileExists(atPath: world.folder.path(of: "elsewhere.db")))
    }

    @Test func twoAgentsHaveItAtOnce() async throws {
        let first = try HistoryWorld()
        let next = try HistoryWorld(first.folder)
        await first.open()
        await next.open()
        for (number, world) in [first, next, first, next].enumerated() {
            publish(world, "\(number)")
            world.keeper.add(
                HistoryTotals(servers: ["public": TrafficSnapshot(requests: UInt64(number) + 1)]))
            world.tick()
        }
        await first.keeper.close()
        publish(next, "4")
        next.tick()
        #expect(try await messages(next).sorted() == ["0", "1", "2", "3", "4"])
        #expect(next.keeper.snapshot.fault == nil)
        #expect(try next.connection().number("SELECT sum(requests) FROM minutes") == 7)
    }

    @Test func aQuestionThatTakesTooLongIsRefused() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("", to: "a.db")
        let connection = try SQLiteConnection(path: path, .write, followsLinks: true, patience: .zero)
        connection.limit(to: .milliseconds(50))
        let error = #expect(throws: SQLiteError.self) {
            try connection.run(
                "WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n) SELECT count(*) FROM n")
        }
        #expect(error?.reason == .interrupted)
    }
}
