import BenchmarkReport

/// Small and middle answers: how many a second, how late, and what they cost.
enum Requests: Scenario {
    static let name = "requests"
    static let summary = "requests per second, latency and CPU, 1 to 256 connections, 1 to 100 KiB"
    static let sides = ["ours", "nginx", "ssh"]

    static func run(_ bench: Bench) throws {
        let ways =
            [try Way.ours(bench), try Way.nginx(bench, for: .requests)]
            + [Way.secureShell(bench)].compactMap(\.self)
        measure(ways, bench)
        bench.recordPeakMemory(of: ways)
    }

    private struct Load {
        let connections: Int
        let path: String
        let size: String
    }

    private static let loads = [
        Load(connections: 1, path: "/1k", size: "1 KiB"),
        Load(connections: 32, path: "/1k", size: "1 KiB"),
        Load(connections: 256, path: "/1k", size: "1 KiB"),
        Load(connections: 32, path: "/16k", size: "16 KiB"),
        Load(connections: 32, path: "/100k", size: "100 KiB"),
    ]

    /// Measures requests over each of the ways.
    static func measure(_ ways: [Way], _ bench: Bench) {
        // What is allocated and opened once is not what is measured.
        for way in ways { _ = try? Wrk(way.files, connections: 256, seconds: 1).run() }
        for load in loads {
            bench.interleave(ways) { way in
                let before = try way.processorSeconds()
                let result = try Wrk(
                    way.files, path: load.path, connections: load.connections,
                    seconds: bench.settings.seconds
                ).run()
                let after = try way.processorSeconds()
                let connections = load.connections == 1 ? "1 connection" : "\(load.connections) connections"
                let what = "\(connections), \(load.size)"
                bench.record(result.requestsPerSecond, "requests/s, \(what)", "1/s", side: way.name)
                bench.record(result.median, "p50, \(what)", "ms", side: way.name)
                bench.record(result.percentile99, "p99, \(what)", "ms", side: way.name)
                bench.recordProcessorTime(
                    from: before, to: after, over: Double(result.requests), "CPU per request, \(what)",
                    "µs", side: way.name)
            }
        }
    }
}

extension Bench {
    /// Records the processor time of one unit of work: of all processes, and of each role.
    func recordProcessorTime(
        from before: [String: Double], to after: [String: Double], over work: Double, _ what: String,
        _ unit: String, side: String
    ) {
        guard work > 0 else { return }
        let spent = after.map { ($0.key, ($0.value - before[$0.key, default: 0]) / work * 1e6) }
        record(spent.reduce(0) { $0 + $1.1 }, what, unit, side: side)
        for (role, time) in spent.sorted(by: { $0.0 > $1.0 }) {
            record(time, "  of it \(role): \(what)", unit, side: side)
        }
    }
}
