import Foundation
import TestSupport

/// How soon after its start a tunnel client carries a request.
enum Ready: Scenario {
    static let name = "ready"
    static let summary = "time from the start of a client's process until a request through it is answered"
    static let sides = ["ours"]

    static func run(_ bench: Bench) throws {
        let server = try TunnelServer(bench, as: "ready")
        let token = "benchmark-token-of-ready"
        let configuration = try bench.clientConfiguration("ready-client", to: server.port, tokens: [token])
        let entrance = Way.Entrance(port: server.port, fields: [(name: "X-Token", value: token)])
        try client(configuration, bench) { try waitUntilOpen(entrance) }
        for _ in 0..<(bench.settings.runs * 4) {
            // The server knows the token by now, so that the request waits for the client.
            let milliseconds = try client(configuration, bench) { try waitUntilOpen(entrance) }
            bench.record(milliseconds, "from the client's start to the first answer", "ms", side: "ours")
        }
    }

    /// Starts a client, and ends it when the body is done.
    ///
    /// - Returns: how many milliseconds the body took.
    @discardableResult
    private static func client(
        _ configuration: String, _ bench: Bench, _ body: () throws -> Void
    ) throws -> Double {
        let start = ContinuousClock.now
        let client = try bench.agent(at: configuration)
        try body()
        let time = start.duration(to: .now)
        client.stop()
        return time / .milliseconds(1)
    }
}
