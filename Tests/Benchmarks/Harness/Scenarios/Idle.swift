import BenchmarkReport
import Foundation
import TestSupport

/// What tunnels cost that nobody uses.
enum Idle: Scenario {
    static let name = "idle"
    static let summary = "memory and CPU of server and client with 1,000 and 10,000 idle tunnels"
    static let sides = ["ours"]

    static func run(_ bench: Bench) throws {
        for count in [1000, 10_000] {
            // Each end needs a socket for each tunnel, and some files besides.
            let possible = min(count, Limits.openFiles - 500)
            if possible < count { bench.note("\(possible) tunnels, as no more files may be open") }
            // Memory hardly differs from run to run, and ten thousand tunnels take their time.
            for _ in 0..<min(bench.settings.runs, 3) { try measure(possible, bench) }
        }
    }

    /// - Parameter transport: of the tunnels, by its name in the configuration.
    static func measure(_ count: Int, by transport: String = "websocket", _ bench: Bench) throws {
        let server = try TunnelServer(bench, as: "idle")
        try server.waitForTunnels(0)
        let empty = try server.running.bytes("VmRSS")
        let tokens = (0..<count).map { "benchmark-token-of-idle-\($0)" }
        let configuration = try bench.clientConfiguration(
            "idle-client", to: server.port, tokens: tokens, options: "connections: 1, transport: \(transport)"
        )
        let start = ContinuousClock.now
        let client = try bench.agent(at: configuration)
        try server.waitForTunnels(count)
        let seconds = start.duration(to: .now) / .seconds(1)

        let tunnels =
            "\(Number.thousands(count)) \(transport == "websocket" ? "" : "\(transport) ")tunnels"
        bench.record(seconds, "until all of \(tunnels) are up", "s", side: "ours")
        let before = try processorSeconds(server.running, client)
        let span: TimeInterval = bench.settings.isQuick ? 5 : 15
        // The time passes because it is what is measured.
        Thread.sleep(forTimeInterval: span)
        let after = try processorSeconds(server.running, client)
        for (index, role) in ["server", "client"].enumerated() {
            let share = (after[index] - before[index]) / span * 100
            bench.record(share, "CPU, \(role), \(tunnels)", "%", side: "ours")
        }
        let full = try server.running.bytes("VmRSS")
        bench.record(full / 1e6, "memory, server, \(tunnels)", "MB", side: "ours")
        bench.record(try client.bytes("VmRSS") / 1e6, "memory, client, \(tunnels)", "MB", side: "ours")
        bench.record(
            (full - empty) / Double(count) / 1024, "server memory for each of \(tunnels)", "KiB", side: "ours"
        )
        bench.record(
            try client.bytes("VmRSS") / Double(count) / 1024, "client memory for each of \(tunnels)", "KiB",
            side: "ours")
        bench.record(
            try server.running.bytes("VmHWM") / 1e6, "peak memory, server, \(tunnels)", "MB", side: "ours")
        bench.record(try client.bytes("VmHWM") / 1e6, "peak memory, client, \(tunnels)", "MB", side: "ours")
    }

    private static func processorSeconds(_ programs: Running...) throws -> [Double] {
        try programs.map { try ProcessFile.processorSeconds(of: $0.processIDs) }
    }
}
