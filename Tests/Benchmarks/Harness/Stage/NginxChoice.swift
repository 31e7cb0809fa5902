import BenchmarkReport

/// Finds the number of nginx's workers that makes the yardstick fastest here.
enum NginxChoice {
    static func fasterWorkers(_ bench: Bench) throws -> String {
        let candidates = ["1", "auto"]
        let ways = try candidates.map { try Way.nginx(bench, workers: $0) }
        var rates: [[Double]] = candidates.map { _ in [] }
        for _ in 0..<3 {
            for (index, way) in ways.enumerated() {
                rates[index].append(try Wrk(way.files, connections: 32, seconds: 1).run().requestsPerSecond)
            }
        }
        let medians = rates.map { Statistics($0)?.median ?? 0 }
        return medians[0] > medians[1] ? candidates[0] : candidates[1]
    }
}
