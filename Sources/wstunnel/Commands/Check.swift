import ArgumentParser
import HostSystem
import TunnelConfiguration

/// `wstunnel check --config tunnels.yaml`
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Checks a configuration file: exit 0 when it is good, 78 when it is not.")

    @OptionGroup var file: ConfigurationFile

    @Option(help: "How to print what was found.")
    var format = OutputFormat.text

    @Flag(help: "Look at the file alone: no environment, no other file, no command.")
    var offline = false

    func validate() throws { _ = try file.required() }

    func run() throws {
        let config = try file.required()
        let report = loadConfiguration(
            at: config, from: SystemConfigurationSource.ofAgent(), options: LoadingOptions(isOffline: offline)
        )
        switch format {
        case .json:
            print(ProblemRendering.json(of: report))
        case .text:
            if report.problems.isEmpty {
                print("\(config): good")
            } else {
                Terminal.printToStandardError(report)
            }
        }
        guard report.isValid else { throw ExitStatus.badConfiguration }
    }
}
