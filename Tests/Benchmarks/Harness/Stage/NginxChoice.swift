import BenchmarkReport

/// How the two nginx of the yardstick are set up, where there is a choice.
struct NginxSetup: Hashable, CustomStringConvertible {
    /// How an answer is passed on.
    enum Buffering: String, CaseIterable {
        /// Into 16 buffers of 64 KiB: fast with large bodies.
        case large = "16 buffers of 64k"
        /// Into 8 buffers of 8 KiB: what nginx does by default, short in memory.
        case small = "8 buffers of 8k"
        /// As it comes, out of a single buffer of 64 KiB.
        case off = "off, 64k"

        var directives: String {
            switch self {
            case .large:
                "proxy_buffering on; proxy_buffer_size 16k; proxy_buffers 16 64k; proxy_busy_buffers_size 256k;"
            case .small:
                "proxy_buffering on; proxy_buffer_size 8k; proxy_buffers 8 8k; proxy_busy_buffers_size 16k;"
            case .off:
                "proxy_buffering off; proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;"
            }
        }
    }

    /// `worker_processes`: a number or auto.
    var workers: String
    var buffering: Buffering

    var description: String { "worker_processes \(workers), proxy buffering \(buffering.rawValue)" }
}

/// What nginx is to be good at: a yardstick that is set up for something else would flatter us.
enum NginxPurpose: String {
    case requests, transfers
    case mixed = "small requests beside large bodies"
}

/// Finds the setup with which nginx is best at something here.
enum NginxChoice {
    static func best(for purpose: NginxPurpose, _ bench: Bench) throws -> NginxSetup {
        let workers = bench.settings.nginxWorkers.map { [$0] } ?? ["1", "auto"]
        let setups = workers.flatMap { workers in
            NginxSetup.Buffering.allCases.map { NginxSetup(workers: workers, buffering: $0) }
        }
        let ways = try setups.map { try Way.nginx(bench, $0) }
        var scores: [[Double]] = setups.map { _ in [] }
        for _ in 0..<3 {
            for (index, way) in ways.enumerated() { scores[index].append(try score(way, purpose, bench)) }
        }
        let medians = scores.map { Statistics($0)?.median ?? 0 }
        let best = setups.indices.max { medians[$0] < medians[$1] } ?? 0
        return setups[best]
    }

    /// The larger the better.
    private static func score(_ way: Way, _ purpose: NginxPurpose, _ bench: Bench) throws -> Double {
        switch purpose {
        case .requests: return try Wrk(way.files, connections: 32, seconds: 1).run().requestsPerSecond
        case .transfers: return 1 / (try Transfer.download(bench.origins.large, way.files, atOnce: 1))
        case .mixed: return 1 / (try Mixed.once(way, seconds: 1, bench).small.percentile99)
        }
    }
}
