import AgentStatus
import Foundation
import HTTPMessage
import Observability
import TestSupport
import Testing
import TunnelConfiguration

@testable import History

/// What is kept, in a file and in memory, and what is answered of it.
@Suite(.timeLimit(.minutes(1))) struct HistoryKeeperTests {
    @Test(arguments: [true, false]) func whatHappenedIsToldAgain(inFile: Bool) async throws {
        let world = try HistoryWorld()
        if inFile { await world.open() }
        var event = AgentEvent(
            .sessionDown, server: "public", tunnel: "web", tokenHint: "abcdefgh...", session: 7,
            address: "192.0.2.7", code: "timeout", message: "it was silent")
        world.log.events.publish(event)
        world.log.events.publish(AgentEvent(.dialFailed, tunnel: "db", message: "refused"))
        let failed = exampleRequest(
            5, at: HistoryMoment.now.unix, status: 502, outcome: .originFailed, path: "/a"
        ) {
            $0.externalID = "x-1"
            $0.trace = TraceContext("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").map {
                RequestTrace($0)
            }
            ($0.timing.queue, $0.timing.tunnel) = (1_500_000, 2_250_000)
            $0.timing.origin = 3_000_000
        }
        // In memory only what went wrong is told of, on a way of its own.
        if inFile { world.tell(failed) } else { world.log.troubles.publish { _ in failed } }
        world.tick()

        let events = try await world.page(.events)
        #expect(events.source == (inFile ? .file : .memory))
        let told = try #require(events.events)
        #expect(told.map(\.event.kind) == [.dialFailed, .sessionDown])
        (event.id, event.at) = (told[1].event.id, told[1].event.at)
        #expect(told[1].event == event)
        #expect(try await world.page(.requests).requests?.map(\.request) == [failed.snapshot])
        #expect(try await world.page(.requests).requests?.map(\.standsFor) == [1])
        let minutes = try #require(try await world.page(.minutes) { $0.errorsOnly = true }.minutes)
        #expect(minutes.contains { $0.server == "public" && $0.tokenHint == nil && $0.failed == 1 })
    }

    @Test(arguments: [true, false]) func questionsNarrowTheAnswer(inFile: Bool) async throws {
        let world = try HistoryWorld()
        if inFile { await world.open() }
        for number in 0..<40 {
            world.log.events.publish(
                AgentEvent(
                    number % 2 == 0 ? .dialFailed : .sessionUp, server: number % 4 == 0 ? "a" : "b",
                    tunnel: "t\(number % 5)", message: "\(number)"))
            let request = exampleRequest(
                UInt64(number), at: 1_764_546_000_000 + Int64(number) * 1000,
                status: number % 2 == 0 ? 502 : 404, outcome: .noTunnel)
            if inFile { world.tell(request) } else { world.log.troubles.publish { _ in request } }
        }
        world.tick()
        func events(_ change: (inout HistoryQuery) -> Void) async throws -> [Int] {
            try await world.page(.events, change).events?.compactMap { Int($0.event.message) } ?? []
        }
        #expect(try await events { $0.errorsOnly = true } == stride(from: 38, through: 0, by: -2).map(\.self))
        #expect(try await events { $0.kind = "session-up" }.allSatisfy { $0 % 2 == 1 })
        #expect(try await events { $0.server = "a" }.count == 10)
        #expect(try await events { $0.tunnel = "t3" } == [38, 33, 28, 23, 18, 13, 8, 3])
        #expect(try await events { $0.tunnel = "'; DROP TABLE events; --" } == [])
        func requests(_ change: (inout HistoryQuery) -> Void) async throws -> [UInt64] {
            try await world.page(.requests, change).requests?.map(\.request.id) ?? []
        }
        #expect(try await requests { $0.status = 500...599 }.count == 20)
        #expect(
            try await requests {
                $0.since = 1_764_546_010_000
                $0.until = 1_764_546_012_000
            } == [12, 11, 10])

        // Page by page, each row once.
        var (seen, before, pages) = ([UInt64](), Int64?.none, 0)
        repeat {
            let page = try await world.page(.requests) {
                $0.limit = 7
                $0.before = before
            }
            seen += page.requests?.map(\.request.id) ?? []
            before = page.next
            pages += 1
        } while before != nil && pages < 20
        #expect(seen == (0..<40).reversed() && pages == 6)
    }

    @Test func minutesGrowByWhatTotalsGrewBy() async throws {
        let world = try HistoryWorld()
        await world.open()
        func totals(_ requests: UInt64, _ bytes: UInt64) -> HistoryTotals {
            HistoryTotals(
                servers: ["public": TrafficSnapshot(requests: requests, responseBytes: bytes)],
                tunnels: ["web": TrafficSnapshot(requests: requests)])
        }
        for (requests, bytes) in [(3, 10), (3, 10), (8, 30)] as [(UInt64, UInt64)] {
            world.keeper.add(totals(requests, bytes))
            world.tick()
        }
        // One that was made anew counts from nothing.
        world.keeper.add(totals(2, 5))
        world.tick()
        let minutes = try #require(try await world.page(.minutes).minutes)
        let server = minutes.filter { $0.server == "public" }
        #expect(
            server.reduce(0) { $0 + $1.requests } == 10 && server.reduce(0) { $0 + $1.responseBytes } == 35)
        #expect(minutes.filter { $0.tunnel == "web" }.reduce(0) { $0 + $1.requests } == 10)
        #expect(minutes.allSatisfy { $0.at % 60_000 == 0 })
    }

    @Test func requestsOfEachTokenAreCountedAndThoseOfGuessersAreNot() async throws {
        let world = try HistoryWorld()
        await world.open()
        for number in 0..<3000 {
            world.tell(exampleRequest(UInt64(number), token: "tok\(number)..."))
        }
        world.tell(exampleRequest(1, status: 404, outcome: .answeredHere, token: "guess..."))
        world.tick()
        let connection = try world.connection()
        let rows = try connection.number("SELECT count(*) FROM minutes WHERE token <> ''")
        #expect(rows == 2001)
        #expect(try connection.number("SELECT requests FROM minutes WHERE token = 'others'") == 1000)
        #expect(try connection.number("SELECT count(*) FROM minutes WHERE token = 'guess...'") == 0)
    }

    @Test func nobodyIsAskedForRequestsWhereThereIsNoFile() async throws {
        let world = try HistoryWorld()
        world.tick()
        #expect(!world.log.requests.isWanted)
        await world.open()
        #expect(world.log.requests.isWanted)
        world.keeper.apply(nil)
        await world.keeper.untilIdle()
        #expect(!world.log.requests.isWanted)
    }

    @Test func whatTheRingsHadNoRoomForIsCountedAsLost() async throws {
        let world = try HistoryWorld()
        await world.open()
        // Past the budget of a kind.
        for number in 0..<5000 {
            world.log.events.feed.publish { _ in AgentEvent(.error, message: "\(number)") }
        }
        world.tick()
        // The feed holds 4096, what waits to be written 2000.
        #expect(world.keeper.snapshot.lost == 3000)
        #expect(try await world.page(.events) { $0.limit = 1 }.events?.map(\.event.message) == ["4999"])
    }

    @Test func memoryKeepsTheLatestAlone() async throws {
        let world = try HistoryWorld()
        for round in 0..<10 {
            for number in 0..<500 {
                world.log.events.feed.publish { _ in AgentEvent(.error, message: "\(round) \(number)") }
                world.log.troubles.publish { _ in exampleRequest(UInt64(number), status: 500) }
            }
            world.tick(after: 60_000)
        }
        let snapshot = world.keeper.snapshot
        #expect(snapshot.file == nil && snapshot.events == 1000 && snapshot.requests <= 1000)
        #expect(try await world.page(.events) { $0.limit = 1 }.events?.map(\.event.message) == ["9 499"])
    }

    @Test func theOldGoesByAge() async throws {
        let world = try HistoryWorld()
        await world.open(keep: .seconds(3600))
        for hour in 0..<4 {
            world.tell(
                exampleRequest(UInt64(hour), at: HistoryMoment.now.unix - Int64(hour) * 3_600_000 + 60_000))
        }
        world.tick(after: 60_000)
        world.tick(after: 60_000)
        #expect(try await world.page(.requests).requests?.map(\.request.id) == [0])
    }

    @Test func theFileStaysWithinItsSize() async throws {
        let world = try HistoryWorld()
        await world.open(maxBytes: 4 << 20)
        let path = String(repeating: "/long", count: 200)
        var largest = 0
        for round in 0..<200 {
            for number in 0..<100 {
                world.tell(exampleRequest(UInt64(round * 100 + number), status: 502, path: path))
            }
            world.tick()
            let sizes = ["history.db", "history.db-wal"].map { name in
                (try? FileManager.default.attributesOfItem(atPath: world.folder.path(of: name))[.size] as? Int)
                    ?? 0
            }
            largest = max(largest, sizes.reduce(0, +))
        }
        // 22 MB came.
        #expect(largest <= 4 << 20 && largest > 2 << 20)
        let latest = try await world.page(.requests) { $0.limit = 1 }
        #expect(latest.requests?.map(\.request.id) == [19_999])
        #expect(world.keeper.snapshot.fault == nil && world.keeper.snapshot.bytes <= 4 << 20)
        #expect(try world.connection().number("SELECT count(*) FROM requests") > 1000)
    }

    @Test func whatWentWrongIsFoundAmongMuchThatDidNot() async throws {
        let world = try HistoryWorld()
        await world.open()
        let now = HistoryMoment.now.unix
        try world.connection().run(
            """
            WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n WHERE a < 200000)
            INSERT INTO requests (at, stands_for, failed, server, number, method, path, request_bytes,
                response_bytes, duration, caller, outcome)
            SELECT ? - a, 1, a = 199999, 'public', a, 'GET', '/', 0, 0, 1, '192.0.2.7', 'ok' FROM n
            """, [.integer(now)])
        let page = try await world.page(.requests) { $0.errorsOnly = true }
        #expect(page.requests?.map(\.request.id) == [199_999])
        // By an index, in its order.
        let plan = try world.connection().rows(
            "EXPLAIN QUERY PLAN SELECT id FROM requests WHERE failed = 1 ORDER BY at DESC, id DESC LIMIT 9"
        ) { $0.text(3) }
        #expect(plan.contains { $0.contains("requests_failed") } && plan.count == 1, "\(plan)")
        let ofToken = try world.connection().rows(
            "EXPLAIN QUERY PLAN SELECT id FROM requests WHERE token = 'a' AND at >= 1 ORDER BY at DESC, id DESC LIMIT 9"
        ) { $0.text(3) }
        #expect(ofToken.contains { $0.contains("requests_token") } && ofToken.count == 1, "\(ofToken)")
    }

    @Test func theFileIsItsOwnersAlone() async throws {
        let world = try HistoryWorld()
        await world.open()
        world.log.events.publish(AgentEvent(.error, message: "x"))
        world.tick()
        for name in ["history.db", "history.db-wal", "history.db-shm"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: world.folder.path(of: name))
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
        }
    }
}
