import Synchronization
import TestSupport
import Testing

/// Requests to a tunnel that is down wait for it, within limits, whichever program its client is.
@Suite struct QueueTests {
    typealias Program = Ends.Program

    private static let token = [("X-Token", TunnelPair.token)]

    /// A server whose only client was there and has left.
    private final class DeadTunnel: Sendable {
        private let program: Program
        let server: AgentProcess
        let port: Int
        private let origin: ScriptedOrigin
        private let probes: [HTTPConnection]

        init(_ program: Program, _ serverOptions: [String] = []) throws {
            self.program = program
            let targets = Targets()
            origin = try ScriptedOrigin { connection in
                while let request = try connection.readRequest() {
                    let body = try connection.readBody(of: request)
                    targets.add(request.target)
                    try connection.respond(body: Array(request.target.utf8) + body)
                }
            }
            self.targets = targets
            server = try AgentProcess(configuration: Configuration.server(serverOptions))
            let port = try server.port(ofServer: "public")
            self.port = port
            // Enough of them that each event loop of the server has one.
            probes = try (0..<4).map { _ in try HTTPConnection(port: port) }
            let client = try startClient()
            try server.waitForSessions(1)
            client.kill()
            try server.waitForLog("Session left")
        }

        private let targets: Targets
        /// What reached the origin, in its order.
        var servedTargets: [String] { targets.all }

        func startClient() throws -> MixedClient {
            try MixedClient(program, port: port, to: origin.port, token: TunnelPair.token)
        }

        /// Sends a request and returns when the server has taken it: each of its event loops has answered
        /// something that came later.
        func ask(_ target: String, body: [UInt8]? = nil) throws -> HTTPConnection {
            let caller = try HTTPConnection(port: port)
            #expect(try caller.exchange("GET", "/_health_check").status == 200)
            try caller.send(body == nil ? "GET" : "POST", target, fields: QueueTests.token, body: body)
            for probe in probes { #expect(try probe.exchange("GET", "/_health_check").status == 200) }
            return caller
        }
    }

    private final class Targets: Sendable {
        private let targets = Mutex<[String]>([])
        var all: [String] { targets.withLock { $0 } }
        func add(_ target: String) { targets.withLock { $0.append(target) } }
    }

    @Test(.timeLimit(.minutes(1)), arguments: Program.allCases)
    func waitingRequestsAreServedInOrderWhenTheTunnelReturns(program: Program) throws {
        let tunnel = try DeadTunnel(program)
        let body = SplitMix64(seed: 19).sequence(300_000)
        let callers = try (0..<10).map { number in
            try tunnel.ask("/\(number)", body: number == 4 ? body : nil)
        }
        #expect(tunnel.servedTargets.isEmpty)
        let client = try tunnel.startClient()
        for (number, caller) in callers.enumerated() {
            let answer = try caller.readResponse()
            #expect(answer.status == 200)
            #expect(answer.body == Array("/\(number)".utf8) + (number == 4 ? body : []))
        }
        // Heads cross in order; the origin's side may open connections at once, so only the set is certain.
        #expect(Set(tunnel.servedTargets) == Set((0..<10).map { "/\($0)" }))
        #expect(tunnel.servedTargets.count == 10)
        client.expectLife()
    }

    @Test(.timeLimit(.minutes(1)), arguments: Program.allCases)
    func oneRequestMoreThanMayWaitIsRefusedAtOnce(program: Program) throws {
        let tunnel = try DeadTunnel(program, ["max-requests-per-tunnel: 2", "queue-timeout: 60s"])
        let waiting = try (0..<2).map { try tunnel.ask("/\($0)") }
        let answer = try HTTPConnection(port: tunnel.port).exchange("GET", "/more", fields: Self.token)
        #expect(answer.status == 504)
        #expect(
            answer.text
                == "too many requests in-flight, tunnel broken? (limit: max-requests-per-tunnel)\n")
        #expect(answer.head["Retry-After"].flatMap { Int($0) } != nil)
        let client = try tunnel.startClient()
        for caller in waiting { #expect(try caller.readResponse().status == 200) }
        #expect(!tunnel.servedTargets.contains("/more"))
        client.expectLife()
    }

    @Test(.timeLimit(.minutes(1)), arguments: Program.allCases)
    func waitingEndsAfterTheQueueTimeout(program: Program) throws {
        let tunnel = try DeadTunnel(program, ["queue-timeout: 300ms"])
        let caller = try HTTPConnection(port: tunnel.port)
        let time = try ContinuousClock().measure {
            let answer = try caller.exchange("GET", "/", fields: Self.token)
            #expect(answer.status == 504)
            #expect(answer.text == "Tunnel timeout\n")
            #expect(answer.head["Retry-After"].flatMap { Int($0) } != nil)
        }
        #expect(time >= .milliseconds(300))
        // A body that nobody wanted must not be taken for the next request.
        try caller.send("POST", "/late", fields: Self.token + [("Content-Length", "1000")])
        #expect(try caller.readResponse().status == 504)
        #expect(caller.waitForEnd() == .closed)
        #expect(tunnel.servedTargets.isEmpty)
    }

