import Foundation
import TestSupport
import Testing

/// What tunnels cost that nobody uses.
@Suite struct IdleTunnelTests {
    private static let tunnels = 400
    private static let fewTunnels = 20

    @Test(.timeLimit(.minutes(1))) func anIdleTunnelCostsSomeKilobytesAtEachEnd() throws {
        let server = try AgentProcess(configuration: Configuration.server())
        let url = "ws://127.0.0.1:\(try server.port(ofServer: "public"))"
        let clients = try (0..<2).map { which in
            // The first pays for what is made once.
            let count = which == 0 ? Self.fewTunnels : Self.tunnels
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
        // 10 KiB, and 9 with the optimised program; 20 where the machine is so busy that dials fail first.
        #expect(each < 24 << 10, "\(each) bytes")
        let sizes = try clients.map { try $0.0.process.residentBytes() }
        let ofClient = (sizes[1] - sizes[0]) / (Self.tunnels - Self.fewTunnels)
        // 20 to 26 KiB, and 18 with the optimised program; 38 where dials fail first.
        #expect(ofClient < 48 << 10, "\(ofClient) bytes")
        for (client, _) in clients { #expect(client.process.exit == nil) }
    }
}
