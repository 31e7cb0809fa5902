import ArgumentParser
import BenchmarkReport
import Foundation
import TestSupport

/// Measures wstunnel against nginx; `Tests/Benchmarks/README.md` tells of it.
@main struct WSTunnelBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wstunnel-bench", abstract: "Measures wstunnel against two nginx in a row.")

    @Flag(help: "Short runs, for a look: the figures are rough.")
    var quick = false

    @Option(help: "How often each thing is measured; 5 unless --quick says 2.")
    var runs: Int?

    @Option(help: "How many seconds a run of requests takes; 3 unless --quick says 1.")
    var seconds: Int?

    @Option(help: "Only these scenarios, with commas between them; see --list.")
    var only: String?

    @Option(help: "Write every single figure to this file.")
    var json: String?

    @Option(help: "Show what has changed since this file was written by --json.")
    var compare: String?

    @Option(help: "The program to measure.")
    var binary: String?

    @Option(help: "nginx's worker_processes; else the better of 1 and auto.")
    var nginxWorkers: String?

    @Flag(help: "Print the scenarios and stop.")
    var list = false

    func run() throws {
        if list {
            for scenario in allScenarios { print("\(scenario.name)\n    \(scenario.summary)") }
            return
        }
        let scenarios = try chosenScenarios()
        let old = try compare.map { try Self.read($0) }
        Interruption.prepare()
        Limits.raiseOpenFiles()
        var settings = Bench.Settings(binary: try binary ?? wstunnelPath())
        settings.runs = runs ?? (quick ? 2 : 5)
        settings.seconds = seconds ?? (quick ? 1 : 3)
        settings.isQuick = quick
        settings.nginxWorkers = nginxWorkers
        let bench = try Bench(settings, circumstances: Circumstances.found(program: settings.binary))
        for scenario in scenarios {
            bench.run(scenario)
            let lines = bench.report.lines(ofScenario: scenario.name, sides: scenario.sides)
            Self.show(scenario.name, lines)
        }
        try finish(bench.report, scenarios, old)
    }

    func validate() throws {
        if let runs, runs < 1 { throw ValidationError("--runs wants a number from 1") }
        if let seconds, seconds < 1 { throw ValidationError("--seconds wants a number from 1") }
    }

    private func chosenScenarios() throws -> [any Scenario.Type] {
        guard let only else { return allScenarios }
        return try only.split(separator: ",").flatMap { name in
            let chosen = allScenarios.filter { $0.name == name || $0.name.hasPrefix(name + "/") }
            guard !chosen.isEmpty else {
                throw ValidationError("there is no scenario \"\(name)\"; see --list")
            }
            return chosen
        }
    }

    private func finish(_ report: Report, _ scenarios: [any Scenario.Type], _ old: Report?) throws {
        let sides = Dictionary(scenarios.map { ($0.name, $0.sides) }) { first, _ in first }
        Self.show("goals", report.verdicts(sides: sides))
        if let old { Self.show("changes since \(compare ?? "")", report.lines(comparedWith: old)) }
        if let json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try encoder.encode(report).write(to: URL(fileURLWithPath: json))
        }
        guard report.failures.isEmpty else {
            Self.show("FAILED", report.failures)
            throw ExitCode(1)
        }
    }

    private static func show(_ title: String, _ lines: [String]) {
        guard !lines.isEmpty else { return }
        // Not `print`, which keeps it back until the end when it goes to a file.
        let text = "\(title)\n" + lines.map { "  \($0)\n" }.joined() + "\n"
        FileHandle.standardOutput.write(Data(text.utf8))
    }

    private static func read(_ path: String) throws -> Report {
        try JSONDecoder().decode(Report.self, from: try Data(contentsOf: URL(fileURLWithPath: path)))
    }
}
