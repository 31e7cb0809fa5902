import Foundation
import TestSupport

/// An agent whose configuration file is changed while it runs.
final class ReloadedAgent: Sendable {
    enum Outcome: String {
        case applied = "Configuration applied"
        case unchanged = "No changes in the configuration"
        case refused = "Configuration not applied: what ran before runs on"
    }

    let agent: AgentProcess
    var folder: TemporaryFolder { agent.folder }

    init(
        _ configuration: String, files: [String: String] = [:], environment: [String: String] = [:]
    ) throws {
        agent = try AgentProcess(configuration: configuration, files: files, environment: environment)
    }

    /// Puts a text in the place of the configuration file, whole.
    func write(_ text: String) throws {
        let new = try folder.write(text, to: "tunnels.yaml.new")
        guard rename(new, agent.configurationPath) == 0 else { throw TestFailure("cannot rename \(new)") }
    }

    /// Asks for a reload by SIGHUP and waits for its outcome.
    func hangUp(within limit: Duration = .seconds(30)) throws -> Outcome {
        let start = agent.log.count
        agent.process.send(signal: SIGHUP)
        return try outcome(from: start, within: limit)
    }

    /// Writes the text, has it applied, and tells what was done.
    func applied(_ text: String) throws -> [String] {
        let outcome = try apply(text)
        guard outcome == .applied else { throw TestFailure("\(outcome)\n\(agent.log.suffix(8))") }
        return try status().lastReload?.actions ?? []
    }

    /// Writes the text and has it applied.
    @discardableResult
    func apply(_ text: String) throws -> Outcome {
        try write(text)
        return try hangUp()
    }

    /// Waits for the outcome of the next reload since a line of the log.
    func outcome(from start: Int, within limit: Duration = .seconds(30)) throws -> Outcome {
        let line = try agent.process.standardError.waitForLine(
            from: start, within: limit, what: "the outcome of a reload"
        ) { line in line.contains("config.generation=") }
        let message = try LogfmtLine(line)["message"] ?? ""
        guard let outcome = Outcome(rawValue: message) else { throw TestFailure("no outcome: \(line)") }
        return outcome
    }

    /// What `wstunnel status --format json` tells.
    func status() throws -> AgentStatusReport {
        let program = try wstunnel(["status", "--config", agent.configurationPath, "--format", "json"])
        let exit = try program.waitForExit()
        // 69: something that should be up is down.
        guard exit == .code(0) || exit == .code(69) else {
            throw TestFailure("status: \(exit) \(program.standardError.text)")
        }
        return try JSONDecoder().decode(AgentStatusReport.self, from: Data(program.standardOutput.bytes))
    }

    /// Waits until a tunnel has all its connections and nothing of it is left over.
    ///
    /// - Returns: the connections' ids.
    @discardableResult
    func waitForTunnel(_ name: String = "web") throws -> Set<UInt64> {
        try waitForStatus("\(name) connected") { $0.isSettled(name) }.connections(of: name)
    }

    /// Waits until the status is as wanted.
    @discardableResult
    func waitForStatus(
        _ what: String, within limit: Duration = .seconds(20),
        until isReached: (AgentStatusReport) -> Bool
    ) throws -> AgentStatusReport {
        let deadline = ContinuousClock.now + limit
        while true {
            let report = try status()
            if isReached(report) { return report }
            guard ContinuousClock.now < deadline else {
                throw TestFailure("\(what) is not reached: \(report)")
            }
            // The agent announces nothing of it: it is asked again in a moment.
            usleep(50_000)
        }
    }
}

/// The status as a program outside of the project reads it.
struct AgentStatusReport: Decodable {
    struct Connection: Decodable, Hashable {
        var id: UInt64
        var protocolVersion: Int
        var isDraining: Bool
    }

    struct Fault: Decodable {
        var code: String
        var message: String
    }

    struct Tunnel: Decodable {
        var name: String
        var state: String
        var wanted: Int
        var connections: [Connection]
        var lastFault: Fault?
    }

    struct Server: Decodable {
        var name: String
        var state: String
        var address: String
        var sessions: Int
        var waiting: Int
        var lastFault: Fault?
    }

    struct Reload: Decodable {
        struct Plan: Decodable {
            var actions: [Action]
            var notes: [String]
        }

        struct Action: Decodable {
            var verb: String
            var kind: String
            var name: String
            var changes: [String]
        }

        var outcome: String
        var trigger: String
        var errors: [String]
        var generation: Int
        var plan: Plan

        /// What was done, such as `update tunnel web: server`.
        var actions: [String] {
            plan.actions.map { action in
                let words = [action.verb, action.kind, action.name].filter { !$0.isEmpty }
                let changes = action.changes.isEmpty ? "" : ": " + action.changes.joined(separator: " ")
                return words.joined(separator: " ") + changes
            }
        }
    }

    var processID: Int
    var phase: String
    var generation: Int
    var lastReload: Reload?
    var servers: [Server]
    var tunnels: [Tunnel]

    /// Whether a tunnel has all its connections, and what it replaced has left.
    func isSettled(_ tunnel: String) -> Bool {
        let all = tunnels.filter { $0.name == tunnel }
        return all.count == 1
            && all.allSatisfy { $0.state == "connected" && $0.connections.count == $0.wanted }
    }

    /// Ids of a tunnel's connections.
    func connections(of tunnel: String) -> Set<UInt64> {
        Set(
            tunnels.filter { $0.name == tunnel && $0.state != "draining" }.flatMap {
                $0.connections.map(\.id)
            })
    }
}
