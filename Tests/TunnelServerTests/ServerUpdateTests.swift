import AgentStatus
import HTTPMessage
import HostSystem
import NIOCore
import Observability
import TestSupport
import Testing
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

@testable import TunnelServer

/// Settings that change while a server runs.
@Suite(.timeLimit(.minutes(1))) struct ServerUpdateTests {
    private static let long = Duration.seconds(600)

    private static func configuration(_ passwords: [String]? = nil, onlyListed: Bool = false)
        -> ServerConfiguration
    {
        ServerWorld.configuration {
            if let passwords { $0.trust.passwords = [TestTokens.first: Set(passwords.map { Secret($0) })] }
            $0.trust.onlyListedTokens = onlyListed
        }
    }

    @Test func aRequestInFlightKeepsItsTimeout() async throws {
        try await ServerWorld.run { world in
            let (server, socket) = try await world.startServer()
            let tunnel = try await world.connect(TestTokens.first, to: server)
            let early = try await onThread {
                let caller = try HTTPConnection(port: socket.port)
                try caller.send("GET", "/hold", fields: TestTokens.firstField)
                try tunnel.held.wait(for: 1, within: .seconds(20), what: "the first request")
                return caller
            }
            server.update(
                ServerWorld.configuration { $0.times.stall = .milliseconds(100) }, grace: Self.long)
            try await onThread {
                let late = try HTTPConnection(port: socket.port)
                // Its time is up long after that of the early one would have been.
                #expect(try late.exchange("GET", "/hold", fields: TestTokens.firstField).status == 504)
                #expect(try late.exchange("GET", "/hold", fields: TestTokens.firstField).status == 504)
                tunnel.answerHeld()
                #expect(try early.readResponse().text == "held")
            }
        }
    }

    @Test func aRequestInFlightIsNotGivenALongerTimeoutEither() async throws {
        try await ServerWorld.run { world in
            let (server, socket) = try await world.startServer(
                ServerWorld.configuration { $0.times.stall = .seconds(1) })
            let tunnel = try await world.connect(TestTokens.first, to: server)
            let caller = try await onThread {
                let caller = try HTTPConnection(port: socket.port)
                try caller.send("GET", "/hold", fields: TestTokens.firstField)
                try tunnel.held.wait(for: 1, within: .seconds(20), what: "the request")
                return caller
            }
            server.update(ServerWorld.configuration { $0.times.stall = Self.long }, grace: Self.long)
            let answer = try await onThread { try caller.readResponse() }
            #expect(answer.status == 504)
        }
    }

    @Test func theBasePathChangesBetweenTwoRequestsOfAConnection() async throws {
        try await ServerWorld.run { world in
            let (server, socket) = try await world.startServer(
                ServerWorld.configuration { $0.routes.basePath = "/a" })
            let caller = try await onThread {
                let caller = try HTTPConnection(port: socket.port)
                #expect(try caller.exchange("GET", "/a/_health_check").status == 200)
                #expect(try caller.exchange("GET", "/b/_health_check").status == 404)
                return caller
            }
            server.update(ServerWorld.configuration { $0.routes.basePath = "/b" }, grace: Self.long)
            try await onThread { () throws in
                #expect(try caller.exchange("GET", "/a/_health_check").status == 404)
                #expect(try caller.exchange("GET", "/b/_health_check").status == 200)
            }
        }
    }

    @Test func aSessionWhosePasswordWentFinishesWhatItCarries() async throws {
        try await ServerWorld.run { world in
            let (server, socket) = try await world.startServer(Self.configuration(["old"]))
            let tunnel = try await world.connect(TestTokens.first, password: "old", to: server)
            let caller = try await onThread {
                let caller = try HTTPConnection(port: socket.port)
                try caller.send("GET", "/hold", fields: TestTokens.firstField)
                try tunnel.held.wait(for: 1, within: .seconds(20), what: "the request")
                return caller
            }
            server.update(Self.configuration(["new"]), grace: Self.long)
            let next = try await world.connect(TestTokens.first, password: "new", to: server)
            try await onThread {
                try tunnel.drained.wait()
                // New requests go to the new session alone.
                for _ in 0..<10 {
                    let other = try HTTPConnection(port: socket.port)
                    #expect(try other.exchange("GET", "/x", fields: TestTokens.firstField).text == "/x")
                }
                tunnel.answerHeld()
                #expect(try caller.readResponse().text == "held")
                try tunnel.ended.wait()
            }
            #expect(throws: TestFailure.self) { try next.ended.wait(within: .zero) }
            await #expect(throws: DialError.self) {
                try await world.connect(TestTokens.first, password: "old", to: server)
            }
            #expect(server.snapshot.lastFault?.code == "unauthorized")
        }
    }

    @Test func aSessionWhosePasswordWentIsClosedAfterTheGrace() async throws {
        try await ServerWorld.run { world in
            let (server, socket) = try await world.startServer(Self.configuration(["old"]))
            let tunnel = try await world.connect(TestTokens.first, password: "old", to: server)
            let caller = try await onThread {
                let caller = try HTTPConnection(port: socket.port)
                try caller.send("GET", "/hold", fields: TestTokens.firstField)
                try tunnel.held.wait(for: 1, within: .seconds(20), what: "the request")
                return caller
            }
            let begun = ContinuousClock.now
            server.update(Self.configuration(["new"]), grace: .milliseconds(300))
            try await onThread {
                try tunnel.ended.wait()
                #expect(ContinuousClock.now - begun >= .milliseconds(300))
                #expect(try caller.readResponse().status == 502)
            }
        }
    }

    @Test func bothPasswordsAreGoodWhileTheyChange() async throws {
        try await ServerWorld.run { world in
            let (server, _) = try await world.startServer(Self.configuration(["old"]))
            let old = try await world.connect(TestTokens.first, password: "old", to: server)
            server.update(Self.configuration(["old", "new"]), grace: .zero)
            let new = try await world.connect(TestTokens.first, password: "new", to: server)
            let again = try await world.connect(TestTokens.first, password: "old", to: server)
            #expect(server.snapshot.sessions == 3)
            server.update(Self.configuration(["new"]), grace: Self.long)
            try await onThread {
                try old.ended.wait()
                try again.ended.wait()
            }
            #expect(throws: TestFailure.self) { try new.drained.wait(within: .zero) }
        }
    }

    @Test func sessionsOfTokensThatAreNotListedLeaveWhenOnlyListedOnesMayStay() async throws {
        try await ServerWorld.run { world in
            let (server, socket) = try await world.startServer(Self.configuration(["good"]))
            let listed = try await world.connect(TestTokens.first, password: "good", to: server)
            let other = try await world.connect(TestTokens.second, to: server)
            server.update(Self.configuration(["good"], onlyListed: true), grace: Self.long)
            try await onThread { try other.ended.wait() }
            await #expect(throws: DialError.self) {
                try await world.connect(TestTokens.second, to: server)
            }
            #expect(throws: TestFailure.self) { try listed.drained.wait(within: .zero) }
            try await onThread {
                let caller = try HTTPConnection(port: socket.port)
                #expect(try caller.exchange("GET", "/x", fields: TestTokens.firstField).text == "/x")
            }
        }
    }

    /// A token that gets a password: who brought that one already may stay.
    @Test func aSessionStaysWhenItsTokenGetsThePasswordThatItBrought() async throws {
        try await ServerWorld.run { world in
            let (server, _) = try await world.startServer()
            let bringing = try await world.connect(TestTokens.first, password: "p", to: server)
            let without = try await world.connect(TestTokens.first, to: server)
            server.update(Self.configuration(["p"]), grace: Self.long)
            try await onThread { try without.ended.wait() }
            #expect(throws: TestFailure.self) { try bringing.drained.wait(within: .zero) }
        }
    }

    @Test func fewerClientsPerTokenSendNobodyAway() async throws {
        try await ServerWorld.run { world in
            let (server, _) = try await world.startServer()
            let one = try await world.connect(TestTokens.first, to: server)
            let two = try await world.connect(TestTokens.first, to: server)
            server.update(ServerWorld.configuration { $0.limits.clientsPerToken = 1 }, grace: .zero)
            await #expect(throws: DialError.self) {
                try await world.connect(TestTokens.first, to: server)
            }
            #expect(server.snapshot.sessions == 2)
            for tunnel in [one, two] {
                #expect(throws: TestFailure.self) { try tunnel.drained.wait(within: .zero) }
            }
        }
    }

    @Test func aLiveSessionGoesOnWithTheNewKeepaliveTimeout() async throws {
        try await ServerWorld.run { world in
            let (server, _) = try await world.startServer(
                ServerWorld.configuration { $0.times.keepalive = .seconds(600) })
            let tunnel = try await world.connect(TestTokens.first, to: server)
            let begun = ContinuousClock.now
            server.update(ServerWorld.configuration { $0.times.keepalive = .seconds(3) }, grace: .zero)
            // Its loop says nothing any more, as a peer that is dead.
            let mayGoOn = Gate()
            tunnel.eventLoop?.execute { try? mayGoOn.wait() }
            // Nothing announces it: it is looked at again and again, without keeping a core busy.
            while server.snapshot.sessions > 0 { try await Task.sleep(for: .milliseconds(5)) }
            #expect(ContinuousClock.now - begun >= .seconds(2))
            mayGoOn.open()
        }
    }

    @Test func aListedHostNeedsNoToken() async throws {
        try await ServerWorld.run { world in
            let (server, socket) = try await world.startServer()
            _ = try await world.connect(TestTokens.first, to: server)
            let caller = try await onThread {
                let caller = try HTTPConnection(port: socket.port)
                #expect(try caller.exchange("GET", "/x").status == 400)
                return caller
            }
            server.update(
                ServerWorld.configuration {
                    $0.routes.hosts = [PublicName(host: .exact("caller.test")): TestTokens.first]
                },
                grace: .zero)
            let answer = try await onThread { try caller.exchange("GET", "/x") }
            #expect(answer.text == "/x")
        }
    }

    @Test func theSnapshotTellsWhatIsThereAndWhatWasCarried() async throws {
        try await ServerWorld.run { world in
            let (server, socket) = try await world.startServer()
            let tunnel = try await world.connect(TestTokens.first, to: server)
            let caller = try await onThread {
                let caller = try HTTPConnection(port: socket.port)
                // The tunnel answers the head alone: in one piece, so that the answer cannot be before the body.
                let request = """
                    POST /12345 HTTP/1.1\r
                    Host: caller.test\r
                    X-Token: \(TestTokens.first.secret)\r
                    Content-Length: 1000\r
                    \r

                    """
                try caller.send(Array(request.utf8) + [UInt8](repeating: 1, count: 1000))
                #expect(try caller.readResponse(toMethod: "POST").text == "/12345")
                try caller.send("GET", "/hold", fields: TestTokens.firstField)
                try tunnel.held.wait(for: 1, within: .seconds(20), what: "the request")
                return caller
            }
            let measures = await server.measures()
            #expect(measures.inFlight == 1 && measures.callers == 1 && measures.sessions == 1)
            let snapshot = server.snapshot
            #expect(snapshot.name == "test" && snapshot.state == .listening)
            #expect(snapshot.address == "127.0.0.1:\(socket.port)")
            #expect(snapshot.tunnels == 1 && snapshot.sessions == 1 && snapshot.callers == 1)
            #expect(snapshot.waiting == 0 && snapshot.lastFault == nil)
            #expect(
                snapshot.traffic
                    == TrafficSnapshot(requests: 2, requestBytes: 1000, responseBytes: 6, failedRequests: 0))
            caller.close()
        }
    }
}
