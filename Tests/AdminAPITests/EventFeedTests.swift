import AgentStatus
import Foundation
import Observability
import TestSupport
import Testing

@testable import AdminAPI

/// Events as they happen, over real sockets.
@Suite(.timeLimit(.minutes(2))) struct EventFeedTests {
    /// One event of a stream, read strictly.
    struct Event: Equatable {
        var id: String?
        var name = ""
        var data = ""
    }

    /// Reads a stream of events, piece by piece.
    final class Reader {
        let connection: HTTPConnection
        let head: MessageHead
        private var lines: [String] = []
        private var rest = ""

        init(
            _ world: AdminWorld, _ target: String = "/api/events", after id: String? = nil,
            receiveBuffer: Int32? = nil
        ) throws {
            connection = try HTTPConnection(port: world.port, receiveBuffer: receiveBuffer)
            try connection.send(
                "GET", target,
                fields: [("Authorization", "Bearer \(AdminWorld.token)")]
                    + (id.map { [("Last-Event-ID", $0)] } ?? []))
            head = try connection.readHead()
        }

        /// The next block, comments and settings passed over unless they are all of it.
        func next() throws -> Event? {
            var event = Event()
            while true {
                while let end = rest.range(of: "\n") {
                    let line = String(rest[..<end.lowerBound])
                    rest.removeSubrange(..<end.upperBound)
                    if line.isEmpty {
                        if event.data.isEmpty { continue }
                        return event
                    }
                    if line.hasPrefix("id: ") { event.id = String(line.dropFirst(4)) }
                    if line.hasPrefix("event: ") { event.name = String(line.dropFirst(7)) }
                    if line.hasPrefix("data: ") { event.data += line.dropFirst(6) }
                }
                guard let chunk = try connection.socket.readChunk() else { return nil }
                rest += String(decoding: chunk, as: UTF8.self)
            }
        }

        /// What the stream begins with: from then on nothing is missed.
        func readOpening() throws {
            let chunk = try connection.socket.readChunk() ?? []
            rest = String(decoding: chunk, as: UTF8.self)
            #expect(rest.hasPrefix("retry: 2000\n\n"))
        }

        func message() throws -> String? {
            try next().map { try JSONDecoder().decode(AgentEvent.self, from: Data($0.data.utf8)).message }
        }
    }

    @Test func eventsComeAsTheyHappen() async throws {
        try await AdminWorld().run { world in
            let reader = try Reader(world)
            #expect(reader.head.status == 200 && reader.head["Content-Type"] == "text/event-stream")
            #expect(reader.head["Cache-Control"] == "no-store")
            try reader.readOpening()
            for number in 1...3 {
                world.agent.tell("event \(number)\n\"quoted\"")
                let event = try #require(try reader.next())
                #expect(event.id == "\(world.agent.events.last)" && event.name == "error")
                let value = try JSONDecoder().decode(AgentEvent.self, from: Data(event.data.utf8))
                #expect(value.message == "event \(number)\n\"quoted\"")
            }
        }
    }

    @Test func aStreamIsReadByteByByteAsWell() async throws {
        try await AdminWorld().run { world in
            world.agent.tell("é")
            let reader = try Reader(world, after: "1000")
            var text = ""
            var bytes: [UInt8] = []
            while !text.hasSuffix("}\n\n") {
                bytes += try reader.connection.socket.read(1)
                text = String(decoding: bytes, as: UTF8.self)
            }
            #expect(text.contains("id: 1001\nevent: error\ndata: {") && text.contains("é"))
        }
    }

    @Test func whoComesAgainGoesOnWhereHeWas() async throws {
        try await AdminWorld().run { world in
            for number in 1...4 { world.agent.tell("\(number)") }
            let reader = try Reader(world, after: "1002")
            #expect(try reader.message() == "3")
            #expect(try reader.message() == "4")
            world.agent.tell("5")
            #expect(try reader.message() == "5")
        }
    }

    /// Of an agent that ran before, of one whose clock was ahead, or made up.
    @Test(arguments: ["7", "999", "4096", "abc", "-1", "18446744073709551616"])
    func whatIsNotKnownGetsAllThatIsKept(id: String) async throws {
        try await AdminWorld().run { world in
            for number in 1...2 { world.agent.tell("\(number)") }
            let reader = try Reader(world, after: id)
            #expect(try reader.next() == Event(id: nil, name: "missed", data: "null"))
            #expect(try reader.message() == "1")
            #expect(try reader.message() == "2")
        }
    }

    @Test func whoReadsSlowlyMissesTheOldestAndIsTold() async throws {
        try await AdminWorld().run { world in
            let slow = try Reader(world, receiveBuffer: 4096)
            let quick = try Reader(world)
            try slow.readOpening()
            try quick.readOpening()
            let long = String(repeating: "x", count: 200_000)
            for number in 1...100 {
                world.agent.tell("\(number) \(long)")
                // The slow one holds up nobody.
                #expect(try quick.message()?.prefix { $0 != " " } == "\(number)")
            }
            world.agent.tell("last")
            var names: [String] = []
            var seen = 0
            while let event = try slow.next() {
                if event.name == "missed" { seen += Int(event.data) ?? 0 } else { seen += 1 }
                names.append(event.name)
                if event.data.contains("\"last\"") { break }
            }
            // Each is there or counted.
            #expect(names.contains("missed") && seen == 101)
        }
    }

    @Test func eventsAreChosen() async throws {
        try await AdminWorld().run { world in
            let target = "/api/events?kind=banned,error&server=public&tunnel=web"
            let reader = try Reader(world, target, after: "1000")
            try reader.readOpening()
            world.agent.tell("no server")
            world.agent.tell(AgentEvent(.sessionUp, server: "public", tunnel: "web", message: "no kind"))
            world.agent.tell(AgentEvent(.banned, server: "public", message: "no tunnel"))
            world.agent.tell(AgentEvent(.banned, server: "public", tunnel: "web", message: "the one"))
            world.agent.tell(AgentEvent(.error, server: "public", tunnel: "web", message: "the other"))
            #expect(try reader.message() == "the one")
            #expect(try reader.message() == "the other")
            let list = try world.ask("GET", target + "&recent=8")
            #expect(
                try JSONDecoder().decode(EventList.self, from: Data(list.body)).events.map(\.message)
                    == ["the one", "the other"])
        }
    }

    @Test func theLatestAreThereAsAList() async throws {
        try await AdminWorld().run { world in
            let none = try world.ask("GET", "/api/events?recent=2")
            #expect(none.text == #"{"events":[],"last":1000}"#)
            for number in 1...20 { world.agent.tell("\(number)") }
            let list = try JSONDecoder().decode(
                EventList.self, from: Data(try world.ask("GET", "/api/events?recent=2").body))
            #expect(list.events.map(\.message) == ["19", "20"] && list.last == 1020)
        }
    }

    @Test(arguments: [
        "kind=", "kind=banned,", "kind=Banned", "kind=nothing", "server=", "tunnel=", "recent=", "recent=0",
        "recent=4097", "recent=-1", "recent=x",
    ])
    func whatMakesNoSenseIsRefused(query: String) async throws {
        try await AdminWorld().run { world in
            let answer = try world.ask("GET", "/api/events?\(query)")
            #expect(answer.status == 400)
            #expect(answer.text.contains(query.prefix { $0 != "=" }))
        }
    }

    @Test(arguments: [
        ("", [1, 2, 3]), ("?errors=yes", [2]), ("?slower=500", [3]), ("?server=other", [3]),
        ("?server=other&errors=yes", []),
    ])
    func requestsAreNarrowed(query: String, ids: [UInt64]) async throws {
        func request(_ id: UInt64, status: Int, milliseconds: Int, server: String) -> EndedRequest {
            let record = AccessRecord(
                serverName: server, tokenHint: nil, requestID: id, method: "GET", path: "/", status: status,
                timing: RequestTiming(whole: Int64(milliseconds) * 1_000_000), callerAddress: "192.0.2.7",
                outcome: .ok)
            return EndedRequest(record, at: 1)
        }
        // The last is for all: it ends the wait.
        let last = request(9, status: 502, milliseconds: 600, server: query.contains("other") ? "other" : "a")
        let all = [
            request(1, status: 200, milliseconds: 1, server: "a"),
            request(2, status: 502, milliseconds: 1, server: "a"),
            request(3, status: 200, milliseconds: 500, server: "other"), last,
        ]
        try await AdminWorld().run { world in
            let reader = try Reader(world, "/api/requests\(query)")
            try reader.readOpening()
            for request in all { world.agent.requests.publish { _ in request } }
            for id in ids + [9] {
                let event = try #require(try reader.next())
                let told = try JSONDecoder().decode(RequestSnapshot.self, from: Data(event.data.utf8))
                #expect(told.id == id && event.name == "request")
            }
        }
    }

    @Test func streamsLeaveConnectionsToQuestions() async throws {
        try await AdminWorld().run { world in
            var readers = try (0..<AdminGate.mostStreams).map { number in
                try Reader(world, number.isMultiple(of: 2) ? "/api/events" : "/api/requests")
            }
            #expect(readers.allSatisfy { $0.head.status == 200 })
            let refused = try world.ask("GET", "/api/events")
            #expect(refused.status == 503 && refused.text.contains("16 streams"))
            #expect(try world.ask("GET", "/api/events?recent=1").status == 200)
            // Whoever leaves makes room, as soon as that is noticed.
            readers.removeLast().connection.close()
            while try Reader(world).head.status != 200 {}
        }
    }

    @Test func aStreamEndsInOrderWithTheServer() async throws {
        try await AdminWorld().run { world in
            let reader = try Reader(world)
            try reader.readOpening()
            world.remote.stop()
            #expect(try reader.next() == nil)
            #expect(reader.connection.waitForEnd() == .closed)
        }
    }

    @Test func whoSpeaksHTTP10GetsTheStreamUntilTheEndOfTheConnection() async throws {
        try await AdminWorld().run { world in
            let connection = try HTTPConnection(port: world.port)
            try connection.send(
                "GET /api/events HTTP/1.0\r\nAuthorization: Bearer \(AdminWorld.token)\r\nLast-Event-ID: 1000\r\n\r\n"
            )
            let head = try connection.readHead()
            #expect(head.status == 200 && head["Transfer-Encoding"] == nil && head["Content-Length"] == nil)
            world.agent.tell("old")
            var text = ""
            while !text.contains("\"old\"") {
                text += String(decoding: try connection.socket.readSome(), as: UTF8.self)
            }
            #expect(text.hasPrefix("retry: 2000\n\nid: 1001\nevent: error\ndata: {"))
            world.remote.stop()
            _ = try connection.socket.readToEnd()
        }
    }
}
