import BenchmarkReport
import Foundation
import TestSupport

/// How long the admin API takes for its answers when there is much to tell and much to do.
enum Answers: Scenario {
    static let name = "answers"
    static let summary = "answers of the admin API with 3,000 tunnels and 2,000 requests a second"
    static let sides = ["server", "client"]

    private static let tunnels = 3000

    static func run(_ bench: Bench) throws {
        let socket = bench.folder.path(of: "answers.sock")
        let database = bench.folder.path(of: "answers.db")
        let server = try TunnelServer(
            bench, as: "answers", agent: "control-socket: \(socket)\nhistory: { file: \(database) }")
        let clientSocket = bench.folder.path(of: "answers-client.sock")
        let tokens = (0..<tunnels).map { "benchmark-token-of-answers-\($0)" }
        let path = try bench.clientConfiguration("answers-client", to: server.port, tokens: tokens)
        let keys = "control-socket: \(clientSocket)\n"
        try (keys + String(contentsOfFile: path, encoding: .utf8))
            .write(toFile: path, atomically: true, encoding: .utf8)
        let client = try bench.agent(at: path)
        defer { client.stop() }
        try server.waitForTunnels(tunnels)
        let entrance = Way.Entrance(port: server.port, fields: [("X-Token", tokens[0])])
        try waitUntilOpen(entrance)
        let callers = SteadyCallers(entrance, count: 40, interval: 20)
        for (side, socket) in [("server", socket), ("client", clientSocket)] {
            for target in Goal.answers + ["/metrics"] {
                do { try measure(target, at: socket, side, bench) } catch {
                    bench.fail("\(side), \(target): \(error)")
                }
            }
        }
        let met = callers.take()
        try callers.stop()
        if let fault = met.faults.first { bench.fail("\(met.faults.count) requests failed: \(fault)") }
        bench.record(try met.percentile(0.99), "p99 of requests meanwhile", "ms", side: "server")
    }

    private static func measure(_ target: String, at socket: String, _ side: String, _ bench: Bench) throws {
        let connection = try HTTPConnection(path: socket)
        defer { connection.close() }
        var (times, size): ([Double], Int) = ([], 0)
        for _ in 0..<(bench.settings.isQuick ? 50 : 300) {
            let start = ContinuousClock.now
            let answer = try connection.exchange("GET", target)
            times.append(start.duration(to: .now) / .milliseconds(1))
            guard answer.status == 200 else { throw TestFailure("\(answer.status): \(answer.text)") }
            size = answer.body.count
        }
        guard let value = Statistics.percentile(0.99, of: times) else { return }
        bench.record(value, "p99 of \(target)", "ms", side: side)
        bench.record(Double(size) / 1e6, "size of \(target)", "MB", side: side)
    }
}
