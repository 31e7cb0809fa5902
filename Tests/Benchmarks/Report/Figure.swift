/// What is measured: one row of the report.
package struct Measure: Hashable, Codable, Sendable {
    /// The scenario's name, as `--only` takes it.
    package var scenario: String
    /// For people, and unique in its scenario: `requests/s, 32 connections, 1 KiB`.
    package var what: String
    /// `1/s`, `ms`, `µs`, `MB/s`, `MB`, `KiB`, `%` or another short word.
    package var unit: String

    package init(scenario: String, what: String, unit: String) {
        (self.scenario, self.what, self.unit) = (scenario, what, unit)
    }
}

/// All values of one measure on one side: one of each run, in the order of the runs.
package struct Figure: Hashable, Codable, Sendable {
    package var measure: Measure
    /// Who was measured: `ours`, `nginx`, `ssh` or what the scenario compares.
    package var side: String
    package var values: [Double]

    package init(measure: Measure, side: String, values: [Double]) {
        (self.measure, self.side, self.values) = (measure, side, values)
    }
}

/// Everything that one start of the benchmark found out: what `--json` writes and `--compare` reads.
package struct Report: Codable, Sendable {
    /// Where and with what it was measured: `revision`, `kernel`, `cores`, `date`, `nginx` and others.
    package var circumstances: [String: String]
    /// In the order in which measures and sides came first.
    package private(set) var figures: [Figure] = []
    /// What went wrong, one text for each run that failed.
    package var failures: [String] = []

    package init(circumstances: [String: String]) { self.circumstances = circumstances }

    /// Adds the value of one run.
    package mutating func add(_ value: Double, of measure: Measure, side: String) {
        if let index = figures.firstIndex(where: { $0.measure == measure && $0.side == side }) {
            figures[index].values.append(value)
        } else {
            figures.append(Figure(measure: measure, side: side, values: [value]))
        }
    }

    /// The median of a measure on one side; nil when it was not measured.
    package func median(of measure: Measure, side: String) -> Double? {
        figures.first { $0.measure == measure && $0.side == side }.flatMap { Statistics($0.values)?.median }
    }

    /// The measures, each once, those of one scenario together.
    package var measures: [Measure] {
        var seen: Set<Measure> = []
        let all = figures.map(\.measure).filter { seen.insert($0).inserted }
        var scenarios: [String] = []
        for measure in all where !scenarios.contains(measure.scenario) { scenarios.append(measure.scenario) }
        return scenarios.flatMap { name in all.filter { $0.scenario == name } }
    }
}
