import Synchronization
import TestSupport
import Testing

/// Requests to a tunnel that is down wait for it, within limits.
@Suite struct QueueTests {
    private static let token = [("X-Token", TunnelPair.token)]

    /// A server whose only client was there and has left.
    private final class DeadTunnel: Sendable {
        let server: AgentProcess
        let port: Int
        private let origin: ScriptedOrigin
        private let probes: [HTTPConnection]

        init(_ serverOptions: [String]) throws {
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
            client.process.kill()
            try server.waitForLog("Session left")
        }

        private let targets: Targets
        /// What reached the origin, in its order.
        var servedTargets: [String] { targets.all }

        func startClient() throws -> AgentProcess {
            try AgentProcess(
                configuration: Configuration.client(
                    tunnel: "ws://127.0.0.1:\(port)", to: origin.url, options: ["connections: 1"]))
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

    @Test(.timeLimit(.minutes(1))) func waitingRequestsAreServedInOrderWhenTheTunnelReturns() throws {
        let tunnel = try DeadTunnel([])
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
        #expect(client.process.exit == nil)
    }

    @Test(.timeLimit(.minutes(1))) func oneRequestMoreThanMayWaitIsRefusedAtOnce() throws {
        let tunnel = try DeadTunnel(["max-requests-per-tunnel: 2", "queue-timeout: 60s"])
        let waiting = try (0..<2).map { try tunnel.ask("/\($0)") }
        let answer = try HTTPConnection(port: tunnel.port).exchange("GET", "/more", fields: Self.token)
        #expect(answer.status == 504)
        #expect(answer.text == "too many requests in-flight, tunnel broken?\n")
        #expect(answer.head["Retry-After"].flatMap { Int($0) } != nil)
        let client = try tunnel.startClient()
        for caller in waiting { #expect(try caller.readResponse().status == 200) }
        #expect(!tunnel.servedTargets.contains("/more"))
        #expect(client.process.exit == nil)
    }

    @Test(.timeLimit(.minutes(1))) func waitingEndsAfterTheQueueTimeout() throws {
        let tunnel = try DeadTunnel(["queue-timeout: 300ms"])
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

    @Test(.timeLimit(.minutes(1))) func whoLeavesWhileWaitingNeverReachesTheOrigin() throws {
        let tunnel = try DeadTunnel(["max-requests-per-tunnel: 3"])
        let callers = try (0..<3).map { try tunnel.ask("/\($0)") }
        callers[1].close()
        try tunnel.server.waitForLog("Request", ["path": "/1", "outcome": "caller-left"])
        // Its place is free again.
        let last = try tunnel.ask("/3")
        let client = try tunnel.startClient()
        for caller in [callers[0], callers[2], last] { #expect(try caller.readResponse().status == 200) }
        #expect(Set(tunnel.servedTargets) == ["/0", "/2", "/3"])
        #expect(client.process.exit == nil)
    }
}
