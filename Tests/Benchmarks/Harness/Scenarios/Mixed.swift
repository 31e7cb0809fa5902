import BenchmarkReport

/// Small requests while large bodies fill the way.
enum Mixed: Scenario {
    static let name = "mixed"
    static let summary = "latency of small requests on 8 connections beside 8 downloads that never end"
    static let sides = ["ours", "nginx"]

    static func run(_ bench: Bench) throws {
        let ways = [try Way.ours(bench), try Way.nginx(bench, for: .mixed)]
        bench.interleave(ways) { way in
            let (small, large) = try once(way, seconds: bench.settings.seconds, bench)
            bench.record(small.median, "p50 beside 8 downloads", "ms", side: way.name)
            bench.record(small.percentile99, "p99 beside 8 downloads", "ms", side: way.name)
            bench.record(small.requestsPerSecond, "requests/s beside 8 downloads", "1/s", side: way.name)
            bench.record(large, "the downloads meanwhile", "MB/s", side: way.name)
        }
        bench.recordPeakMemory(of: ways)
    }

    /// One run.
    ///
    /// - Returns: what the small requests met, and how fast the downloads were meanwhile, in MB/s.
    static func once(
        _ way: Way, downloads count: Int = 8, seconds: Int, _ bench: Bench
    ) throws -> (small: WrkResult, large: Double) {
        let downloads = try Downloads(bench.origins.large, way.files, atOnce: count)
        let (start, before) = (ContinuousClock.now, downloads.byteCount)
        let result = Result { try Wrk(way.files, connections: 8, seconds: seconds).run() }
        let time = start.duration(to: .now) / .seconds(1)
        let megabytes = Double(downloads.byteCount - before) / 1e6
        try downloads.stop()
        return (try result.get(), megabytes / time)
    }
}
