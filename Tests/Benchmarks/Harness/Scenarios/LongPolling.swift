import BenchmarkReport
import Foundation
import TestSupport

/// Tunnels that go by long polling beside those that go by WebSockets: idle, and over a long path.
enum LongPolling: Scenario {
    static let name = "longpoll"
    static let summary =
        "1,000 idle tunnels by long polling and by WebSockets; over a path of 50 ms each way, a download, an upload, small requests"
    static let sides = ["ours", "websocket"]

    static func run(_ bench: Bench) throws {
        for _ in 0..<min(bench.settings.runs, 2) {
            for transport in ["websocket", "longpoll"] { try Idle.measure(1000, by: transport, bench) }
        }
        for (transport, side) in [("longpoll", "ours"), ("websocket", "websocket")] {
            try overALongPath(transport, side, bench)
        }
    }

    private static func overALongPath(_ transport: String, _ side: String, _ bench: Bench) throws {
        let server = try TunnelServer(bench, as: "longpoll-\(transport)")
        let path = try LongPath(to: server.port, delay: .milliseconds(50))
        let token = "benchmark-token-over-\(transport)"
        let client = try bench.agent(
            at: bench.clientConfiguration(
                "longpoll-client-\(transport)", to: path.port, tokens: [token],
                options: "connections: 1, transport: \(transport)"))
        let files = Way.Entrance(port: server.port, fields: [(name: "X-Token", value: token)])
        let sink = Way.Entrance(
            port: server.port,
            fields: files.fields + [(name: "X-Host", value: try bench.origins.sinkURL)])
        try waitUntilOpen(files)
        let body = try bench.origins.large
        for _ in 0..<bench.settings.runs {
            let down = try Transfer.download(body, files, atOnce: 1)
            bench.record(Double(body.size) / down / 1e6, "download over 100 ms", "MB/s", side: side)
            let up = try Transfer.upload(body, sink, atOnce: 1)
            bench.record(Double(body.size) / up / 1e6, "upload over 100 ms", "MB/s", side: side)
            let small = try Wrk(files, connections: 1, seconds: bench.settings.seconds).run()
            bench.record(small.median, "p50 of small requests over 100 ms", "ms", side: side)
        }
        client.stop()
        withExtendedLifetime(path) {}
    }
}
