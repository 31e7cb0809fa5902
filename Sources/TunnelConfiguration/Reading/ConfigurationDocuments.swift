import YAMLDocument

/// The YAML files of one reading, kept for the excerpts of what is wrong in them.
struct ConfigurationDocuments {
    private struct Document {
        let text: YAMLText
        /// Nil when the document has problems of its own.
        let root: YAMLNode?
    }

    private var documents: [String: Document] = [:]

    /// Parses a file and records what is wrong with its YAML.
    /// - Returns: the root as far as it could be understood, or nil: there is nothing in it.
    mutating func parse(_ content: ConfigurationFile, _ file: SourceFile, _ pass: LoadingPass) -> Parsed {
        let text = YAMLText(content.bytes)
        let parsed = parseYAML(text)
        for problem in parsed.problems { pass.report(problem, in: file) }
        let isSound = parsed.problems.isEmpty
        documents[file.path] = Document(text: text, root: isSound ? parsed.root : nil)
        guard let root = parsed.root, !(root.scalar?.isNull ?? false) else {
            return Parsed(root: nil, isSound: isSound)
        }
        let field = MappingReader.Field(node: root, keyMark: root.mark, path: "", file: file)
        return Parsed(root: field, isSound: isSound)
    }

    struct Parsed {
        /// Nil when there is nothing in the file.
        let root: MappingReader.Field?
        let isSound: Bool
    }

    /// The problems with the lines that they point to, and with what is hard to see there.
    func addingExcerpts(to problems: [ConfigurationProblem]) -> [ConfigurationProblem] {
        var lines: [String: Set<Int>] = [:]
        for problem in problems {
            if let place = problem.place { lines[problem.file, default: []].insert(place.line) }
        }
        var excerpts: [String: ExcerptSource] = [:]
        for (file, wanted) in lines {
            guard let document = documents[file] else { continue }
            excerpts[file] = ExcerptSource(text: document.text, root: document.root, wanted: wanted)
        }
        return problems.map { problem in
            guard let place = problem.place else { return problem }
            var problem = problem
            let source = excerpts[problem.file]
            problem.excerpt = source?.excerpt(at: place)
            guard problem.severity == .error else { return problem }
            var space = source?.strangeSpace(in: place.line)
            // YAML may have noticed only in the next line that something is wrong.
            if space == nil, problem.path.isEmpty {
                space = source?.strangeSpace(in: place.line - 1).map { "line \(place.line - 1), \($0)" }
            }
            if let space { problem.advice = problem.advice.map { "\($0); \(space)" } ?? space }
            return problem
        }
    }
}
