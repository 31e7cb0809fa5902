import ArgumentParser
import TunnelConfiguration

/// `wstunnel schema`
struct Schema: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints the JSON schema of configuration files, for editors.")

    func run() { print(ConfigurationSchema.json, terminator: "") }
}
