/// What somebody sends who reports a fault: a text of sections, which he can read first.
package struct DiagnosticBundle: Sendable {
    /// Longest section, in bytes.
    private static let longestSection = 4 << 20

    private var sections: [(title: String, text: String)] = []
    private let head: String

    /// - Parameter head: what it is, and of when.
    package init(_ head: String) { self.head = head }

    /// - Parameter text: empty for nothing.
    package mutating func add(_ title: String, _ text: String) { sections.append((title, text)) }

    /// The titles of its sections.
    package var titles: [String] { sections.map(\.title) }

    package func text(_ redaction: Redaction) -> String {
        let contents = sections.map { "  \($0.title)\n" }.joined()
        let parts = sections.map { title, text in
            "\n==== \(title) ====\n\n\(Self.cut(Self.shown(redaction.apply(to: text))))"
        }
        return "\(head)\n\nIt holds, with secrets left out:\n\(contents)" + parts.joined()
    }

    /// Line by line, so that nothing in it looks like another section or does something to a terminal.
    private static func shown(_ text: String) -> String {
        guard !text.isEmpty else { return "(nothing)\n" }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines.map { line in
            (line.hasPrefix("====") ? " " : "") + String(line).undeceiving + "\n"
        }.joined()
    }

    private static func cut(_ text: String) -> String {
        guard text.utf8.count > longestSection else { return text }
        return String(decoding: text.utf8.prefix(longestSection), as: UTF8.self) + "\n(cut here)\n"
    }
}
