import Foundation
import TestSupport
import Testing

/// What sessions keep of a busy time, and give back where memory runs short.
@Suite struct IdleBufferTests {
    private static let tunnels = 40
    private static let sessions = 4

    private static func token(_ number: Int) -> String { "idle-buffer-test-\(1000 + number)" }

    @Test(.timeLimit(.minutes(3))) func sessionsThatAreIdleAgainGiveTheirBuffersBack() throws {
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        let entries = (0..<Self.tunnels).map { number in
            Configuration.entry(
                name: "t\(number)", tunnel: "ws://127.0.0.1:\(port)", to: "builtin:echo",
                token: Self.token(number), options: ["connections: \(Self.sessions)"])
        }
        func text(_ load: String) -> String {
            "version: 1\nload-shedding: \(load)\ntunnels:\n" + entries.joined()
        }
        let client = try ReloadedAgent(text("off"))
        try server.process.standardError.waitForLines(
            Self.tunnels * Self.sessions, containing: "Session joined")
        let before = try client.agent.process.residentBytes()
        let body = [UInt8](repeating: 65, count: 1 << 20)
        for number in 0..<Self.tunnels {
            let statuses = try inThreads(2 * Self.sessions) { _ in
                let caller = try HTTPConnection(port: port)
                defer { caller.close() }
                return try caller.exchange(
                    "POST", "/", fields: [("X-Token", Self.token(number))], body: body
                ).status
            }
            #expect(Set(statuses) == [200])
        }
        let busy = try client.agent.process.residentBytes()
        let start = client.agent.log.count
        #expect(try client.apply(text("{ memory: 1MiB }")) == .applied)
        try client.agent.waitForLog("Load shedding", ["load.stage": "3"], from: start)
        // 500 sessions went from 240 to 93 MiB, of which 51 were there before.
        let bound = busy - (busy - before) / 3
        // Nothing tells of it: it is asked again in a moment.
        while try client.agent.process.residentBytes() > bound { usleep(50_000) }
        #expect(try client.status().tunnels.allSatisfy { $0.connections.count == Self.sessions })
    }
}
