import BenchmarkReport
import Foundation
import TestSupport

/// What a scenario works with: settings, the world around the tunnel, and the report that it fills.
///
/// For one thread; load that runs on others gives its results back.
final class Bench {
    struct Settings {
        /// How often each thing is measured.
        var runs = 5
        /// How long one run of requests takes.
        var seconds = 3
        /// Short runs, for a look.
        var isQuick = false
        /// The program.
        var binary: String
        /// nginx's `worker_processes`; nil for the better of 1 and auto.
        var nginxWorkers: String?
    }

    let settings: Settings
    /// Configurations, logs, the origin's files. Removed at the end.
    let folder: TemporaryFolder
    private(set) var report: Report
    private var scenario = ""
    private var startedOrigins: Origins?
    private var nginxSetups: [NginxPurpose: NginxSetup] = [:]

    init(_ settings: Settings, circumstances: [String: String]) throws {
        self.settings = settings
        folder = try TemporaryFolder()
        Interruption.remove(folder.path)
        report = Report(circumstances: circumstances)
    }

    // MARK: The world

    /// Started when they are first asked for, and the same for all scenarios.
    var origins: Origins {
        get throws {
            if let startedOrigins { return startedOrigins }
            let origins = try Origins(in: folder, largeMebibytes: settings.isQuick ? 64 : 256)
            startedOrigins = origins
            return origins
        }
    }

    /// The setup of the yardstick: the one with which nginx is best at something on this machine.
    func nginxSetup(for purpose: NginxPurpose) throws -> NginxSetup {
        if let setup = nginxSetups[purpose] { return setup }
        let setup = try NginxChoice.best(for: purpose, self)
        note("nginx is best at \(purpose.rawValue) with \(setup); the yardstick takes that")
        report.circumstances["nginx for \(purpose.rawValue)"] = "\(setup)"
        nginxSetups[purpose] = setup
        return setup
    }

    /// Starts a wstunnel with a configuration file.
    ///
    /// - Parameters:
    ///   - socket: the socket of its server `public`, when a service manager holds it.
    ///   - launcher: a program with its arguments, behind which come those of the agent; it must become the agent.
    func agent(
        at path: String, on socket: HeldSocket? = nil, through launcher: [String] = []
    ) throws -> Running {
        guard let socket else {
            return try Running(
                launcher + [settings.binary, "--config", path], environment: try programEnvironment())
        }
        return try Running(
            ["sh", "-c", "LISTEN_PID=$$ exec \"$0\" --config \"$1\"", settings.binary, path],
            environment: programEnvironment(["LISTEN_FDS": "1", "LISTEN_FDNAMES": "public"]),
            passing: [socket.descriptor])
    }

    // MARK: Results

    /// Runs a scenario; what it throws is a failure in the report.
    func run(_ scenario: any Scenario.Type) {
        self.scenario = scenario.name
        note("\(scenario.name): \(scenario.summary)")
        do {
            try scenario.run(self)
        } catch {
            fail("\(error)")
        }
    }

    /// Does something for each way in turn, as often as there are runs: A B C A B C. So what the machine does besides
    /// meets all of them. What a run throws is its failure; the others go on.
    func interleave(_ ways: [Way], _ body: (Way) throws -> Void) {
        for number in 1...settings.runs {
            for way in ways {
                do {
                    try body(way)
                } catch {
                    fail("\(way.name), run \(number): \(error)")
                }
            }
        }
    }

    /// Adds the value of one run.
    ///
    /// - Parameter what: the measure, for people and unique in the scenario.
    func record(_ value: Double, _ what: String, _ unit: String, side: String) {
        report.add(value, of: Measure(scenario: scenario, what: what, unit: unit), side: side)
    }

    /// Notes a run that failed: the benchmark goes on, and its exit status says so.
    func fail(_ text: String) {
        report.failures.append("\(scenario): \(text)")
        note("FAILED \(scenario): \(text)")
    }

    /// Peak memory of both ends, after all runs.
    ///
    /// - Parameter part: which part of the scenario it is, when there are several.
    func recordPeakMemory(of ways: [Way], _ part: String = "") {
        for way in ways {
            do {
                let peaks = try way.peakMemory()
                for role in ["server", "client"] {
                    guard let peak = peaks[role] else { continue }
                    record(peak / 1e6, "peak memory, \(role)\(part)", "MB", side: way.name)
                }
            } catch {
                fail("\(way.name): \(error)")
            }
        }
    }

    /// A line for who watches.
    func note(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }
}
