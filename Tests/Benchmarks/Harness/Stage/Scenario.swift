/// Something that the benchmark measures: a file in `Scenarios` and a line below.
///
/// A scenario starts the ways that it needs, so that its processes are fresh, measures them by `Bench.interleave`, and
/// gives each value to `Bench.record`.
protocol Scenario {
    /// What `--only` takes: one word, or two with a slash between, of which the first alone stands for all that share it.
    static var name: String { get }
    /// What `--list` prints.
    static var summary: String { get }
    /// Whom it compares: ours first, then what it is held against, then others. Sides may have no figures.
    static var sides: [String] { get }
    /// Measures all of it.
    static func run(_ bench: Bench) throws
}

/// All scenarios, in the order in which they run.
var allScenarios: [any Scenario.Type] {
    [
        Requests.self, Secure.self, Transfers.self, Mixed.self, WebSockets.self, OldProtocol.self, Ready.self,
        Idle.self, LongPolling.self,
        Spread.self, Scale.self, Overload.self, Reload.self, Watched.self, Answers.self,
    ] + allNeighbours
}
