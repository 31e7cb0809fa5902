import Foundation
import TestSupport

/// What it costs to be looked at.
enum Watched: Scenario {
    static let name = "watched"
    static let summary =
        "requests with history, metrics that are asked for, and a listener to events, beside none of them"
    static let sides = ["watched", "alone"]

    static func run(_ bench: Bench) throws {
        let socket = bench.folder.path(of: "watched.sock")
        let watched = try Way.ours(
            bench, as: "watched",
            agent: "control-socket: \(socket)\nhistory: { file: \(bench.folder.path(of: "watched.db")) }")
        let ways = [watched, try Way.ours(bench, as: "alone")]
        let listeners = try ["/api/events", "/api/requests"].map {
            try Running(["curl", "-sN", "-o", "/dev/null", "--unix-socket", socket, "http://agent\($0)"])
        }
        let scraping = try Running([
            "sh", "-c",
            "while curl -s -o /dev/null --unix-socket \"$0\" http://agent/metrics; do sleep 1; done", socket,
        ])
        Requests.measure(ways, bench)
        for process in listeners + [scraping] where process.process.exit != nil {
            bench.fail("a listener ended before the measurement: \(process.process.standardError.text)")
        }
        bench.recordPeakMemory(of: ways)
    }
}
