/// What parsing gave: a tree, and every problem that one pass could find. With problems the tree is what
/// could be understood, good for finding more of them but not for use.
package struct YAMLParseResult: Sendable {
    /// The root, or nil for an empty file or one that could not be read at all.
    package let root: YAMLNode?
    /// In the order of the file; empty when the document is sound.
    package let problems: [YAMLProblem]
}

/// Parses one YAML 1.1 document.
///
/// Never fails to return: time and memory are bounded by `limits`, whatever the bytes hold.
package func parseYAML(_ text: YAMLText, limits: YAMLLimits = YAMLLimits()) -> YAMLParseResult {
    if let problem = text.firstProblem(limits: limits) {
        return YAMLParseResult(root: nil, problems: [problem])
    }
    if let problem = firstTagDirective(in: text) {
        return YAMLParseResult(root: nil, problems: [problem])
    }
    var composer = YAMLComposer(limits: limits)
    if let problem = forEachYAMLEvent(in: text, { composer.take($0) }) {
        composer.report(named(problem, in: text))
    }
    return YAMLParseResult(root: composer.root, problems: composer.problems.sorted { $0.mark < $1.mark })
}

/// libyaml compares each `%TAG` with all before it: a file of nothing else would take hours. A configuration
/// has no use for them.
private func firstTagDirective(in text: YAMLText) -> YAMLProblem? {
    let directive = Array("%TAG".utf8)
    // The last byte of each line break that libyaml knows: LF, CR, NEL, LS, PS.
    let breaks: Set<UInt8> = [0x0a, 0x0d, 0x85, 0xa8, 0xa9]
    var rest = text.bytes
    while let percent = rest.firstIndex(of: directive[0]) {
        let isLineStart = percent == text.bytes.startIndex || breaks.contains(text.bytes[percent - 1])
        if isLineStart && rest[percent...].starts(with: directive) {
            let line = YAMLText(Array(text.bytes[..<percent])).lines.count
            return YAMLProblem(.tagDirective, at: YAMLMark(line: line, column: 1))
        }
        rest = rest[(percent + 1)...]
    }
    return nil
}

/// The problem that stopped libyaml, in more than its words where the character at its place tells more.
private func named(_ problem: YAMLProblem, in text: YAMLText) -> YAMLProblem {
    let lines = text.lines
    guard lines.indices.contains(problem.mark.line - 1),
        let scalar = lines[problem.mark.line - 1].unicodeScalars.dropFirst(problem.mark.column - 1).first
    else { return problem }
    if scalar == "\t" { return YAMLProblem(.tab, at: problem.mark) }
    if case .syntax(problem: "found character that cannot start any token", _, _) = problem.kind {
        return YAMLProblem(.cannotStart(with: scalar), at: problem.mark)
    }
    return problem
}
