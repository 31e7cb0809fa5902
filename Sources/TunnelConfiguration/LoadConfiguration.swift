import YAMLDocument

/// How a configuration is read.
package struct LoadingOptions: Hashable, Sendable {
    /// Look at the configuration file alone: no environment, no other file (included ones neither), no command. What depends on them is
    /// not checked, and no configuration comes out.
    package var isOffline: Bool

    package init(isOffline: Bool = false) { self.isOffline = isOffline }
}

/// What a configuration is made of outside of itself, in the order in which it was asked for, each once. Paths are as
/// the configuration names them: those that are not absolute start at the working folder.
package struct ConfigurationSources: Hashable, Sendable {
    /// Files that were read, or tried: the configuration, what it includes, secrets, passwords, certificates.
    package var files: [String]
    /// Folders whose names were compared with the patterns of `include`, those that do not exist included.
    package var folders: [String]

    package init(files: [String] = [], folders: [String] = []) {
        self.files = files
        self.folders = folders
    }
}

/// What reading a configuration gave.
package struct ConfigurationReport: Sendable {
    /// There without errors, unless read offline.
    package let configuration: AgentConfiguration?
    /// Those of the main file first, each file's in its order; at most 100 of each severity.
    package let problems: [ConfigurationProblem]
    /// All errors, those beyond the kept ones included.
    package let errorCount: Int
    /// All warnings, those beyond the kept ones included.
    package let warningCount: Int

    /// What it was made of, for whoever waits for changes; also of a configuration that is not good.
    package let sources: ConfigurationSources

    /// The kept problems of one severity, a line each.
    package func lines(_ severity: ConfigurationProblem.Severity) -> [String] {
        problems.filter { $0.severity == severity }.map(\.description)
    }

    /// Whether the file is good as far as it was looked at.
    package var isValid: Bool { errorCount == 0 }
}

/// Reads, checks and completes a configuration: every problem comes back at once.
///
/// May wait for files and commands of `source`: never call it on an event loop.
/// - Parameter path: the configuration file; other files are relative to the folder of the file that names them.
package func loadConfiguration(
    at path: String, from source: any ConfigurationSource, options: LoadingOptions = LoadingOptions()
) -> ConfigurationReport {
    let pass = LoadingPass(source: source, options: options)
    var documents = ConfigurationDocuments()
    var configuration: AgentConfiguration?
    switch pass.readFile(path, sizeLimit: YAMLLimits().size) {
    case .failure(.tooLarge):
        pass.error(
            at: SourcePlace(SourceFile(path: path)), "", "the file is longer than 10 MiB",
            advice: "split it, or correct the path")
    case .failure(let error):
        pass.error(
            at: SourcePlace(SourceFile(path: path)), "", "cannot read the configuration: \(error)",
            advice: error.configurationAdvice)
    case .success(let content):
        let file = SourceFile(path: path, isWorldReadable: content.isWorldReadable)
        let parsed = documents.parse(content, file, pass)
        if let root = parsed.root {
            configuration = AgentDecoder(pass: pass).decode(
                root, size: content.bytes.count, documents: &documents)
        } else if parsed.isSound {
            pass.error(
                at: SourcePlace(file, YAMLMark(line: 1, column: 1)), "", "the file is empty",
                advice: "add \"servers\" or \"tunnels\"")
        }
    }
    return ConfigurationReport(
        configuration: pass.errorCount == 0 && !options.isOffline ? configuration : nil,
        problems: documents.addingExcerpts(to: pass.problems).sorted { left, right in
            (left.file == path ? 0 : 1, left.file, left.place?.line ?? 0, left.place?.column ?? 0)
                < (right.file == path ? 0 : 1, right.file, right.place?.line ?? 0, right.place?.column ?? 0)
        },
        errorCount: pass.errorCount, warningCount: pass.warningCount, sources: pass.sources)
}

/// The `control-socket` of a configuration file, without a look at anything else in it: who asks an agent need not
/// have its secrets.
///
/// - Returns: nil when there is none, or the file cannot be read.
package func controlSocket(
    ofConfigurationAt path: String, from source: any ConfigurationSource
) -> String? {
    let pass = LoadingPass(source: source, options: LoadingOptions())
    var documents = ConfigurationDocuments()
    guard case .success(let content) = pass.readFile(path, sizeLimit: YAMLLimits().size),
        let root = documents.parse(content, SourceFile(path: path), pass).root
    else { return nil }
    return MappingReader(root, .root, pass: pass).flatMap(AgentDecoder(pass: pass).controlSocket)
}

extension ConfigurationSourceError {
    fileprivate var configurationAdvice: String? {
        self == .notFound ? "name an existing file with --config" : fileAdvice
    }
}