    @Test(.timeLimit(.minutes(1)), arguments: Program.allCases)
    func whoLeavesWhileWaitingNeverReachesTheOrigin(program: Program) throws {
        let tunnel = try DeadTunnel(program, ["max-requests-per-tunnel: 3"])
        let callers = try (0..<3).map { try tunnel.ask("/\($0)") }
        callers[1].close()
        try tunnel.server.waitForLog("Request", ["path": "/1", "outcome": "caller-left"])
        // Its place is free again.
        let last = try tunnel.ask("/3")
        let client = try tunnel.startClient()
        for caller in [callers[0], callers[2], last] { #expect(try caller.readResponse().status == 200) }
        #expect(Set(tunnel.servedTargets) == ["/0", "/2", "/3"])
        client.expectLife()
    }

    @Test(.timeLimit(.minutes(1)), arguments: Program.allCases)
    func theTwentyFirstThatWaitsIsRefusedAtOnce(program: Program) throws {
        // An answer that waited for this would come after the caller has given up.
        let tunnel = try DeadTunnel(program, ["queue-timeout: 10m"])
        let callers = try (0..<20).map { try tunnel.ask("/\($0)") }
        let answer = try HTTPConnection(port: tunnel.port).exchange("GET", "/more", fields: Self.token)
        #expect(answer.status == 504)
        let client = try tunnel.startClient()
        for (number, caller) in callers.enumerated() {
            #expect(try caller.readResponse().text == "/\(number)")
        }
        #expect(tunnel.servedTargets.count == 20)
        client.expectLife()
    }
}

/// A tunnel that is up carries any number at once, and what it carried when it breaks is not run again.
@Suite(.timeLimit(.minutes(1))) struct InFlightTests {
    @Test(arguments: Ends.ourServers)
    func aConnectedTunnelCarriesHundredsAtOnce(ends: Ends) throws {
        let everybodyIsThere = WaitableCounter()
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            everybodyIsThere.add(1)
            try everybodyIsThere.wait(for: 300, within: .seconds(30), what: "requests at the origin")
            try connection.respond(text: "together")
        }
        let tunnel = try MixedTunnel(ends, to: origin) { $0.maxWaiting = 1 }
        let answers = try inThreads(300) { _ in
            let caller = try HTTPConnection(port: tunnel.port, limit: .seconds(40))
            return try caller.exchange("GET", "/", fields: [("X-Token", MixedTunnel.token)]).text
        }
        #expect(answers == [String](repeating: "together", count: 300))
        #expect(tunnel.violations == [])
    }

    /// Answers nothing but `/after`, and counts what was asked.
    private final class SilentOrigin: Sendable {
        let origin: ScriptedOrigin
        let posts = WaitableCounter()

        init() throws {
            let posts = self.posts
            origin = try ScriptedOrigin { connection in
                while let request = try connection.readRequest() {
                    if request.method == "POST" { posts.add(1) }
                    _ = try connection.readBody(of: request)
                    guard request.target == "/after" else { return _ = connection.waitForEnd() }
                    try connection.respond(text: "after")
                }
            }
        }
    }

    @Test(arguments: Ends.ourServers)
    func whatIsInFlightWhenTheClientDiesIsAnsweredAtOnceAndNeverRunAgain(ends: Ends) throws {
        let silent = try SilentOrigin()
        let tunnel = try MixedTunnel(ends, to: silent.origin)
        let callers = try (0..<5).map { _ in
            let caller = try HTTPConnection(port: tunnel.port)
            try caller.send("POST", "/", fields: [("X-Token", MixedTunnel.token)], body: [1, 2, 3])
            return caller
        }
        try silent.posts.wait(for: 5, within: .seconds(20), what: "requests at the origin")
        try tunnel.reconnect {
            let start = ContinuousClock.now
            for caller in callers {
                let status = try caller.readResponse().status
                #expect(status == 502)
            }
            // The keepalive alone would take 20 s at least.
            #expect(.now - start < .seconds(8))
        }
        #expect(try tunnel.exchange("GET", "/after").text == "after")
        #expect(silent.posts.value == 5)
        #expect(tunnel.violations == [])
    }

    @Test(arguments: Ends.ourServers)
    func aPostThatWasHalfSentWhenTheClientDiedRunsOnceAtMost(ends: Ends) throws {
        let silent = try SilentOrigin()
        let tunnel = try MixedTunnel(ends, to: silent.origin) { $0.oldClient.toleratesCutRequests = true }
        let caller = try HTTPConnection(port: tunnel.port)
        let half = [UInt8](repeating: 1, count: 500_000)
        try caller.send(
            "POST", "/after", fields: [("X-Token", MixedTunnel.token), ("Content-Length", "1000000")])
        try caller.send(half)
        // The server has taken what came before: one loop answers its connections in turn.
        #expect(try tunnel.exchange("GET", "/after").text == "after")
        try tunnel.reconnect()
        let sending = Background { do { try caller.send(half) } catch is StreamEnd {} }
        // Whether it was begun or not: it is answered, by an error or, run once, by its answer.
        let answer = try caller.readResponse()
        #expect(answer.status == 502 || answer.text == "after", "\(answer.head)")
        try sending.value()
        #expect(try tunnel.exchange("GET", "/after").text == "after")
        #expect(silent.posts.value <= 1)
        #expect(tunnel.violations == [])
    }
}
