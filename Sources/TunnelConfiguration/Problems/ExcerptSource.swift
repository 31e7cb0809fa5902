import YAMLDocument

/// Cuts offending lines out of the file, secrets replaced, for a caret below them.
///
/// What may be shown is decided by key: values of keys that take secrets, of unknown keys (which may be misspelt
/// ones), and URLs with userinfo are hidden. Where the file could not be parsed, a line is shown only when it
/// consists of known, harmless keys.
struct ExcerptSource {
    private let lines: [String]
    /// For each line, by number from 1, the columns to hide; nil where the file could not be parsed.
    private let hidden: [Int: [Range<Int>]]?
    /// For each line the first column behind its last value.
    private var ends: [Int: Int] = [:]

    private static let hiddenText = Secret.stars
    /// Characters of a line that are shown at most.
    private static let longest = 100

    /// - Parameters:
    ///   - root: nil when the document has problems of its own.
    ///   - wanted: the lines that will be asked for.
    init(text: YAMLText, root: YAMLNode?, wanted: Set<Int>) {
        lines = text.lines
        guard let root else {
            hidden = nil
            return
        }
        var scan = SecretScan(wanted: wanted)
        scan.visit(root, isShown: true)
        hidden = scan.hidden
        ends = scan.ends
    }

    /// The line at a place, or nil when there is none that may be shown.
    func excerpt(at place: ConfigurationProblem.Place) -> ConfigurationProblem.Excerpt? {
        guard lines.indices.contains(place.line - 1) else { return nil }
        let line = Array(lines[place.line - 1].unicodeScalars)
        guard let hidden else {
            return isHarmless(lines[place.line - 1]) ? cut(line, caret: place.column) : nil
        }
        var shown: [Unicode.Scalar] = []
        var caret = place.column
        var column = 1
        let ranges = (hidden[place.line] ?? []).sorted { $0.lowerBound < $1.lowerBound }
        for range in ranges where range.upperBound > column {
            shown += slice(line, column, range.lowerBound)
            if place.column > range.lowerBound {
                let removed = min(place.column, range.upperBound) - max(range.lowerBound, column)
                caret -= removed - (place.column >= range.upperBound ? Self.hiddenText.count : 0)
            }
            shown += Array(Self.hiddenText.unicodeScalars)
            column = range.upperBound
        }
        let rest = slice(line, column, line.count + 1)
        // A comment may hold an old secret.
        let end = (ends[place.line] ?? 1) - column
        let comment = rest.indices.first { $0 >= end && rest[$0] == "#" }
        return cut(shown + (comment.map { Array(rest[..<$0]) } ?? rest), caret: caret)
    }

    /// What to do about white space in a line that is none for YAML.
    func strangeSpace(in line: Int) -> String? {
        lines.indices.contains(line - 1) ? StrangeSpace.advice(in: lines[line - 1]) : nil
    }

    private func slice(_ line: [Unicode.Scalar], _ from: Int, _ to: Int) -> [Unicode.Scalar] {
        guard from < to, from <= line.count else { return [] }
        return Array(line[(from - 1)..<min(to - 1, line.count)])
    }

    /// A window of the line around the caret, tabs and control characters as spaces.
    private func cut(_ line: [Unicode.Scalar], caret: Int) -> ConfigurationProblem.Excerpt {
        let start = max(0, min(caret - 1, line.count) - Self.longest * 3 / 4)
        let window = start < line.count ? line[start..<min(line.count, start + Self.longest)] : []
        var text = String.UnicodeScalarView()
        for scalar in window {
            text.append(scalar.properties.generalCategory == .control ? " " : scalar)
        }
        var shown = String(text)
        while shown.last == " " { shown.removeLast() }
        return ConfigurationProblem.Excerpt(line: shown, column: caret - start)
    }

    private func isHarmless(_ line: String) -> Bool {
        let content = line.drop { " \t-{[".contains($0) }
        guard let colon = content.firstIndex(of: ":"), !line.contains("@") else { return false }
        let lowered = line.lowercased()
        guard !["tok", "pass", "pw", "secret", "key", "cred", "#"].contains(where: lowered.contains),
            SecretScan.harmlessKeys.contains(String(content[..<colon]))
        else { return false }
        // One key only: what stands under a second one is not known without parsing.
        return !content[content.index(after: colon)...].contains(": ")
    }
}

