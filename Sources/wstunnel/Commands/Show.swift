import ArgumentParser
import HostSystem
import Supervision
import TunnelConfiguration

/// `wstunnel show --config tunnels.yaml`
struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Prints what a configuration file comes to: defaults, variables and included files put in, secrets as ***."
    )

    @OptionGroup var file: ConfigurationFile

    func validate() throws { _ = try file.required() }

    func run() throws {
        let report = loadConfiguration(at: try file.required(), from: SystemConfigurationSource.ofAgent())
        if !report.problems.isEmpty { Terminal.printToStandardError(report) }
        guard let configuration = report.configuration else { throw ExitStatus.badConfiguration }
        print(
            ConfigurationRendering.yaml(of: configuration.effective(readFrom: try file.required())),
            terminator: "")
    }
}
