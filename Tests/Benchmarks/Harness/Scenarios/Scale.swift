import BenchmarkReport
import Foundation
import TestSupport

/// Many tunnels that come at once.
enum Scale: Scenario {
    static let name = "scale"
    static let summary =
        "what callers meet while 5,000 tunnels join, and when 10,000 come back after a restart"
    static let sides = ["ours"]

    static func run(_ bench: Bench) throws {
        // Thousands of tunnels hardly differ from run to run, and take their time.
        for _ in 0..<min(bench.settings.runs, 3) {
            try joining(bench)
            try restart(bench)
        }
    }

    private static func tokens(_ count: Int) -> [String] {
        (0..<count).map { "benchmark-token-of-scale-\($0)" }
    }

    private static func joining(_ bench: Bench) throws {
        let server = try TunnelServer(bench, as: "joining")
        let steady = "benchmark-token-of-steady"
        let client = try bench.agent(
            at: bench.clientConfiguration("steady-client", to: server.port, tokens: [steady]))
        try server.waitForTunnels(1)

        let alone = Callers(port: server.port, tokens: [steady])
        // The time passes because it is what is measured.
        Thread.sleep(forTimeInterval: TimeInterval(bench.settings.seconds))
        try record(alone, "without others", bench)

        let count = min(5000, Limits.openFiles - 500)
        let configuration = try bench.clientConfiguration(
            "joining-client", to: server.port, tokens: tokens(count))
        let callers = Callers(port: server.port, tokens: [steady])
        let start = ContinuousClock.now
        let others = try bench.agent(at: configuration)
        try server.waitForTunnels(count + 1)
        let seconds = start.duration(to: .now) / .seconds(1)
        try record(callers, "while \(Number.thousands(count)) tunnels join", bench)
        bench.record(Double(count) / seconds, "tunnels that join in a second", "1/s", side: "ours")
        withExtendedLifetime((client, others)) {}
    }

    private static func record(_ callers: Callers, _ when: String, _ bench: Bench) throws {
        let result = try callers.stop()
        if let fault = result.faults.first { throw TestFailure("\(result.faults.count) requests: \(fault)") }
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            guard let value = Statistics.percentile(share, of: result.milliseconds) else { continue }
            bench.record(value, "\(name) \(when)", "ms", side: "ours")
        }
    }

    /// The server's socket is held for it, as service managers do: callers wait instead of being turned away.
    private static func restart(_ bench: Bench) throws {
        let count = min(10_000, Limits.openFiles - 500)
        let tokens = tokens(count)
        let socket = try HeldSocket(backlog: 4096)
        let first = try TunnelServer(bench, as: "restart", on: socket)
        let client = try bench.agent(
            at: bench.clientConfiguration("restart-client", to: socket.port, tokens: tokens))
        try first.waitForTunnels(count)

        first.running.stop()
        let callers = Callers(port: socket.port, tokens: tokens)
        let start = ContinuousClock.now
        let second = try TunnelServer(bench, as: "restart", on: socket)
        try second.waitForTunnels(count)
        let seconds = start.duration(to: .now) / .seconds(1)
        let result = try callers.stop()
        let tunnels = "\(Number.thousands(count)) tunnels"
        bench.record(seconds, "until \(tunnels) are back after a restart", "s", side: "ours")
        bench.record(Double(result.faults.count), "errors after a restart", "", side: "ours")
        bench.record(Double(result.milliseconds.count), "good answers after a restart", "", side: "ours")
        if let longest = result.milliseconds.max() {
            bench.record(longest / 1000, "longest wait after a restart", "s", side: "ours")
        }
        if let fault = result.faults.first { bench.note("after a restart: \(fault)") }
        withExtendedLifetime(client) {}
    }
}
