import AgentStatus
import Foundation
import Observability
import TestSupport
import Testing
import TunnelConfiguration

@testable import AdminAPI

/// The same API over HTTP/2, as curl speaks it.
@Suite(.timeLimit(.minutes(1))) struct AdminHTTP2Tests {
    private static let authorization = "Authorization: Bearer \(AdminWorld.token)"

    private static func tunnels(_ count: Int) -> [TunnelSnapshot] {
        (0..<count).map { (number: Int) -> TunnelSnapshot in
            let connection = ConnectionSnapshot(
                id: UInt64(number), protocolVersion: 2, since: 1, isDraining: false)
            let isUp = number % 10 != 0
            return TunnelSnapshot(
                name: "tunnel-\(1000 + number)", state: isUp ? .connected : .connecting,
                server: "wss://tunnels.example.com", tokenHint: "abcdefgh...", wanted: 1,
                connections: isUp ? [connection] : [])
        }
    }

    @Test func aLongAnswerAndOneWithoutAnEndComeByIt() async throws {
        let world = try await AdminWorld(.init(tunnels: Self.tunnels(3000)))
        let port = world.port
        let long = try await onThread {
            try curl(
                "--http2-prior-knowledge", "-H", Self.authorization, "http://127.0.0.1:\(port)/api/status")
        }
        #expect(long.status == 200)
        let status = try JSONDecoder().decode(AgentSnapshot.self, from: Data(long.standardOutput))
        #expect(status.tunnels.count == 500 && status.moreTunnels == 2500)
        world.agent.events.publish { _ in AgentEvent(.paused, tunnel: "web", message: "one") }
        let stream = try ChildProcess([
            "curl", "-q", "-sSN", "--noproxy", "*", "--http2-prior-knowledge", "-H", Self.authorization,
            "-H", "Last-Event-ID: 0", "http://127.0.0.1:\(port)/api/events",
        ])
        _ = try await onThread { try stream.standardOutput.waitForLine(containing: "event: paused") }
        world.agent.events.publish { _ in AgentEvent(.resumed, tunnel: "web", message: "two") }
        _ = try await onThread { try stream.standardOutput.waitForLine(containing: "event: resumed") }
        // A server that stops ends it in order.
        try await world.stop()
        let exit = try await onThread { try stream.waitForExit() }
        #expect(exit == .code(0))
    }

    @Test func aWrongTokenIsToldThere() async throws {
        try await AdminWorld().run { world in
            let answer = try curl(
                "--http2-prior-knowledge", "-H", "Authorization: Bearer x", "-D", "-",
                "http://127.0.0.1:\(world.port)/api/status")
            #expect(answer.status == 401 && answer.text.contains("www-authenticate: Bearer"))
        }
    }
}
