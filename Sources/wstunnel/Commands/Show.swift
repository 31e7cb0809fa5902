import ArgumentParser
import Supervision
import TunnelConfiguration

/// `wstunnel show --config tunnels.yaml`
struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Prints what a configuration file comes to: defaults, variables and included files put in, secrets as ***."
    )

    @Option(name: [.long, .customShort("c")], help: "The configuration file.")
    var config: String

    func run() throws {
        let report = loadConfiguration(at: config, from: SystemConfigurationSource())
        if !report.problems.isEmpty { Terminal.printToStandardError(report) }
        guard let configuration = report.configuration else { throw ExitStatus.badConfiguration }
        print(ConfigurationRendering.yaml(of: configuration), terminator: "")
    }
}
