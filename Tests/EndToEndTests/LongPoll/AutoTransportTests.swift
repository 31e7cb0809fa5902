import TestSupport
import Testing

/// `transport: auto`: a tunnel runs where WebSockets do not, and goes back to them when they do.
@Suite struct AutoTransportTests {
    struct Obstacle: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let upgrades: RelayFaults.Upgrades
    }

    @Test(
        .timeLimit(.minutes(1)), .enabled(if: LongPoll.isPolled),
        arguments: [
            Obstacle(testDescription: "upgrades are swallowed", upgrades: .swallowed),
            Obstacle(testDescription: "upgrades are stripped", upgrades: .stripped),
            Obstacle(testDescription: "cut before the 101", upgrades: .cut(isAnswered: false)),
            Obstacle(testDescription: "cut behind the 101", upgrades: .cut(isAnswered: true)),
        ])
    func aTunnelPollsUntilWebSocketsPass(obstacle: Obstacle) throws {
        let served = WaitableCounter()
        let origin = try ScriptedOrigin(limit: .seconds(60)) { connection in
            while let request = try connection.readRequest() {
                try SteadyLoad.serve(request, connection)
                served.add(1)
            }
        }
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        let relay = try FaultyRelay(to: port, RelayFaults { $0.upgrades = obstacle.upgrades })

        let start = ContinuousClock.now
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(relay.port)", to: origin.url,
                options: ["connections: 1", "transport: auto", "websocket-retry: 1s"]))
        try server.waitForSessions(1)
        let answer = try HTTPConnection(port: port)
            .exchange("POST", "/", fields: [("X-Token", TunnelPair.token)], body: Array("hello".utf8))
        #expect(answer.status == 200 && answer.text == "hello", "\(answer.status) \(answer.text)")
        #expect(ContinuousClock.now - start < .seconds(5))

        let line = try Self.status(of: client).first { $0.contains("long polling") }
        #expect(line?.contains("WebSocket") == true, "why: \(line ?? "no such line")")

        let load = SteadyLoad(port: port, token: TunnelPair.token, [.short, .kept, .upload, .download])
        let tried = relay.counts.upgrades.value
        try relay.counts.upgrades.wait(for: tried + 2, within: .seconds(20), what: "more tries")
        relay.mend()
        try relay.counts.switched.wait(for: 1, within: .seconds(20), what: "a WebSocket")
        let isBack = try Self.asks(client) { !$0.contains { $0.contains("long polling") } }
        #expect(isBack, "the status still tells of long polling")
        // Over it, too.
        try served.wait(for: served.value + 100, within: .seconds(20), what: "requests")
        let (faults, counts) = try load.stop()
        #expect(faults.isEmpty)
        #expect(counts.count == 4 && counts.values.allSatisfy { $0 > 0 }, "\(counts)")
    }

    /// The lines of `wstunnel status`.
    private static func status(of agent: AgentProcess) throws -> [String] {
        let program = try wstunnel(["status", "--config", agent.configurationPath])
        try program.waitForExit()
        return program.standardOutput.lines
    }

    /// Asks for the status again and again until it is as it should be.
    private static func asks(_ agent: AgentProcess, until isRight: ([String]) -> Bool) throws -> Bool {
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            if isRight(try status(of: agent)) { return true }
        }
        return false
    }
}
