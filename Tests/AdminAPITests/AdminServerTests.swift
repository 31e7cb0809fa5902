import AgentStatus
import Foundation
import Logging
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import AdminAPI

/// What the admin API answers, over real sockets.
@Suite(.timeLimit(.minutes(1))) struct AdminServerTests {
    @Test(arguments: [
        ("GET", "/api/status", 200), ("GET", "/api/status?watch=1", 400), ("GET", "/api/plan", 200),
        ("POST", "/api/reload", 200), ("POST", "/api/status", 405), ("GET", "/api/reload", 405),
        ("PUT", "/api/plan", 405), ("GET", "/", 404), ("GET", "/api/status/", 404), ("GET", "/api", 404),
        // Only who can open the control socket may have the agent replaced.
        ("POST", "/api/handover", 404), ("GET", "/api/handover", 404),
    ])
    func whatIsThereAtThePort(method: String, target: String, status: Int) async throws {
        try await AdminWorld().run { world in
            let answer = try world.ask(method, target)
            #expect(answer.status == status)
            #expect(answer.head["Content-Type"] == "application/json")
            #expect(answer.head["Cache-Control"] == "no-store")
            #expect(answer.head["Connection"] == nil)
            #expect((answer.head["Allow"] != nil) == (status == 405))
        }
    }

    @Test(arguments: [
        ("/api/status?tunnel=web", "web"), ("/api/status?tunnel=x.y-1&tunnel=z", "x.y-1"),
        ("/api/status?tunnel=%77+b", "w b"), ("/api/status", "test 1"),
    ])
    func theTunnelOfAStatusIsAskedFor(target: String, answer: String) async throws {
        try await AdminWorld().run { world in
            let body = try world.ask("GET", target).body
            #expect(try JSONDecoder().decode(AgentSnapshot.self, from: Data(body)).software == answer)
        }
    }

    @Test(
        arguments: [
            (nil, "text/plain; version=0.0.4; charset=utf-8"),
            ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
            ("text/plain", "text/plain; version=0.0.4; charset=utf-8"),
            (
                "application/openmetrics-text;version=0.0.1,text/plain;q=0.5",
                "text/plain; version=0.0.4; charset=utf-8"
            ),
            (
                "application/openmetrics-text;q=0.1,text/plain;q=0.5",
                "text/plain; version=0.0.4; charset=utf-8"
            ),
            (
                "application/openmetrics-text; version=1.0.0;q=0.8,text/plain;q=0.5",
                "application/openmetrics-text; version=1.0.0; charset=utf-8"
            ),
            (
                "application/openmetrics-text",
                "application/openmetrics-text; version=1.0.0; charset=utf-8"
            ),
        ] as [(String?, String)])
    func metricsComeInTheFormatThatIsAccepted(accept: String?, mediaType: String) async throws {
        try await AdminWorld().run { world in
            let fields =
                [("Authorization", "Bearer \(AdminWorld.token)")] + (accept.map { [("Accept", $0)] } ?? [])
            let connection = try HTTPConnection(port: world.port)
            let plain = try connection.exchange("GET", "/metrics", fields: fields)
            #expect(plain.status == 200 && plain.text == "# a page\n")
            #expect(plain.head["Content-Type"] == mediaType)
            #expect(plain.head["Vary"] == "Accept, Accept-Encoding" && plain.head["Content-Encoding"] == nil)
            #expect(plain.head["Cache-Control"] == "no-store")
            let packed = try connection.exchange(
                "GET", "/metrics", fields: fields + [("Accept-Encoding", "gzip")])
            #expect(packed.head["Content-Type"] == mediaType && packed.head["Content-Encoding"] == "gzip")
            #expect(packed.body.starts(with: [0x1f, 0x8b]))
        }
    }

    @Test func theControlSocketAsksForNoTokenAndCanHandOver() async throws {
        try await AdminWorld().run { world in
            for (method, target) in [("GET", "/api/status"), ("POST", "/api/handover")] {
                #expect(try HTTPConnection(path: world.path).exchange(method, target).status == 200)
            }
            world.agent.answers.withLock { $0.handsOver = false }
            let second = try HTTPConnection(path: world.path).exchange("POST", "/api/handover")
            #expect(second.status == 409 && second.text.contains("handed over"))
        }
    }

    @Test func whatIsRefusedIs422AndSaysWhyInItsBody() async throws {
        try await AdminWorld(.init(reload: .refused, hasPlan: false)).run { world in
            let plan = try world.ask("GET", "/api/plan")
            #expect(plan.status == 422)
            let report = try JSONDecoder().decode(PlanReport.self, from: Data(plan.body))
            #expect(report.plan == nil && report.warnings == ["a warning"])
            let reload = try world.ask("POST", "/api/reload")
            #expect(reload.status == 422)
            let snapshot = try JSONDecoder().decode(ReloadSnapshot.self, from: Data(reload.body))
            #expect(snapshot.outcome == .refused)
        }
    }

    @Test(arguments: [
        nil, "", "Bearer", "Bearer ", "Bearer \(AdminWorld.token.dropLast())", "Bearer \(AdminWorld.token)x",
        "Bearer  \(AdminWorld.token)", "Basic \(AdminWorld.token)", AdminWorld.token,
    ])
    func withoutTheTokenNothingIsTold(authorization: String?) async throws {
        try await AdminWorld().run { world in
            for target in ["/api/status", "/api/reload", "/nowhere"] {
                let answer = try world.ask("GET", target, authorization: authorization)
                #expect(answer.status == 401)
                #expect(answer.head["WWW-Authenticate"] == "Bearer")
                #expect(!answer.text.contains(AdminWorld.token))
            }
            #expect(world.agent.reloads.value == 0)
        }
    }

    @Test func anAnswerToHeadHasNoBody() async throws {
        try await AdminWorld().run { world in
            for (target, status) in [("/api/status", 200), ("/nowhere", 404), ("/a b", 400)] {
                let caller = try HTTPConnection(port: world.port)
                try caller.send(
                    "HEAD \(target) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(AdminWorld.token)\r\n\r\n")
                let head = try caller.readHead()
                #expect(head.status == status)
                #expect(head["Content-Length"].flatMap { Int($0) } ?? 0 > 0)
                #expect(throws: StreamEnd.closed) { try caller.socket.read(1) }
            }
            let caller = try HTTPConnection(port: world.port)
            for _ in 0..<2 {
                try caller.send(
                    "HEAD /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(AdminWorld.token)\r\n\r\n"
                )
                #expect(try caller.readHead()["Content-Type"] == "text/event-stream")
            }
        }
    }

    @Test func otherMachinesLeavePlacesToThisOne() {
        let door = AdminDoor()
        let names = (0...AdminServer.mostConnections * 2).map { _ in AsNumber() }
        let others = names.prefix(AdminServer.mostConnections).map {
            door.enter(ObjectIdentifier($0), isOwn: false) {}
        }
        #expect(others.count(where: { $0 }) == AdminServer.mostOfOthers)
        let own = names.dropFirst(AdminServer.mostConnections).map {
            door.enter(ObjectIdentifier($0), isOwn: true) {}
        }
        #expect(own.count(where: { $0 }) == AdminServer.mostConnections - AdminServer.mostOfOthers)
    }

    @Test func theSchemeIsReadInAnyCase() async throws {
        try await AdminWorld().run { world in
            let answer = try world.ask("GET", "/api/status", authorization: "bEARER \(AdminWorld.token)")
            #expect(answer.status == 200)
        }
    }

    @Test func aBodyIsReadAndDropped() async throws {
        try await AdminWorld().run { world in
            let body = [UInt8](repeating: 7, count: AdminExchange.mostBodyBytes)
            #expect(try world.ask("POST", "/api/reload", body: body).status == 200)
            let chunked = try HTTPConnection(port: world.port)
            try chunked.send(
                "POST /api/reload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(AdminWorld.token)\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
            #expect(try chunked.readResponse().status == 200)
            #expect(world.agent.reloads.value == 2)
        }
    }

    /// The whole of it is sent before the answer is read: what the server leaves unread must not cost the answer.
    @Test func aBodyThatIsTooLargeIsRefusedAndTheAnswerArrives() async throws {
        try await AdminWorld().run { world in
            for _ in 0..<20 {
                let body = [UInt8](repeating: 7, count: AdminExchange.mostBodyBytes + 100_000)
                let answer = try world.ask("POST", "/api/reload", body: body)
                #expect(answer.status == 400 && answer.text.contains("too large"))
            }
            #expect(world.agent.reloads.value == 0)
        }
    }

    @Test(arguments: [
        "nonsense\r\n\r\n", "GET /api/status HTTP/2.0\r\n\r\n", "GET /api/status\r\n\r\n",
        "GET /api/status HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "GET /api/status HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ])
    func whatIsNoRequestIsRefused(text: String) async throws {
        try await AdminWorld().run { world in
            let connection = try HTTPConnection(port: world.port)
            try connection.send(text)
            let answer = try connection.readResponse()
            #expect([400, 505].contains(answer.status), "\(answer.status) \(answer.text)")
            #expect(connection.waitForEnd() == .closed)
        }
    }

    @Test func requestsInOnePacketAreAnsweredOneAfterAnother() async throws {
        try await AdminWorld().run { world in
            let connection = try HTTPConnection(path: world.path)
            let request = "GET /api/status HTTP/1.1\r\nHost: a\r\n"
            try connection.send(request + "\r\n" + request + "Connection: close\r\n\r\n" + request + "\r\n")
            for isLast in [false, true] {
                let answer = try connection.readResponse()
                #expect(answer.status == 200)
                #expect(answer.head["Connection"] == (isLast ? "close" : nil))
            }
            #expect(connection.waitForEnd() == .closed)
        }
    }

    @Test func aConnectionIsKeptWhateverWasAsked() async throws {
        try await AdminWorld().run { world in
            let connection = try HTTPConnection(port: world.port)
            let authorization = ("Authorization", "Bearer \(AdminWorld.token)")
            let asked: [(method: String, target: String, body: [UInt8]?, status: Int)] = [
                ("POST", "/api/reload", Array("a body".utf8), 200), ("GET", "/nowhere", nil, 404),
                ("POST", "/api/reload", nil, 200), ("DELETE", "/api/status", nil, 405),
                ("GET", "/api/status", nil, 200),
            ]
            for (method, target, body, status) in asked {
                let answer = try connection.exchange(method, target, fields: [authorization], body: body)
                #expect(answer.status == status, "\(method) \(target)")
            }
            #expect(try connection.exchange("GET", "/api/status").status == 401)
            #expect(world.agent.reloads.value == 2)
        }
    }

    @Test func aConnectionThatIsNotUsedIsClosed() async throws {
        try await AdminWorld(patience: .milliseconds(300)).run { world in
            let connection = try HTTPConnection(path: world.path)
            #expect(try connection.exchange("GET", "/api/status").status == 200)
            #expect(connection.waitForEnd() == .closed)
        }
    }

    /// Much longer than what the kernel takes ahead.
    @Test func aLongAnswerArrivesWhole() async throws {
        let name = String(repeating: "x", count: 20_000_000)
        try await AdminWorld(.init(software: name)).run { world in
            let connection = try HTTPConnection(path: world.path)
            for _ in 0..<2 {
                let answer = try connection.exchange("GET", "/api/status")
                let snapshot = try JSONDecoder().decode(AgentSnapshot.self, from: Data(answer.body))
                #expect(snapshot.software == name)
            }
            #expect(try AdminClient(socketPath: world.path).status().software == name)
        }
    }

    @Test func whoDoesNotTakeALongAnswerIsLeft() async throws {
        let name = String(repeating: "x", count: 2_000_000)
        try await AdminWorld(.init(software: name), patience: .milliseconds(300)).run { world in
            let stuck = try (0..<AdminServer.mostConnections).map { _ in
                let connection = try HTTPConnection(path: world.path)
                try connection.send("GET", "/api/status")
                return connection
            }
            try world.agent.snapshots.wait(
                for: AdminServer.mostConnections, within: .seconds(20), what: "a status")
            // Their places become free by the clock, which a busy machine does not stop.
            let end = ContinuousClock.now + .seconds(20)
            var status = 0
            while status != 200, ContinuousClock.now < end {
                status = (try? HTTPConnection(path: world.path).exchange("GET", "/api/status").status) ?? 0
            }
            #expect(status == 200)
            for connection in stuck { connection.close() }
        }
    }

    /// Else its next request would go to a server that is no more, while another listens at the same place.
    @Test func aServerThatStopsClosesTheConnectionsThatAreKept() async throws {
        let world = try await AdminWorld()
        let client = try await onThread {
            let client = try HTTPConnection(path: world.path)
            #expect(try client.exchange("GET", "/api/status").status == 200)
            return client
        }
        world.local.stop()
        let end = try await onThread { client.waitForEnd() }
        #expect(end == .closed)
        try await world.stop()
    }

    @Test func whoSpeaksTLSToThePortIsTold() async throws {
        try await AdminWorld().run { world in
            let connection = try HTTPConnection(port: world.port)
            try connection.send("\u{16}\u{3}\u{1}\u{2}")
            let answer = try connection.readResponse()
            #expect(answer.status == 400 && answer.text.contains("TLS"))
            let other = try HTTPConnection(port: world.port)
            try other.send("PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let refusal = try other.readResponse()
            #expect(refusal.status == 400 && refusal.text.contains("PROXY"))
        }
    }

    @Test(arguments: [
        "", "GET /api/sta", "POST /api/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
    ])
    func halfARequestIsLeftAfterAWhile(text: String) async throws {
        try await AdminWorld(patience: .milliseconds(300)).run { world in
            let connection = try HTTPConnection(path: world.path)
            try connection.send(text)
            let start = ContinuousClock.now
            if !text.isEmpty { #expect(try connection.readResponse().status == 408) }
            #expect(connection.waitForEnd() != .timedOut)
            #expect(ContinuousClock.now - start < .seconds(10))
            #expect(world.agent.reloads.value == 0)
        }
    }

    @Test func aClientThatKeepsItsConnectionIsLeftAfterItsAnswer() async throws {
        try await AdminWorld(patience: .milliseconds(300)).run { world in
            // More than fit at once: all of them stay open on this side.
            let connections = try (0..<AdminServer.mostConnections * 2).map { number in
                if number % 32 == 31 { usleep(400_000) }
                let connection = try HTTPConnection(path: world.path)
                #expect(try connection.exchange("GET", "/api/status").status == 200, "connection \(number)")
                return connection
            }
            #expect(connections.count == AdminServer.mostConnections * 2)
        }
    }

    @Test func beyondTheLimitConnectionsAreClosedAndTheOthersServed() async throws {
        try await AdminWorld().run { world in
            let silent = try (0..<AdminServer.mostConnections).map { _ in
                let connection = try HTTPConnection(path: world.path)
                try connection.send("GET ")
                return connection
            }
            let surplus = try HTTPConnection(path: world.path)
            #expect(surplus.waitForEnd() != .timedOut)
            // The port counts for itself.
            #expect(try world.ask("GET", "/api/status").status == 200)
            try silent[0].send("/api/status HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try silent[0].readResponse().status == 200)
            silent[0].close()
            for connection in silent { connection.close() }
            // As soon as the server has noticed.
            var status = 0
            for _ in 0..<200 where status != 200 {
                status = (try? HTTPConnection(path: world.path).exchange("GET", "/api/status").status) ?? 0
            }
            #expect(status == 200)
        }
    }

    @Test func aClientThatLeavesDuringAReloadHarmsNobody() async throws {
        let gate = Gate()
        try await AdminWorld(.init(reloadGate: gate)).run { world in
            for isRude in [false, true] {
                let client = try HTTPConnection(path: world.path)
                try client.send("POST", "/api/reload")
                try world.agent.reloads.wait(for: isRude ? 2 : 1, within: .seconds(20), what: "a reload")
                isRude ? client.reset() : client.close()
            }
            gate.open()
            #expect(try HTTPConnection(path: world.path).exchange("GET", "/api/status").status == 200)
        }
    }

    @Test func whatIsUnderWayIsAnsweredWhenItStops() async throws {
        let gate = Gate()
        let world = try await AdminWorld(.init(reloadGate: gate))
        let client = try HTTPConnection(path: world.path)
        try client.send("POST", "/api/reload")
        try await onThread { try world.agent.reloads.wait(for: 1, within: .seconds(20), what: "a reload") }
        world.local.stop()
        await world.local.untilClosed()
        #expect(throws: TestFailure.self) { try StreamSocket(path: world.path) }
        async let answer = onThread { try client.readResponse() }
        gate.open()
        let whole = try await answer
        #expect(whole.status == 200 && whole.head["Connection"] == "close")
        client.close()
        try await world.stop()
    }

    @Test func whoIsNotAdmittedIsClosed() async throws {
        let world = try await AdminWorld()
        let path = world.folder.path(of: "closed.sock")
        let server = try await AdminServer.start(
            on: try listeningSocket(at: path), group: MultiThreadedEventLoopGroup.singleton,
            access: .localUser, control: world.agent,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, admits: { _ in false })
        let end = try await onThread { try HTTPConnection(path: path).waitForEnd() }
        #expect(end != .timedOut)
        server.stop()
        try await world.stop()
    }
}

/// Something with an identity.
private final class AsNumber {}
