import AdminAPI
import AgentStatus
import ArgumentParser

/// `wstunnel pause web --config tunnels.yaml`
struct Pause: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Has tunnels of the running agent dial no more until they are resumed.",
        discussion: """
            What is in flight is finished. With --server its servers: they answer new requests with 503, and keep their \
            tunnel clients.
            """)

    @OptionGroup var subjects: PausedSubjects

    func run() throws { try subjects.set(isPaused: true) }
}

/// `wstunnel resume web --config tunnels.yaml`
struct Resume: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Has tunnels of the running agent, or with --server its servers, go on that were paused.")

    @OptionGroup var subjects: PausedSubjects

    func run() throws { try subjects.set(isPaused: false) }
}

/// What is to be paused or resumed.
struct PausedSubjects: ParsableArguments {
    @Argument(help: "Names of tunnels, or of servers.")
    var names: [String]

    @Flag(help: "The names are those of servers.")
    var server = false

    @Option(name: [.long, .customShort("c")], help: "The configuration file that the agent runs by.")
    var config: String?

    @Option(help: "The agent's control socket, where the configuration file does not lead to it.")
    var socket: String?

    func validate() throws { _ = try agent() }

    /// Whatever stands alone is a name.
    private func agent() throws -> AgentOptions {
        let pairs = [("--config", config), ("--socket", socket)]
        return try AgentOptions.parse(pairs.flatMap { name, value in value.map { [name, $0] } ?? [] })
    }

    func set(isPaused: Bool) throws {
        let agent = try agent()
        let kind: PauseSnapshot.Kind = server ? .server : .tunnel
        for name in names {
            let report = try agent.ask { client throws(AdminClientError) in
                try client.set(kind, name, isPaused: isPaused)
            }
            let state = report.isPaused ? "paused" : "resumed"
            let words =
                report.hasChanged ? state : report.isPaused ? "was paused already" : "was not paused"
            print("\(report.kind.rawValue) \(report.name): \(words)")
        }
    }
}
