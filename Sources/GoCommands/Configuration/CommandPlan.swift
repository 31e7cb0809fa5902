package import TunnelConfiguration

/// What a command finds around it.
package struct CommandSurroundings: Sendable {
    /// The variables that may hold secrets: `WSTUNNEL_TOKEN`, `WSTUNNEL_PASSWORD`, `WSTUNNEL_PASSWORDS`.
    package var secrets: [String: String]
    /// Where relative file names start; nil when unknown, then they stay as they are.
    package var workingFolder: String?

    /// Variables to take out of the environment, so that no child inherits them.
    package static let secretVariables = [
        SecretSources.tokenVariable, SecretSources.passwordVariable, SecretSources.passwordsVariable,
    ]

    package init(secrets: [String: String] = [:], workingFolder: String? = nil) {
        self.secrets = secrets
        self.workingFolder = workingFolder
    }

    func absolute(_ path: String) -> String {
        guard let workingFolder, !path.hasPrefix("/") else { return path }
        return workingFolder.hasSuffix("/") ? workingFolder + path : "\(workingFolder)/\(path)"
    }
}

/// A command line as the configuration file that does the same, with the secrets beside it.
///
/// What `-print-config` prints is what is run: the text goes through the code that reads files.
package struct CommandPlan: Sendable {
    package let command: GoCommand
    /// The `tunnels.yaml`; secrets stand in it as variables.
    package let text: String
    /// What these variables hold. Never print it.
    package private(set) var variables: [String: String]
    package let isPrinted: Bool
    /// Whether the password is still to be asked for.
    package let needsPassword: Bool
    /// What was found so far.
    package let messages: CommandMessages
    /// Flags and variables by the paths under which problems know them, where they differ.
    private let labels: [String: String]

    init(_ draft: CommandDraft, values: GoFlags.Values) {
        command = draft.command
        text = draft.document()
        variables = draft.variables
        isPrinted = values.booleans["print-config"] == true
        needsPassword = values.booleans["password-prompt"] == true
        messages = draft.messages
        labels = draft.labels
    }

    /// Takes the password that was typed on the terminal.
    package mutating func set(password: String) { variables[SecretSources.passwordVariable] = password }

    /// Reads the configuration, as from a file.
    /// - Returns: nothing when there are errors; all messages, those from before included.
    package func load(
        from machine: any ConfigurationSource
    ) -> (configuration: AgentConfiguration?, messages: CommandMessages) {
        var variables = variables
        // Printing asks nobody.
        if needsPassword, variables[SecretSources.passwordVariable] == nil {
            variables[SecretSources.passwordVariable] = "asked for later"
        }
        let file = "wstunnel \(command.rawValue)"
        let report = loadConfiguration(
            at: file, from: CommandLineSource(file: file, text: text, variables: variables, machine: machine))
        var messages = messages
        for problem in report.problems { add(problem, to: &messages) }
        guard messages.errors.isEmpty else { return (nil, messages) }
        if report.configuration == nil {
            messages.error(report.problems.map(\.description).joined(separator: "; "))
        }
        return (report.configuration, messages)
    }

    private func add(_ problem: ConfigurationProblem, to messages: inout CommandMessages) {
        guard let label = label(of: problem) else { return }
        // File names are absolute here.
        let advice = problem.advice?.replacing(
            "; relative paths start at the folder of the file that names them", with: "")
        if problem.severity == .error {
            messages.error("\(label): \(problem.message)", advice: advice)
        } else {
            messages.warning("\(label): \(problem.message)", advice: advice)
        }
    }

    /// The flag that a problem is about. Nil for an entry as a whole: what is missing in it was found before, in the
    /// words of flags.
    private func label(of problem: ConfigurationProblem) -> String? {
        let entry = "\(command.listKey)[\(command.rawValue)]"
        guard problem.path != entry, !problem.path.isEmpty else { return nil }
        let path =
            problem.path.hasPrefix("\(entry).")
            ? String(problem.path.dropFirst(entry.count + 1)) : problem.path
        let key = String(path.prefix { $0 != "[" })
        return labels[key] ?? "-\(key)"
    }
}

/// The machine with one more file, and secrets as variables.
private struct CommandLineSource: ConfigurationSource {
    let file: String
    let text: String
    let variables: [String: String]
    let machine: any ConfigurationSource

    func readFile(at path: String, sizeLimit: Int) throws(ConfigurationSourceError) -> ConfigurationFile {
        guard path == file else { return try machine.readFile(at: path, sizeLimit: sizeLimit) }
        return ConfigurationFile(bytes: Array(text.utf8), isWorldReadable: false)
    }

    func listFolder(at path: String) throws(ConfigurationSourceError) -> [String] {
        try machine.listFolder(at: path)
    }

    func kind(ofPath path: String) -> PathKind { machine.kind(ofPath: path) }

    func identity(ofFile path: String) -> String { machine.identity(ofFile: path) }

    var now: Int { machine.now }

    func fault(of pair: KeyPair) -> KeyPairFault? { machine.fault(of: pair) }

    func environmentVariable(_ name: String) -> String? {
        variables[name] ?? machine.environmentVariable(name)
    }

    func firstLine(
        ofCommand command: [String], timeLimit: Duration, sizeLimit: Int
    ) throws(ConfigurationSourceError) -> [UInt8] {
        try machine.firstLine(ofCommand: command, timeLimit: timeLimit, sizeLimit: sizeLimit)
    }
}