/// Finds the places in a sound document that must not be shown.
struct SecretScan {
    private(set) var hidden: [Int: [Range<Int>]] = [:]
    private(set) var ends: [Int: Int] = [:]
    private let wanted: Set<Int>
    /// What was looked at already: aliases lead to the same node again and again.
    private var visited: Set<Visit> = []

    private struct Visit: Hashable {
        let mark: YAMLMark
        let end: YAMLMark
        let isShown: Bool
    }

    /// Keys whose values hold no secret wherever they stand.
    static let harmlessKeys: Set<String> = {
        let keys = ConfigurationSection.allCases.flatMap(\.keys)
        let secret = Set(keys.filter(\.shape.isSecret).map(\.name))
        return Set(keys.map(\.name)).subtracting(secret)
    }()

    private static let secretKeys = Set(
        ConfigurationSection.allCases.flatMap(\.keys).filter(\.shape.isSecret).map(\.name))

    private static let allKeys = ConfigurationSection.allCases.flatMap(\.keys).map(\.name)

    init(wanted: Set<Int>) { self.wanted = wanted }

    /// What the keys of a mapping may be, where it stands.
    enum KeyTrust {
        case keys
        /// Some are tokens, perhaps.
        case mayBeTokens
        /// A secret that was not quoted looks so.
        case areSecret
    }

    mutating func visit(_ node: YAMLNode, isShown: Bool, _ trust: KeyTrust = .keys) {
        let here = Visit(mark: node.mark, end: node.end, isShown: isShown)
        guard visited.insert(here).inserted else { return }
        switch node.content {
        case .scalar(let scalar):
            note(
                node.mark, node.end,
                isShown: isShown && !mayHoldUserinfo(scalar.text) || isVariable(scalar.text))
        case .sequence(let items):
            for item in items { visit(item, isShown: isShown, trust) }
        case .mapping(let entries):
            for entry in entries {
                note(entry.keyMark, entry.keyEnd, isShown: showsKey(entry, trust))
                visit(
                    entry.value, isShown: isShown && showsValue(entry), trustBelow(entry, trust))
            }
        }
    }

    /// Keys that resemble none of ours may be secrets in the wrong place, when they are long or stand alone:
    /// what follows a comma in an unquoted password does.
    private func showsKey(_ entry: YAMLEntry, _ trust: KeyTrust) -> Bool {
        guard wanted.contains(entry.keyMark.line) else { return true }
        if trust != .areSecret, entry.value.scalar?.isNull != true {
            if entry.key.count <= 12 || trust == .keys && KeyText.isPlain(entry.key) { return true }
        }
        return NearMiss.nearest(to: entry.key, among: Self.allKeys) != nil
    }

    private func trustBelow(_ entry: YAMLEntry, _ trust: KeyTrust) -> KeyTrust {
        if entry.key == Keys.passwordEntries.name { return .mayBeTokens }
        return trust == .areSecret || Self.secretKeys.contains(entry.key) ? .areSecret : .keys
    }

    /// `passwords` of a server is a list of mappings, whose own keys decide; a password entry's is secret.
    private func showsValue(_ entry: YAMLEntry) -> Bool {
        if Self.harmlessKeys.contains(entry.key) { return true }
        guard entry.key == Keys.passwordEntries.name, let items = entry.value.sequence else { return false }
        return items.allSatisfy { $0.mapping != nil }
    }

    private mutating func note(_ start: YAMLMark, _ end: YAMLMark, isShown: Bool) {
        for line in start.line...max(start.line, end.line) where wanted.contains(line) {
            let from = line == start.line ? start.column : 1
            let to = line == end.line ? end.column : Int.max / 2
            if end.line == line { ends[line] = max(ends[line] ?? 1, end.column) }
            if !isShown, from < to { hidden[line, default: []].append(from..<to) }
        }
    }

    /// A scalar that is one variable and nothing else: its name is no secret.
    private func isVariable(_ text: String) -> Bool {
        guard let pieces = try? Interpolation.pieces(of: text), pieces.count == 1,
            case .variable(_, defaultText: nil) = pieces[0]
        else { return false }
        return true
    }
}
