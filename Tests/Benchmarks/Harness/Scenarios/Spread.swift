import BenchmarkReport
import TestSupport

/// Requests that go to another tunnel each time.
enum Spread: Scenario {
    static let name = "spread"
    static let summary = "requests per second spread over 1,000 tunnels, beside one tunnel"
    static let sides = ["1000 tunnels", "1 tunnel", "1 tunnel by default"]

    static func run(_ bench: Bench) throws {
        let counts = [1000, 1, 1]
        var ways: [Way] = []
        var scripts: [String: String] = [:]
        for (index, side) in sides.enumerated() {
            let server = try TunnelServer(bench, as: "spread-\(index)")
            let tokens = (0..<counts[index]).map { "benchmark-token-of-spread-\($0)" }
            let client = try bench.agent(
                at: try bench.clientConfiguration(
                    "spread-client-\(index)", to: server.port, tokens: tokens,
                    options: index < 2 ? "connections: 1" : ""))
            try server.waitForTunnels(tokens.count)
            let entrance = Way.Entrance(port: server.port)
            scripts[side] = try bench.folder.write(script(tokens), to: "spread-\(index).lua")
            ways.append(
                Way(
                    side,
                    members: [
                        Way.Member(role: "server", running: server.running),
                        Way.Member(role: "client", running: client),
                    ], files: entrance, sink: entrance, echo: entrance))
        }
        for connections in [32, 256] {
            bench.interleave(ways) { way in
                let before = try way.processorSeconds()
                let result = try Wrk(
                    way.files, connections: connections, seconds: bench.settings.seconds,
                    script: scripts[way.name]
                ).run()
                let after = try way.processorSeconds()
                let what = "\(connections) connections, 1 KiB"
                bench.record(result.requestsPerSecond, "requests/s, \(what)", "1/s", side: way.name)
                bench.record(result.percentile99, "p99, \(what)", "ms", side: way.name)
                bench.recordProcessorTime(
                    from: before, to: after, over: Double(result.requests), "CPU per request, \(what)", "µs",
                    side: way.name)
            }
        }
        bench.recordPeakMemory(of: ways)
    }

    /// Makes wrk take the tokens in turn. The requests are written beforehand: the load must not cost more than with
    /// one token.
    private static func script(_ tokens: [String]) -> String {
        """
        local tokens = { \(tokens.map { "\"\($0)\"" }.joined(separator: ", ")) }
        local requests = {}
        local last = 0
        function init(arguments)
          for index, token in ipairs(tokens) do
            requests[index] = wrk.format("GET", nil, { ["X-Token"] = token })
          end
        end
        function request()
          last = last % #requests + 1
          return requests[last]
        end

        """
    }
}
