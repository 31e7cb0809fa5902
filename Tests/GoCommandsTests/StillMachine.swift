import GoCommands
import TunnelConfiguration

/// A machine for tests: files and environment, and nothing that runs.
struct StillMachine: ConfigurationSource {
    /// With the certificates of authorities that nearly every machine has.
    var files = ["/etc/ssl/certs/ca-certificates.crt": ""]
    var folders: Set<String> = ["/folder", "/run", "/var/log"]
    var environment: [String: String] = [:]

    func readFile(at path: String, sizeLimit: Int) throws(ConfigurationSourceError) -> ConfigurationFile {
        guard let text = files[path] else { throw .notFound }
        return ConfigurationFile(bytes: Array(text.utf8), isWorldReadable: false)
    }

    func kind(ofPath path: String) -> PathKind {
        if folders.contains(path) { return .folder }
        return files[path] == nil ? .missing : .file
    }

    func listFolder(at path: String) throws(ConfigurationSourceError) -> [String] { throw .notFound }

    var now: Int { 0 }

    func fault(of pair: KeyPair) -> KeyPairFault? { nil }

    func identity(ofFile path: String) -> String { path }

    func environmentVariable(_ name: String) -> String? { environment[name] }

    func firstLine(
        ofCommand command: [String], timeLimit: Duration, sizeLimit: Int
    ) throws(ConfigurationSourceError) -> [UInt8] { throw .notFound }
}

/// What a command line gave.
struct CommandResult {
    var configuration: AgentConfiguration?
    var errors: [String]
    var warnings: [String]
    var plan: CommandPlan?
}

/// Reads a command line in `/folder`.
func read(
    _ command: GoCommand, _ arguments: [String], secrets: [String: String] = [:],
    _ machine: StillMachine = StillMachine()
) -> CommandResult {
    let surroundings = CommandSurroundings(secrets: secrets, workingFolder: "/folder")
    guard case .plan(let plan) = command.read(arguments, surroundings) else {
        return CommandResult(configuration: nil, errors: ["no plan"], warnings: [])
    }
    let (configuration, messages) = plan.load(from: machine)
    return CommandResult(
        configuration: configuration, errors: messages.errors, warnings: messages.warnings, plan: plan)
}
