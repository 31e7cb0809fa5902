import Foundation
import Glibc
import TestSupport
import Testing

/// The history of the built program: what it tells, what a kill leaves of it, and a disk that is full.
@Suite(.timeLimit(.minutes(15))) struct HistoryTests {
    private static let isSlow = ProcessInfo.processInfo.environment["WSTUNNEL_SLOW_TESTS"] != nil
    private static let token = "token-of-the-history-tests"
    private static let secret = "a-secret-in-a-query"

    /// What `wstunnel history --format json` prints, as far as the tests look.
    private struct Page: Decodable {
        struct Event: Decodable {
            struct Body: Decodable {
                var kind: String
                var message: String
            }
            var event: Body
        }
        struct Request: Decodable {
            struct Body: Decodable {
                var path: String
                var status: Int?
                var outcome: String
            }
            var request: Body
        }
        struct Minute: Decodable {
            var server: String?
            var tunnel: String?
            var requests: Int
        }
        var source: String
        var events: [Event]?
        var requests: [Request]?
        var minutes: [Minute]?
    }

    /// An agent with both ends, its files in a folder that outlives it.
    private final class World {
        let folder: TemporaryFolder
        let port: Int
        private(set) var process: ChildProcess

        init(origin: String = "builtin:echo", history: String? = "{ file: history.db }") throws {
            folder = try TemporaryFolder()
            port = try freePort()
            let line = history.map { "history: \($0)\n" } ?? ""
            try folder.write(
                """
                \(line)shutdown-grace: 1s
                servers: [{ name: public, host: 127.0.0.1, port: \(port), reuse-port: true }]
                tunnels:
                  - { name: web, tunnel: "ws://127.0.0.1:\(port)", server: "\(origin)", token: \(token), connections: 1 }

                """, to: "tunnels.yaml")
            process = try Self.start(folder)
        }

        private static func start(_ folder: TemporaryFolder) throws -> ChildProcess {
            let process = try wstunnel(["--config", folder.path(of: "tunnels.yaml")])
            try process.standardError.waitForLine(containing: "Session joined")
            return process
        }

        func restart() throws { process = try Self.start(folder) }

        /// Another agent takes the place of this one.
        func takeOver(while body: () throws -> Void) throws {
            let next = try wstunnel(["--config", folder.path(of: "tunnels.yaml"), "--takeover"])
            try next.standardError.waitForLine(containing: "Agent running")
            try body()
            guard try process.waitForExit() == .code(0) else { throw TestFailure(process.standardError.text) }
            try next.standardError.waitForLine(containing: "Session joined")
            process = next
        }

        func get(_ target: String) throws -> Int {
            let connection = try HTTPConnection(port: port)
            defer { connection.close() }
            return try connection.exchange("GET", target, fields: [("X-Token", token)]).status
        }

        func run(_ command: String, _ arguments: String...) throws -> String {
            let program = try wstunnel([command, "--config", folder.path(of: "tunnels.yaml")] + arguments)
            let exit = try program.waitForExit()
            try program.standardOutput.waitForEnd()
            guard exit == .code(0) || exit == .code(69) else { throw TestFailure(program.standardError.text) }
            return program.standardOutput.text
        }

        func page(_ arguments: String...) throws -> Page {
            let program = try wstunnel(
                ["history", "--config", folder.path(of: "tunnels.yaml"), "--format", "json"] + arguments)
            let exit = try program.waitForExit()
            try program.standardOutput.waitForEnd()
            guard exit == .code(0) else { throw TestFailure(program.standardError.text) }
            return try JSONDecoder().decode(Page.self, from: Data(program.standardOutput.bytes))
        }

        /// Asks again until the answer is as wanted: what happened is written twice a second.
        func waitForPage(_ arguments: [String], _ isWanted: (Page) -> Bool) throws -> Page {
            let deadline = ContinuousClock.now + .seconds(30)
            while true {
                let page = try page(arguments[0], arguments.count > 1 ? arguments[1] : "--limit=1000")
                if isWanted(page) { return page }
                guard ContinuousClock.now < deadline else { throw TestFailure("the history has \(page)") }
            }
        }
    }

    @Test func whatHappenedIsToldByTheCommandAlsoAfterARestart() throws {
        let world = try World()
        #expect(try world.get("/kept?password=\(Self.secret)") == 200)
        let page = try world.waitForPage(["--requests"]) { $0.requests?.isEmpty == false }
        #expect(page.source == "file")
        #expect(page.requests?.map(\.request.path) == ["/kept"] && page.requests?[0].request.status == 200)
        let minutes = try world.waitForPage(["--minutes"]) { page in
            page.minutes?.contains { $0.tunnel == "web" && $0.requests == 1 } == true
        }
        #expect(minutes.minutes?.contains { $0.server == "public" } == true)
        let text = try world.run("history", "--requests")
        #expect(text.contains("/kept") && text.contains("token-of..."))
        #expect(try world.run("status").contains("history: "))
        world.process.send(signal: SIGTERM)
        #expect(try world.process.waitForExit() == .code(0))

        try world.restart()
        #expect(try world.page("--requests", "--since=1h").requests?.map(\.request.path) == ["/kept"])
        #expect(try world.page("--requests", "--tunnel=none").requests?.isEmpty == true)
        // Nothing of a secret is in any of its files.
        for name in try FileManager.default.contentsOfDirectory(atPath: world.folder.path)
        where name.hasPrefix("history.db") {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: world.folder.path(of: name)))
            for secret in [Self.token, Self.secret] {
                #expect(bytes.range(of: Data(secret.utf8)) == nil, "\(name)")
            }
        }
    }

    @Test func agentsThatTakeEachOthersPlaceShareIt() throws {
        let world = try World()
        for number in 0..<3 {
            #expect(try world.get("/before/\(number)") == 200)
            var status = 0
            try world.takeOver { status = try world.get("/during/\(number)") }
            // Whichever of them has it.
            #expect([200, 502, 504].contains(status))
            #expect(try world.get("/after/\(number)") == 200)
        }
        let page = try world.waitForPage(["--requests"]) { $0.requests?.count == 9 }
        #expect(
            Set(page.requests?.map(\.request.path) ?? [])
                == Set(["before", "during", "after"].flatMap { word in (0..<3).map { "/\(word)/\($0)" } }))
        #expect(page.source == "file" && !world.process.standardError.text.contains("history"))
    }

    @Test func withoutAFileWhatWentWrongIsKeptInMemory() throws {
        let world = try World(origin: "http://127.0.0.1:\(try freePort())", history: nil)
        #expect(try world.get("/broken") == 502)
        let page = try world.waitForPage(["--requests"]) { $0.requests?.isEmpty == false }
        #expect(page.source == "memory" && page.requests?.map(\.request.path) == ["/broken"])
        #expect(try world.run("history", "--errors").contains("/broken"))
    }

    /// A tick is due each half second, and a second is promised. Beside busy loops a thread gets its turn late, be it the
    /// agent's or this test's, which reads the clock: a second more is for that.
    private static let lossLimit: Duration = .seconds(2)

    @Test func aKillLosesTheLastSecondAtMost() throws {
        let world = try World()
        var random = SplitMix64(seed: 19)
        var number = 0
        for _ in 0..<(Self.isSlow ? 100 : 5) {
            var ended: [(path: String, at: ContinuousClock.Instant)] = []
            // As many as are all kept; with what lies between them they take longer than the limit.
            for _ in 0..<Int.random(in: 150...190, using: &random) {
                number += 1
                #expect(try world.get("/r/\(number)") == 200)
                ended.append(("/r/\(number)", .now))
                usleep(15_000)
            }
            let killed = ContinuousClock.now
            world.process.send(signal: SIGKILL)
            #expect(try world.process.waitForExit() == .signal(SIGKILL))
            try world.restart()
            let kept = Set(try world.page("--requests", "--limit=1000").requests?.map(\.request.path) ?? [])
            let due = ended.filter { killed - $0.at > Self.lossLimit }
            let lost = due.filter { !kept.contains($0.path) }
            #expect(!due.isEmpty && lost.isEmpty, "\(lost.map(\.path)) of \(due.count) that were due")
            #expect(!world.process.standardError.text.contains("Cannot write the history"))
            #expect(!world.process.standardError.text.contains("moved aside"))
        }
    }

    /// Whether this machine lets the tests have a small disk.
    private static let canMount: Bool = {
        guard let folder = try? TemporaryFolder(),
            mount("tmpfs", folder.path, "tmpfs", 0, "size=1m") == 0
        else { return false }
        return umount(folder.path) == 0
    }()

    @Test(.enabled(if: canMount)) func whereNothingCanBeWrittenItIsInMemory() throws {
        let disk = try TemporaryFolder()
        try #require(mount("tmpfs", disk.path, "tmpfs", UInt(MS_RDONLY), "size=1m") == 0)
        defer { umount2(disk.path, Int32(MNT_DETACH)) }
        let world = try World(history: "{ file: \(disk.path)/history.db }")
        #expect(try world.get("/kept") == 200)
        let page = try world.waitForPage(["--requests"]) { $0.requests?.isEmpty == false }
        #expect(page.source == "memory" && page.requests?.map(\.request.path) == ["/kept"])
        #expect(try world.run("status").contains("Read-only file system"))
        let told = world.process.standardError.lines.filter { $0.contains("Cannot write the history") }
        #expect(told.count == 1)
    }

    @Test func aReloadMovesItElsewhere() throws {
        let world = try World()
        #expect(try world.get("/first") == 200)
        _ = try world.waitForPage(["--requests"]) { $0.requests?.count == 1 }
        let text = try world.folder.text(of: "tunnels.yaml")
        try world.folder.write(
            text.replacingOccurrences(of: "history.db", with: "other.db"), to: "tunnels.yaml")
        #expect(try world.run("plan").contains("history"))
        _ = try world.run("reload")
        #expect(try world.get("/second") == 200)
        let page = try world.waitForPage(["--requests"]) { page in
            page.requests?.contains { $0.request.path == "/second" } == true
        }
        #expect(page.source == "file" && page.requests?.count == 1)
        #expect(FileManager.default.fileExists(atPath: world.folder.path(of: "history.db")))
        // A file of the configuration is none.
        try world.folder.write(
            text.replacingOccurrences(of: "history.db", with: "tunnels.yaml"), to: "tunnels.yaml")
        let reload = try wstunnel(["reload", "--config", world.folder.path(of: "tunnels.yaml")])
        #expect(try reload.waitForExit() == .code(78))
        #expect(try world.page("--requests").requests?.map(\.request.path) == ["/second"])
    }

    @Test(.enabled(if: canMount)) func aFullDiskIsToldOfOnceAndRequestsGoOn() throws {
        let disk = try TemporaryFolder()
        try #require(mount("tmpfs", disk.path, "tmpfs", 0, "size=1m") == 0)
        defer { umount2(disk.path, Int32(MNT_DETACH)) }
        let world = try World(history: "{ file: \(disk.path)/history.db }")
        #expect(try world.get("/first") == 200)
        _ = try world.waitForPage(["--requests"]) { $0.requests?.isEmpty == false }
        let filler = disk.path(of: "filler")
        let descriptor = open(filler, O_WRONLY | O_CREAT, 0o600)
        let chunk = [UInt8](repeating: 1, count: 4096)
        while write(descriptor, chunk, chunk.count) > 0 {}
        close(descriptor)
        // The file grows by what comes, and finds no room.
        for number in 0..<150 {
            #expect(try world.get("/" + String(repeating: "x", count: 900) + "\(number)") == 200)
        }
        try world.process.standardError.waitForLine(containing: "Cannot write the history")
        #expect(try world.run("status").contains("there is no more room"))
        #expect(try world.get("/meanwhile") == 200)
        #expect(unlink(filler) == 0)
        try world.process.standardError.waitForLine(containing: "The history is written again")
        let page = try world.waitForPage(["--requests"]) { page in
            page.requests?.contains { $0.request.path == "/meanwhile" } == true
        }
        #expect(page.requests?.count == 152)
        let told = world.process.standardError.lines.filter { $0.contains("Cannot write the history") }
        #expect(told.count == 1)
        #expect(try world.run("status").contains("problem") == false)
    }
}
