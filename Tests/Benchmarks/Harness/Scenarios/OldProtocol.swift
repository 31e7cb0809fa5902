import Foundation

/// Protocol v1 beside v2, between the same two programs.
enum OldProtocol: Scenario {
    static let name = "v1"
    static let summary = "requests and transfers (64 MiB) over protocol v1, held against v2"
    static let sides = ["v1", "v2"]

    static func run(_ bench: Bench) throws {
        // As many connections as v2 takes by itself; of v1 a server gets only one unless it is told.
        let connections = min(4, ProcessInfo.processInfo.activeProcessorCount)
        let old = try Way.ours(
            bench, as: "v1", server: "max-requests-per-tunnel: 32000",
            tunnel: "protocol: v1, connections: \(connections)")
        let ways = [old, try Way.ours(bench, as: "v2")]
        Requests.measure(ways, bench)
        try Transfers.measure(try bench.origins.middle, ways, bench)
        bench.recordPeakMemory(of: ways)
    }
}
