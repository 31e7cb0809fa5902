import Foundation
import TestSupport
import Testing

/// What tunnels cost that nobody uses.
@Suite struct IdleTunnelTests {
    private static let tunnels = 400

    @Test(.timeLimit(.minutes(1))) func anIdleTunnelCostsTheServerSomeKilobytes() throws {
        let server = try AgentProcess(configuration: Configuration.server())
        let url = "ws://127.0.0.1:\(try server.port(ofServer: "public"))"
        let clients = try (0..<2).map { which in
            // The first pays for what is made once.
            let count = which == 0 ? 20 : Self.tunnels
            let before = try server.process.residentBytes()
            let start = server.log.count
            let entries = (0..<count).map { number in
                Configuration.entry(
                    name: "t\(number)", tunnel: url, to: nil, token: "idle-token-\(which)-\(10_000 + number)",
                    options: ["regexp: '.*'", "connections: 1"])
            }
            let client = try AgentProcess(configuration: "version: 1\ntunnels:\n" + entries.joined())
            try server.process.standardError.waitForLines(count, containing: "Session joined", from: start)
            return (client, before)
        }
        let each = (try server.process.residentBytes() - clients[1].1) / Self.tunnels
        // 7 KiB with the optimised program.
        #expect(each < 24 << 10, "\(each) bytes")
        for (client, _) in clients { #expect(client.process.exit == nil) }
    }
}
