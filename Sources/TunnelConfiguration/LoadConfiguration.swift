import YAMLDocument

/// How a configuration is read.
package struct LoadingOptions: Hashable, Sendable {
    /// Look at the configuration file alone: no environment, no other file, no command. What depends on them is
    /// not checked, and no configuration comes out.
    package var isOffline: Bool

    package init(isOffline: Bool = false) { self.isOffline = isOffline }
}

/// What reading a configuration gave.
package struct ConfigurationReport: Sendable {
    /// There without errors, unless read offline.
    package let configuration: AgentConfiguration?
    /// In the order of the file; at most 100 of each severity.
    package let problems: [ConfigurationProblem]
    /// All errors, those beyond the kept ones included.
    package let errorCount: Int
    /// All warnings, those beyond the kept ones included.
    package let warningCount: Int

    /// Whether the file is good as far as it was looked at.
    package var isValid: Bool { errorCount == 0 }
}

/// Reads, checks and completes a configuration: every problem comes back at once.
///
/// May wait for files and commands of `source`: never call it on an event loop.
/// - Parameter path: the configuration file; other files are relative to its folder.
package func loadConfiguration(
    at path: String, from source: any ConfigurationSource, options: LoadingOptions = LoadingOptions()
) -> ConfigurationReport {
    let pass = LoadingPass(file: path, source: source, options: options)
    var configuration: AgentConfiguration?
    var excerpts: ExcerptSource?
    let limits = YAMLLimits()
    switch pass.readFile(path, sizeLimit: limits.size) {
    case .failure(.tooLarge):
        pass.error(at: nil, "", "the file is longer than 10 MiB", advice: "split it, or correct the path")
    case .failure(let error):
        pass.error(at: nil, "", "cannot read the configuration: \(error)", advice: error.configurationAdvice)
    case .success(let file):
        pass.isWorldReadable = file.isWorldReadable
        let text = YAMLText(file.bytes)
        let parsed = parseYAML(text, limits: limits)
        for problem in parsed.problems { pass.report(problem) }
        if let root = parsed.root, !root.isEmpty {
            configuration = AgentDecoder(pass: pass).decode(root)
        } else if parsed.problems.isEmpty {
            pass.error(
                at: YAMLMark(line: 1, column: 1), "", "the file is empty",
                advice: "add \"servers\" or \"tunnels\"")
        }
        excerpts = ExcerptSource(text: text, root: parsed.problems.isEmpty ? parsed.root : nil)
    }
    let problems = pass.problems.map { problem in
        guard problem.file == path, let place = problem.place else { return problem }
        var problem = problem
        problem.excerpt = excerpts?.excerpt(at: place)
        return problem
    }
    return ConfigurationReport(
        configuration: pass.errorCount == 0 && !options.isOffline ? configuration : nil,
        problems: problems.sorted { left, right in
            (left.file == path ? 0 : 1, left.file, left.place?.line ?? 0, left.place?.column ?? 0)
                < (right.file == path ? 0 : 1, right.file, right.place?.line ?? 0, right.place?.column ?? 0)
        },
        errorCount: pass.errorCount, warningCount: pass.warningCount)
}

extension ConfigurationSourceError {
    fileprivate var configurationAdvice: String? {
        self == .notFound ? "name an existing file with --config" : fileAdvice
    }
}

extension YAMLNode {
    fileprivate var isEmpty: Bool { scalar?.isNull ?? false }
}
