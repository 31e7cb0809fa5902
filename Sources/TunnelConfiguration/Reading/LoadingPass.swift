import YAMLDocument

/// One reading of one configuration: collects problems and is the single way to the outside.
///
/// Lives within one call of `loadConfiguration`; nothing of it is kept.
final class LoadingPass {
    let source: any ConfigurationSource
    let options: LoadingOptions

    private(set) var problems: [ConfigurationProblem] = []
    private(set) var errorCount = 0
    private(set) var warningCount = 0
    /// What was asked for outside, in this order.
    private(set) var sources = ConfigurationSources()
    private var reported: Set<ConfigurationProblem> = []
    /// For which unknown key the keys of its section were listed.
    private var listed: [ConfigurationSection: SourcePlace] = [:]
    /// Places with a problem of the YAML layer: what follows from it is not reported again.
    private var brokenPlaces: Set<BrokenPlace> = []
    private var files: [String: Result<ConfigurationFile, ConfigurationSourceError>] = [:]
    private var folders: [String: Result<[String], ConfigurationSourceError>] = [:]
    private var outputs: [[String]: Result<[UInt8], ConfigurationSourceError>] = [:]

    /// Whether the main file names a file in which bytes are counted.
    var keepsUsage = false
    /// Nil before the first look.
    private var hasRoots: Bool?

    private struct BrokenPlace: Hashable {
        let file: String
        let place: ConfigurationProblem.Place
    }

    /// Problems kept of each severity: enough to work on, too few to fill the memory.
    static let keptProblems = 100
    /// A password or token; bounds what a wrong path (a disk, a log) can make us read.
    static let secretSizeLimit = 64 * 1024
    /// A `passwords-file`: room for tens of thousands of lines.
    static let passwordsSizeLimit = 4 * 1024 * 1024
    /// A page that is shown in a tunnel's place.
    static let pageSizeLimit = 256 * 1024
    /// A `*-command` that takes longer is killed.
    static let commandTimeLimit: Duration = .seconds(10)

    init(source: any ConfigurationSource, options: LoadingOptions) {
        self.source = source
        self.options = options
    }

    /// Whether the keys of a section are to be listed for an unknown one: once is enough, and a mapping that is read again
    /// gets the same message again.
    func isFirstList(of section: ConfigurationSection, at place: SourcePlace) -> Bool {
        if let first = listed[section] { return first == place }
        listed[section] = place
        return true
    }

    /// Records a problem. One that `defaults` hands to many entries is recorded once.
    func report(_ problem: ConfigurationProblem) {
        if let place = problem.place, !problem.path.isEmpty,
            brokenPlaces.contains(BrokenPlace(file: problem.file, place: place))
        {
            return
        }
        guard reported.count < 100 * Self.keptProblems else {
            count(problem.severity)
            return
        }
        guard reported.insert(problem).inserted else { return }
        count(problem.severity)
        let kept = problem.severity == .error ? errorCount : warningCount
        if kept <= Self.keptProblems { problems.append(problem) }
    }

    private func count(_ severity: ConfigurationProblem.Severity) {
        if severity == .error { errorCount += 1 } else { warningCount += 1 }
    }

    /// Records a problem of the YAML layer in this module's words.
    func report(_ problem: YAMLProblem, in file: SourceFile) {
        let (message, advice) = Self.explanation(of: problem.kind)
        error(at: SourcePlace(file, problem.mark), "", message, advice: advice)
        brokenPlaces.insert(
            BrokenPlace(file: file.path, place: ConfigurationProblem.Place(problem.mark)))
    }

    func error(at place: SourcePlace, _ path: String, _ message: String, advice: String? = nil) {
        report(
            ConfigurationProblem(
                severity: .error, file: place.file.path,
                place: place.mark.map(ConfigurationProblem.Place.init), path: path,
                message: message, advice: advice))
    }

    func warning(at place: SourcePlace, _ path: String, _ message: String, advice: String? = nil) {
        report(
            ConfigurationProblem(
                severity: .warning, file: place.file.path,
                place: place.mark.map(ConfigurationProblem.Place.init), path: path,
                message: message, advice: advice))
    }

    /// Reads each file once, however many entries name it.
    func readFile(_ path: String, sizeLimit: Int) -> Result<ConfigurationFile, ConfigurationSourceError> {
        if let known = files[path] { return known }
        let result = Result { () throws(ConfigurationSourceError) in
            try source.readFile(at: path, sizeLimit: sizeLimit)
        }
        files[path] = result
        sources.files.append(path)
        return result
    }

    /// Whether the machine has no certificates to trust, and nobody has asked before.
    func isFirstToMissRoots() -> Bool {
        guard hasRoots == nil else { return false }
        let hasRoots = SystemRoots.areThere(on: source)
        self.hasRoots = hasRoots
        return !hasRoots
    }

    /// The names in a folder, sorted; each folder is looked at once.
    func listFolder(_ path: String) -> Result<[String], ConfigurationSourceError> {
        if let known = folders[path] { return known }
        let result = Result { () throws(ConfigurationSourceError) in
            try source.listFolder(at: path).sorted()
        }
        folders[path] = result
        sources.folders.append(path)
        return result
    }

    /// Runs each command once, however many entries name it.
    func runCommand(_ command: [String]) -> Result<[UInt8], ConfigurationSourceError> {
        if let known = outputs[command] { return known }
        let result = Result { () throws(ConfigurationSourceError) in
            try source.firstLine(
                ofCommand: command, timeLimit: Self.commandTimeLimit, sizeLimit: Self.secretSizeLimit)
        }
        outputs[command] = result
        return result
    }

    /// Expands the variables of a scalar. Nil when that is impossible (a problem is recorded) or, offline, when
    /// the text depends on a variable.
    func expand(
        _ scalar: YAMLScalar, at place: SourcePlace, _ path: String, isOffline: Bool
    ) -> ValueText? {
        let pieces: [Interpolation.Piece]
        do {
            pieces = try Interpolation.pieces(of: scalar.text)
        } catch {
            reportSyntax(error, at: place, path)
            return nil
        }
        var text = ""
        var hasVariable = false
        var isWhole = true
        for piece in pieces {
            switch piece {
            case .literal(let literal): text += literal
            case .variable(let name, let defaultText):
                hasVariable = true
                let value = isOffline ? nil : source.environmentVariable(name)
                if let defaultText {
                    text += value.flatMap { $0.isEmpty ? nil : $0 } ?? defaultText
                } else if let value {
                    text += value
                } else {
                    isWhole = false
                    if !isOffline { error(at: place, path, "${\(name)} is not set in the environment") }
                }
            }
        }
        guard isWhole else { return nil }
        return ValueText(text: text, isAlwaysText: scalar.isAlwaysText && !hasVariable)
    }

    private func reportSyntax(_ fault: Interpolation.SyntaxFault, at place: SourcePlace, _ path: String) {
        switch fault {
        case .unclosed:
            error(
                at: place, path, "\"${\" has no closing \"}\"",
                advice: "close it, or write $${ for a literal ${")
        case .badName:
            error(
                at: place, path, "\"${…}\" holds no variable name",
                advice: "write ${NAME} or ${NAME:-default}, or $${ for a literal ${")
        }
    }
}

extension ConfigurationProblem.Place {
    init(_ mark: YAMLMark) { self.init(line: mark.line, column: mark.column) }
}
