import AgentStatus
import Foundation

@testable import Observability

/// Measures of agents that never ran.
enum MetricsWorld {
    static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    static func text(of path: String) throws -> String {
        try String(contentsOf: repository.appending(path: path), encoding: .utf8)
    }

    /// One in which every family of the catalogue has a sample.
    static var full: MetricsPage {
        var agent = AgentMeasures(version: "1.2", phase: .running, generation: 3)
        agent.reloads = [.applied: 2, .refused: 1]
        agent.lastReload = ReloadSnapshot(
            trigger: "api", finishedAt: 1_700_000_000, durationMilliseconds: 1, outcome: .refused,
            generation: 3)
        agent.loadStage = 1
        agent.loads = [.init(resource: "memory", used: 900, limit: 1000)]
        (agent.receiveBufferUsed, agent.receiveBufferLimit, agent.spilledBytes) = (5, 128, 7)
        agent.linesDropped = [("log", 4)]
        agent.loops = [.init(cpu: 1_500_000, delay: 25), .init(cpu: nil, delay: 250_000)]
        agent.process.residentBytes = 20_000_000
        (agent.process.openFiles, agent.process.mostFiles) = (12, 1024)
        (agent.process.cpu, agent.process.startedAt) = (2_000_001, 1_700_000_000_120)
        agent.certificates = [
            .init(server: nil, use: "admin", expiry: 1_700_000_500),
            .init(server: "public", use: "tls", expiry: 1_800_000_000),
        ]
        agent.paused = [
            PauseSnapshot(.tunnel, "a", since: 1, by: "user 0"),
            PauseSnapshot(.tunnel, "b", since: 1, by: "user 0"),
        ]
        agent.blockedTokens = 3
        agent.webhooks = [
            WebhookSnapshot(
                name: "pager", address: "https://hooks.example.com:443", waiting: 4, delivered: 70,
                failures: 9, deadLetters: 2)
        ]
        agent.tracing = TracingSnapshot(
            collector: "http://127.0.0.1:4318", spans: 400, limited: 6, dropped: 5, fault: fault)
        agent.history.file = "/var/lib/history.db"
        (agent.history.bytes, agent.history.lost, agent.history.fault) = (8192, 11, "there is no more room")
        agent.notListening = ["broken"]
        return MetricsPage(agent, servers: [server("public"), server("broken")], tunnels: [tunnel("web")])
    }

    static let fault = FaultSnapshot(code: .refused, message: "refused", at: 1, count: 1, since: 1)

    static func server(_ name: String) -> ServerMeasures {
        var server = ServerMeasures(name: name)
        server.requests.began = 5
        server.requests.ended(status: 200, .ok)
        server.requests.ended(status: nil, .callerLeft)
        var timing = RequestTiming(whole: 40_000_000)
        timing.queue = 0
        timing.split(61_000_000_000, originMicroseconds: 0)
        server.requests.took(timing)
        server.handshakeFailures = [.unauthorized: 2, .stopping: 0]
        server.sessionEnds = [.peerSilent: 1]
        server.refusals = [.queueFull: 3]
        server.limitsReached = ["per-address.requests": 9]
        return server
    }

    static func tunnel(_ name: String) -> TunnelMeasures {
        var tunnel = TunnelMeasures(name: name)
        tunnel.requests.began = 1_234_567
        tunnel.requests.statusClasses[2] = 1_234_000
        tunnel.requests.statusClasses[5] = 567
        tunnel.requests.originMicroseconds = 98_765_432_100
        tunnel.requests.originAnswers = 1_234_567
        (tunnel.requests.requestBytes, tunnel.requests.responseBytes) = (123_456_789, 98_765_432_101)
        (tunnel.sessions, tunnel.wanted) = (2, 2)
        tunnel.roundTrip.record(microseconds: 12_000)
        tunnel.dialFailures = [.unreachable: 2]
        tunnel.sessionEnds = [.connectionLost: 1]
        tunnel.originErrors = [.refused: 5]
        return tunnel
    }

    static func text(_ page: MetricsPage, as format: MetricsFormat = .prometheus) -> String {
        String(decoding: page.bytes(as: format), as: UTF8.self)
    }
}
