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

/// Takes secrets out of texts: those that are known, and whatever stands where secrets do.
package struct Redaction: Sendable {
    /// Shorter ones would take half of each text with them; they are no secrets either.
    private static let shortest = 3
    private static let schemes = ["basic ", "bearer "]

    private let secrets: [String]

    /// - Parameter secrets: tokens, passwords and the like.
    package init(_ secrets: some Sequence<String>) {
        // Of two that begin alike the longer one first: else its end would stay.
        self.secrets = Set(secrets.filter { $0.utf8.count >= Self.shortest }).sorted {
            ($0.utf8.count, $0) > ($1.utf8.count, $1)
        }
    }

    package func apply(to text: String) -> String {
        let known = secrets.reduce(text) { $0.replacing($1, with: "***") }
        return known.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            Self.withoutCredentials(Self.withoutTokens(Self.withoutSchemes(String(line))))
        }.joined(separator: "\n")
    }

    /// `Authorization: Basic …` and `Bearer …`, wherever they stand.
    private static func withoutSchemes(_ line: String) -> String {
        schemes.reduce(line) { line, scheme in
            hidden(line, behind: scheme) { $0 == " " || $0 == "\"" || $0 == "," }
        }
    }

    /// `/_token/…`
    private static func withoutTokens(_ line: String) -> String {
        hidden(line, behind: "/_token/") { $0 == "/" || $0 == " " || $0 == "\"" || $0 == "?" }
    }

    private static func hidden(
        _ line: String, behind mark: String, upTo isEnd: (Character) -> Bool
    ) -> String {
        var shown = ""
        var rest = line[...]
        while let place = rest.firstRange(ofLowercased: mark) {
            shown += rest[..<place.upperBound]
            let secret = rest[place.upperBound...].prefix { !isEnd($0) }
            if !secret.isEmpty { shown += "***" }
            rest = rest[secret.endIndex...]
        }
        return shown + rest
    }

    /// `scheme://user:password@host`
    private static func withoutCredentials(_ line: String) -> String {
        var shown = ""
        var rest = line[...]
        while let place = rest.firstRange(of: "://") {
            shown += rest[..<place.upperBound]
            let authority = rest[place.upperBound...].prefix {
                $0 != "/" && $0 != " " && $0 != "\"" && $0 != "?"
            }
            rest = rest[place.upperBound...]
            guard let at = authority.lastIndex(of: "@") else { continue }
            shown += "***"
            rest = rest[at...]
        }
        return shown + rest
    }
}

extension Substring {
    /// Of ASCII in lower case, whatever the case here.
    fileprivate func firstRange(ofLowercased text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            var (here, there) = (start, text.startIndex)
            while here < endIndex, there < text.endIndex, self[here].lowercased() == String(text[there]) {
                formIndex(after: &here)
                text.formIndex(after: &there)
            }
            if there == text.endIndex { return start..<here }
            formIndex(after: &start)
        }
        return nil
    }
}
