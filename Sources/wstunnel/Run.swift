import ArgumentParser
import Supervision
import TunnelConfiguration

/// `wstunnel --config tunnels.yaml`
struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Starts the agent (the default).")

    @Option(name: [.long, .customShort("c")], help: "The configuration file.")
    var config: String

    func run() async throws {
        AgentRun.ignoreHangup()
        let report = loadConfiguration(at: config, from: SystemConfigurationSource())
        if !report.problems.isEmpty { Terminal.printToStandardError(report) }
        guard let configuration = report.configuration else { throw ExitStatus.badConfiguration }
        let code = await AgentRun.run(configuration, named: config)
        guard code == 0 else { throw ExitCode(code) }
    }
}
