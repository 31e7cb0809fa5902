import AdminAPI
import AgentStatus
import ArgumentParser
import TunnelConfiguration

/// `wstunnel log-level debug --for 10m --config tunnels.yaml`
struct LogLevel: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log-level",
        abstract: "Tells how much the running agent logs, or has it log more or less for a while.")

    @Argument(help: "trace, debug, info, notice, warning or error; without it nothing changes.")
    var level: String?

    @Option(name: .customLong("for"), help: "How long, such as 10m; without it until the next reload.")
    var duration: String?

    @OptionGroup var agent: AgentOptions

    func validate() throws {
        let levels = LogConfiguration.Level.allCases.map(\.rawValue)
        guard level.map(levels.contains) ?? (duration == nil) else {
            throw ValidationError("name a level: \(levels.joined(separator: ", "))")
        }
    }

    func run() throws {
        let (level, duration) = (level, duration)
        let snapshot = try agent.ask { client throws(AdminClientError) in
            guard let level else { return try client.logLevel() }
            return try client.setLogLevel(LogLevelQuery(level: level, duration: duration))
        }
        let end = snapshot.until == nil ? "until the next reload" : "for \(duration ?? "a while")"
        print(
            snapshot.isChanged
                ? "\(snapshot.level), \(end); configured is \(snapshot.configured)" : snapshot.level)
    }
}
