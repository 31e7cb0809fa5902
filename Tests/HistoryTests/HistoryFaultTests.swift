import AgentStatus
import Foundation
import Glibc
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

    @Test func whatLooksAtNoLimitIsInterrupted() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("", to: "a.db")
        let connection = try SQLiteConnection(path: path, .write, followsLinks: true, patience: .zero)
        let error = #expect(throws: SQLiteError.self) {
            try connection.within(.milliseconds(50)) { () throws(SQLiteError) in
                connection.limit(to: nil)
                try connection.run(
                    "WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n) SELECT count(*) FROM n")
            }
        }
        #expect(error?.reason == .interrupted)
        #expect(try connection.number("SELECT 7") == 7)
    }

    @Test func aLockIsToldOfOnceThoughThereIsNothingToWrite() async throws {
        let world = try HistoryWorld()
        await world.open()
        let other = try world.connection()
        try other.run("BEGIN EXCLUSIVE")
        // Each time it is tried anew, and twice what is too old would go.
        for _ in 0..<4 { world.tick(after: 20_000) }
        #expect(world.keeper.snapshot.fault?.contains("locked by another process") == true)
        try other.run("COMMIT")
        world.tick(after: 3000)
        #expect(world.keeper.snapshot.fault == nil)
        #expect(try world.lines("Cannot write the history").count == 1)
        #expect(try world.lines("The history is written again").count == 1)
    }

    /// A desk with rows enough that a check takes some steps.
    private func desk(_ folder: TemporaryFolder, now: HistoryMoment) throws -> HistoryDesk {
        var desk = HistoryDesk()
        desk.apply(HistoryConfiguration(file: folder.path(of: "history.db")))
        var shelf = HistoryShelf()
        for number in 0..<1000 {
            var event = AgentEvent(.error, message: "\(number)")
            event.at = now.unix
            shelf.add(event)
        }
        let isWritten = desk.write(shelf, now: now)
        try #require(isWritten)
        return desk
    }

    @Test(arguments: [nil, Duration.nanoseconds(1)])
    func aFileThatIsNotShownToBeDamagedStays(patience: Duration?) throws {
        let folder = try TemporaryFolder()
        let now = HistoryMoment.now
        var desk = try desk(folder, now: now)
        if let patience { desk.suspect(now: now, patience: patience) } else { desk.suspect(now: now) }
        let finding = patience == nil ? "finds nothing wrong" : "takes longer"
        #expect(desk.doubt?.description.contains(finding) == true && desk.isInFile)
        // It is written all the same, which is no end of the doubt.
        let isWritten = desk.write(HistoryShelf(), now: now.later(3000))
        #expect(isWritten && desk.fault == nil && desk.snapshot.fault?.contains(finding) == true)
        desk.suspect(now: now.later(4000), patience: .nanoseconds(1))
        let news = desk.takeNews()
        #expect(desk.doubt?.description.contains(finding) == true && news.count == 1)
        // Nobody meets damage any more.
        let isWrittenStill = desk.write(HistoryShelf(), now: now.later(700_000))
        #expect(isWrittenStill && desk.snapshot.fault == nil)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(!names.contains { $0.contains("corrupt") })
    }

    @Test func damageThatAQuestionMeetsIsMovedAside() async throws {
        let world = try HistoryWorld()
        await world.open()
        for number in 0..<1000 { publish(world, "\(number)") }
        world.tick()
        try world.connection().run("PRAGMA wal_checkpoint(TRUNCATE)")
        let descriptor = open(world.path, O_WRONLY)
        let nonsense = [UInt8](repeating: 0x5a, count: 4096)
        let size = try #require(
            try FileManager.default.attributesOfItem(atPath: world.path)[.size] as? Int)
        for place in stride(from: 4096, to: size, by: 4096) {
            #expect(pwrite(descriptor, nonsense, nonsense.count, off_t(place)) == nonsense.count)
        }
        close(descriptor)
        let error = await #expect(throws: ActionError.self) { try await world.page(.events) }
        #expect(error?.status == 503)
        publish(world, "after")
        world.tick()
        #expect(try await messages(world) == ["after"])
        #expect(try world.lines("moved aside").count == 1)
    }

    @Test(arguments: ["PRAGMA user_version = 0", "DROP TABLE minutes"])
    func whatIsAHistoryByItsHeaderAloneIsMovedAside(statement: String) async throws {
        let first = try HistoryWorld()
        await first.open()
        await first.keeper.close()
        try first.connection().run(statement)
        let next = try HistoryWorld(first.folder)
        await next.open()
        publish(next, "after")
        next.tick()
        #expect(next.keeper.snapshot.fault == nil)
        #expect(try await messages(next) == ["after"])
        let names = try FileManager.default.contentsOfDirectory(atPath: first.folder.path)
        #expect(names.contains { $0.hasPrefix("history.db.corrupt-") })
    }

    @Test(arguments: [true, false]) func aFileThatWasThereIsOfItsOwnerAlone(isEmpty: Bool) async throws {
        let first = try HistoryWorld()
        if isEmpty {
            try first.folder.write("", to: "history.db")
        } else {
            await first.open()
            await first.keeper.close()
        }
        let names = ["history.db", "history.db-wal", "history.db-shm"]
        for name in names { _ = chmod(first.folder.path(of: name), 0o644) }
        let next = try HistoryWorld(first.folder)
        await next.open()
        publish(next, "kept")
        next.tick()
        for name in names {
            let attributes = try FileManager.default.attributesOfItem(
                atPath: next.folder.path(of: name))
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
        }
    }
}
