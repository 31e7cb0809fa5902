/// Messages through upgraded connections.
enum WebSockets: Scenario {
    static let name = "websocket"
    static let summary =
        "WebSocket messages of 125 bytes per second on 32 connections, one or 64 under way on each"
    static let sides = ["ours", "nginx"]

    static func run(_ bench: Bench) throws {
        let ways = [try Way.ours(bench), try Way.nginx(bench, for: .requests)]
        for (window, kind) in [(1, "ping-pong"), (64, "64 under way")] {
            bench.interleave(ways) { way in
                let before = try way.processorSeconds()
                let result = try WebSocketLoad.run(
                    way.echo, connections: 32, window: window, seconds: bench.settings.seconds)
                let after = try way.processorSeconds()
                let rate = Double(result.messages) / result.seconds
                bench.record(rate, "messages/s, \(kind)", "1/s", side: way.name)
                bench.recordProcessorTime(
                    from: before, to: after, over: Double(result.messages), "CPU per message, \(kind)", "µs",
                    side: way.name)
            }
        }
        bench.recordPeakMemory(of: ways)
    }
}
