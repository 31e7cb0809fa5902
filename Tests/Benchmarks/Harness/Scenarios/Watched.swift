import Foundation
import TestSupport

/// What it costs to be looked at.
enum Watched: Scenario {
    static let name = "watched"
    static let summary =
        "requests with history, metrics that are asked for, and a listener to events; a follower of every request too; none"
    static let sides = ["watched", "alone", "followed"]

    static func run(_ bench: Bench) throws {
        let watched = try observedWay(bench, "watched", listeningTo: ["/api/events"])
        let followed = try observedWay(bench, "followed", listeningTo: ["/api/events", "/api/requests"])
        let ways = [watched.way, try Way.ours(bench, as: "alone"), followed.way]
        Requests.measure(ways, bench)
        for process in watched.watchers + followed.watchers where process.process.exit != nil {
            bench.fail("a listener ended before the measurement: \(process.process.standardError.text)")
        }
        bench.recordPeakMemory(of: ways)
    }

    private static func observedWay(
        _ bench: Bench, _ name: String, listeningTo streams: [String]
    ) throws -> (way: Way, watchers: [Running]) {
        let socket = bench.folder.path(of: "\(name).sock")
        let way = try Way.ours(
            bench, as: name,
            agent: "control-socket: \(socket)\nhistory: { file: \(bench.folder.path(of: "\(name).db")) }")
        let listeners = try streams.map {
            try Running(["curl", "-sN", "-o", "/dev/null", "--unix-socket", socket, "http://agent\($0)"])
        }
        let scraping = try Running([
            "sh", "-c",
            "while curl -s -o /dev/null --unix-socket \"$0\" http://agent/metrics; do sleep 1; done", socket,
        ])
        return (way, listeners + [scraping])
    }
}
