/// Large bodies: how fast, and what they cost.
enum Transfers: Scenario {
    static let name = "transfers"
    static let summary = "upload and download of 256 MiB (64 with --quick), one and 8 at once"
    static let sides = ["ours", "nginx", "ssh"]

    static func run(_ bench: Bench) throws {
        let ways =
            [try Way.ours(bench), try Way.nginx(bench, for: .transfers)]
            + [Way.secureShell(bench)].compactMap(\.self)
        try measure(try bench.origins.large, ways, bench)
        bench.recordPeakMemory(of: ways)
    }

    /// Measures transfers of a body over each of the ways.
    static func measure(_ body: Origins.Body, _ ways: [Way], _ bench: Bench) throws {
        for way in ways {
            _ = try Transfer.download(body, way.files, atOnce: 1)
            _ = try Transfer.upload(body, way.sink, atOnce: 1)
        }
        for count in [1, 8] {
            let bodies = count == 1 ? "one body" : "\(count) at once"
            bench.interleave(ways) { way in
                try one("download, \(bodies)", Double(body.size * count), way, bench) {
                    try Transfer.download(body, way.files, atOnce: count)
                }
                try one("upload, \(bodies)", Double(body.size * count), way, bench) {
                    try Transfer.upload(body, way.sink, atOnce: count)
                }
            }
        }
    }

    private static func one(
        _ what: String, _ bytes: Double, _ way: Way, _ bench: Bench, _ transfer: () throws -> Double
    ) throws {
        let before = try way.processorSeconds()
        let seconds = try transfer()
        let after = try way.processorSeconds()
        bench.record(bytes / seconds / 1e6, what, "MB/s", side: way.name)
        bench.recordProcessorTime(
            from: before, to: after, over: bytes / 1e6, "CPU per MB, \(what)", "µs", side: way.name)
    }
}
