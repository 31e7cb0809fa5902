import ArgumentParser

/// `wstunnel --config tunnels.yaml`
struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Starts the agent (the default).")

    @OptionGroup var file: ConfigurationFile

    @Flag(
        help: """
            Takes the place of the agent that runs by the same file: starts beside it (its servers need reuse-port) \
            and has it finish what it has in flight.
            """)
    var takeover = false

    func validate() throws { _ = try file.required() }

    func run() async throws {
        let code = await AgentRun.run(file: try file.required(), takesOver: takeover)
        guard code == 0 else { throw ExitCode(code) }
    }
}
