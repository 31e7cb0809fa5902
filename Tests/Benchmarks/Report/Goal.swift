/// What a measure should come to.
package struct Goal: Hashable, Sendable {
    /// How the measured value is held against the goal.
    package enum Bound: Hashable, Sendable {
        /// Ours divided by the reference is this or more.
        case ratioAtLeast(Double)
        /// Ours divided by the reference is this or less.
        case ratioAtMost(Double)
        /// Ours is this or less, in the measure's unit.
        case atMost(Double)
        /// Ours is this or more, in the measure's unit.
        case atLeast(Double)

        /// Whether it takes a reference to be held against.
        package var isRatio: Bool {
            switch self {
            case .ratioAtLeast, .ratioAtMost: true
            case .atMost, .atLeast: false
            }
        }
    }

    /// A scenario's name, or what several have before a slash.
    package let scenario: String
    /// The measures whose `what` is one of these.
    package let whats: Set<String>
    package let bound: Bound

    package init(_ scenario: String, _ whats: Set<String>, _ bound: Bound) {
        (self.scenario, self.whats, self.bound) = (scenario, whats, bound)
    }

    /// The goal of a measure, if there is one.
    package static func of(_ measure: Measure, in goals: [Goal] = all) -> Goal? {
        goals.first { goal in
            (goal.scenario == measure.scenario || measure.scenario.hasPrefix(goal.scenario + "/"))
                && goal.whats.contains(measure.what)
        }
    }

    /// Whether it is met. A ratio is looked at with two decimals, as it is printed.
    ///
    /// - Returns: nil when there is no reference to make a ratio of.
    package func isMet(ours: Double, reference: Double?) -> Bool? {
        let ratio = reference.flatMap { $0 > 0 ? (ours / $0 * 100).rounded() / 100 : nil }
        switch bound {
        case .ratioAtLeast(let least): return ratio.map { $0 >= least }
        case .ratioAtMost(let most): return ratio.map { $0 <= most }
        case .atMost(let most): return ours <= most
        case .atLeast(let least): return ours >= least
        }
    }

    /// For people: `≥ 1.2 ×`, `≤ 64`.
    package var text: String {
        switch bound {
        case .ratioAtLeast(let least): "≥ \(Number.short(least)) ×"
        case .ratioAtMost(let most): "≤ \(Number.short(most)) ×"
        case .atMost(let most): "≤ \(Number.short(most))"
        case .atLeast(let least): "≥ \(Number.short(least))"
        }
    }

    /// The goals of the project.
    package static let all: [Goal] =
        [
            Goal(
                "requests", ["requests/s, 32 connections, 1 KiB", "requests/s, 256 connections, 1 KiB"],
                .ratioAtLeast(1.2)),
            Goal("requests", ["p99, 256 connections, 1 KiB"], .ratioAtMost(0.9)),
            Goal(
                "requests",
                ["CPU per request, 32 connections, 1 KiB", "CPU per request, 256 connections, 1 KiB"],
                .ratioAtMost(0.9)),
            Goal(
                "tls", ["requests/s, 32 connections", "requests/s, 256 connections"], .ratioAtLeast(0.9)),
            Goal("tls", ["requests/s, HTTP/2, 32 connections with 10 streams"], .ratioAtLeast(0.8)),
            Goal("tls", ["requests/s, a handshake each"], .ratioAtLeast(0.7)),
            Goal("tls", ["download, one body"], .ratioAtLeast(0.9)),
            Goal("tls", ["server memory for each of 1,000 wss tunnels"], .atMost(40)),
            Goal("transfers", ["download, one body", "upload, one body"], .ratioAtLeast(1.6)),
            Goal("mixed", ["p99 beside 8 downloads"], .ratioAtMost(0.7)),
            Goal(
                "v1",
                [
                    "requests/s, 32 connections, 1 KiB", "requests/s, 256 connections, 1 KiB",
                    "download, one body", "upload, one body",
                ],
                .ratioAtLeast(0.8)),
            Goal("idle", ["server memory for each of 10,000 tunnels"], .atMost(12)),
            Goal("scale", ["tunnels that join in a second"], .atLeast(1000)),
            Goal("scale", ["errors after a restart"], .atMost(0)),
            Goal("overload", ["p99 beside 256 downloads and 256 slow readers"], .atMost(100)),
            Goal(
                "overload",
                [
                    "peak memory, server", "peak memory, client", "peak memory, server, more callers",
                    "peak memory, client, more callers",
                ],
                .atMost(268)),
            Goal("overload", ["of the most, with 4,096 callers"], .ratioAtLeast(0.9)),
            Goal(
                "watched", ["requests/s, 32 connections, 1 KiB", "requests/s, 256 connections, 1 KiB"],
                .ratioAtLeast(0.97)),
            Goal("answers", Set(answers.map { "p99 of \($0)" }), .atMost(50)),
            Goal("answers", ["p99 of /metrics"], .atMost(100)),
            Goal("answers", ["size of /metrics"], .atMost(5)),
            Goal("neighbours", ["p99 during / before", "p99 after / before"], .atMost(3)),
            Goal("neighbours", ["failed requests"], .atMost(0)),
            Goal("neighbours/stuck-readers", ["peak memory, server"], .atMost(268)),
            Goal("neighbours/junk-handshakes", ["guesses that were looked at"], .atMost(20)),
            Goal("neighbours/idle-requests", ["download during / before"], .atLeast(0.33)),
        ] + memory

    /// What the admin API is asked beside a load, but for the metrics.
    package static let answers = [
        "/api/status", "/api/servers", "/api/tunnels", "/api/sessions", "/api/events?recent=100",
        "/api/history/requests", "/api/history/events",
    ]

    /// Everything but thousands of tunnels and overload stays within this.
    private static let memory = ["requests", "transfers", "mixed", "websocket", "v1"].map {
        Goal($0, ["peak memory, server", "peak memory, client"], .atMost(64))
    }
}
