import Foundation

/// A page of Markdown, as far as its links are concerned.
struct MarkdownPage {
    /// From the package's root.
    let path: String
    /// What its links name, in order.
    let targets: [String]
    /// What a link may name behind `#`.
    let anchors: Set<String>
    let lineCount: Int

    init(path: String, text: String) {
        self.path = path
        var targets: [String] = []
        var anchors: Set<String> = []
        var isCode = false
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for line in lines {
            if line.starts(with: "```") {
                isCode.toggle()
            } else if !isCode {
                if let heading = line.firstMatch(of: /^#{1,6} +(.*)$/) {
                    anchors.insert(Self.unused(Self.anchor(of: String(heading.1)), anchors))
                }
                targets += Self.targets(in: String(line))
            }
        }
        self.targets = targets
        self.anchors = anchors
        lineCount = lines.count - (text.hasSuffix("\n") ? 1 : 0)
    }

    /// What the links of a line name; none in code.
    private static func targets(in line: String) -> [String] {
        let plain = line.replacing(/`[^`]*`/, with: "code")
        return plain.matches(of: /\]\(([^)]*)\)/).map { String($0.1) }
            + plain.matches(of: /^ *\[[^\]]+\]: *(\S+)/).map { String($0.1) }
            + plain.matches(of: /<(https?:[^>]*)>/).map { String($0.1) }
    }

    /// As GitHub makes it of a heading.
    private static func anchor(of heading: String) -> String {
        let text = heading.replacing(/\[([^\]]*)\]\([^)]*\)/) { $0.1 }
        return text.trimmingCharacters(in: .whitespaces).lowercased().compactMap { character in
            if character.isLetter || character.isNumber || "-_".contains(character) {
                return String(character)
            }
            return character == " " ? "-" : nil
        }.joined()
    }

    private static func unused(_ anchor: String, _ used: Set<String>) -> String {
        guard used.contains(anchor) else { return anchor }
        var number = 1
        while used.contains("\(anchor)-\(number)") { number += 1 }
        return "\(anchor)-\(number)"
    }
}

/// The pages of a package, and the files to which they may lead.
struct MarkdownPages {
    let pages: [String: MarkdownPage]
    /// From the package's root: files, and folders without a slash behind.
    let files: Set<String>

    /// - Parameter root: what Git and the build keep there, in `.git` and `.build…`, is passed over.
    init(of root: URL) throws {
        var files: Set<String> = []
        let manager = FileManager.default
        for name in try manager.contentsOfDirectory(atPath: root.path)
        where name != ".git" && !name.starts(with: ".build") {
            files.insert(name)
            let below = manager.enumerator(atPath: root.appendingPathComponent(name).path)
            files.formUnion(below?.compactMap { $0 as? String }.map { "\(name)/\($0)" } ?? [])
        }
        let texts = try files.filter { $0.hasSuffix(".md") }.map { path in
            (path, try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8))
        }
        self.init(texts: Dictionary(uniqueKeysWithValues: texts), files: files)
    }

    init(texts: [String: String], files: Set<String>) {
        pages = Dictionary(uniqueKeysWithValues: texts.map { ($0, MarkdownPage(path: $0, text: $1)) })
        self.files = files.union(texts.keys)
    }

    /// What is wrong with a link of a page; nil when it leads somewhere. Of links that leave the package only the form is
    /// looked at.
    func fault(of target: String, on page: String) -> String? {
        if target.isEmpty { return "is empty" }
        if target.contains("://") {
            let url = URL(string: target)
            let isGood = ["https", "http"].contains(url?.scheme) && url?.host()?.contains(".") == true
            return isGood ? nil : "is no URL"
        }
        let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        guard let file = path(of: String(parts[0]), from: page) else { return "leaves the repository" }
        guard files.contains(file) else { return "there is no \(file)" }
        guard parts.count == 2 else { return nil }
        guard let anchors = pages[file]?.anchors else { return "\(file) is no page" }
        return anchors.contains(String(parts[1])) ? nil : "\(file) has no such heading"
    }

    /// Pages to which links lead from one.
    func neighbours(of page: String) -> [String] {
        (pages[page]?.targets ?? []).compactMap { target in
            path(of: String(target.prefix { $0 != "#" }), from: page).flatMap { pages[$0]?.path }
        }
    }

    /// - Returns: nil for a path that leads out of the package.
    private func path(of relative: String, from page: String) -> String? {
        guard !relative.isEmpty else { return page }
        var parts = page.split(separator: "/").dropLast()
        for part in relative.split(separator: "/") where part != "." {
            if part != ".." {
                parts.append(part)
            } else if parts.popLast() == nil {
                return nil
            }
        }
        return parts.joined(separator: "/")
    }
}
