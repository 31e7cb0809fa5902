import BenchmarkReport
import TestSupport

/// More than the machine has: bodies without an end, readers that are slow, callers without number.
enum Overload: Scenario {
    static let name = "overload"
    static let summary =
        "small requests beside 256 downloads and 256 slow readers; up to 4,096 callers at once"
    static let sides = ["ours", "nginx"]

    static func run(_ bench: Bench) throws {
        try bodies(bench)
        try callers(bench)
    }

    private static func bodies(_ bench: Bench) throws {
        let ways = [try Way.ours(bench), try Way.nginx(bench, for: .mixed)]
        let what = "beside 256 downloads and 256 slow readers"
        bench.interleave(ways) { way in
            let slow = try SlowReaders(bench.origins.large, way.files, count: 256)
            let result = Result {
                try Mixed.once(way, downloads: 256, seconds: bench.settings.seconds, bench)
            }
            try slow.stop()
            let (small, large) = try result.get()
            bench.record(small.median, "p50 \(what)", "ms", side: way.name)
            bench.record(small.percentile99, "p99 \(what)", "ms", side: way.name)
            bench.record(small.requestsPerSecond, "requests/s \(what)", "1/s", side: way.name)
            bench.record(large, "the downloads meanwhile", "MB/s", side: way.name)
        }
        bench.recordPeakMemory(of: ways)
    }

    /// Callers that ask again as soon as they are answered or refused. What they are refused costs too, and must not
    /// cost the others their answers.
    private static func callers(_ bench: Bench) throws {
        let counts = [64, 1024, 4096]
        let ways = [try Way.ours(bench), try Way.nginx(bench, for: .requests)]
        var most: [String: Double] = [:]
        bench.interleave(ways) { way in
            for count in counts {
                let callers = "\(Number.thousands(count)) callers"
                let result = try Wrk(way.files, connections: count, seconds: bench.settings.seconds)
                    .runAnyhow()
                guard result.socketErrors == 0 else {
                    throw TestFailure("\(callers): \(result.socketErrors) connections broke or hang")
                }
                let answered = Double(result.requests - result.refusals) / result.seconds
                most[way.name] = max(most[way.name] ?? 0, answered)
                bench.record(answered, "answered/s, \(callers)", "1/s", side: way.name)
                bench.record(
                    Double(result.refusals) / result.seconds, "refused/s, \(callers)", "1/s", side: way.name)
                if count == counts.last, let most = most[way.name] {
                    bench.record(
                        answered / most * 100, "of the most, with \(callers)", "%", side: way.name)
                }
            }
        }
        bench.recordPeakMemory(of: ways, ", more callers")
    }
}
