import Foundation
import Testing

/// `Sources/README.md`: that what it names is there.
@Suite struct MapTests {
    /// What a page names in code: words in mixed case, as types, functions and files have them, and paths.
    struct Names: Equatable {
        var words: Set<String> = []
        var paths: Set<String> = []

        init(in text: String) {
            var isPicture = false
            for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
                if line.starts(with: "```") {
                    isPicture.toggle()
                } else if isPicture {
                    add(line)
                } else {
                    for code in line.matches(of: /`([^`]+)`/) { add(code.1) }
                }
            }
        }

        private mutating func add(_ code: Substring) {
            if code.wholeMatch(of: /[\w+]+(?:\/[\w+]+)+/) != nil { paths.insert(String(code)) }
            words.formUnion(code.matches(of: /\b[A-Za-z]+[a-z][A-Z]\w*/).map { String($0.0) })
        }
    }

    /// Whether a path leads to a file, written without its extension, or a folder; folders in between may be left out.
    static func leads(_ path: String, to file: String) -> Bool {
        var rest = file.split(separator: "/")[...]
        for part in path.split(separator: "/") {
            guard let index = rest.firstIndex(where: { $0 == part || $0.hasPrefix("\(part).") }) else {
                return false
            }
            rest = rest[rest.index(after: index)...]
        }
        return true
    }

    @Test func whatTheMapNamesIsThere() throws {
        let page = SourceTree.root.appendingPathComponent("Sources/README.md")
        let names = Names(in: try String(contentsOf: page, encoding: .utf8))
        #expect(names.words.count > 100 && names.paths.count > 10)
        let sources = try SourceTree.swiftFiles(below: "Sources")
        let files = try sources + SourceTree.swiftFiles(below: "Tests")
        var words: Set<String> = []
        for text in sources.map(\.text) + files.map(\.path) {
            words.formUnion(
                text.utf8
                    .split { !($0 == UInt8(ascii: "_") || $0 >= 0x80 || Self.isAlphanumeric($0)) }
                    .map { String(decoding: $0, as: UTF8.self) })
        }
        for word in names.words.sorted() where !words.contains(word) {
            Issue.record("Sources/README.md names \(word), which is not there any more")
        }
        for path in names.paths.sorted() where !files.contains(where: { Self.leads(path, to: $0.path) }) {
            Issue.record("Sources/README.md names \(path), where nothing is any more")
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }

    @Test func namesAreFoundInCodeAndInPictures() {
        let names = Names(
            in:
                "`CallerRoute.refuse` and `Caller/CallerHandler+Leaving`, not TurnOrder nor `GOAWAY`\n```\nMuxFrame ─▶\n```\n"
        )
        #expect(names.words == ["CallerRoute", "CallerHandler", "MuxFrame"])
        #expect(names.paths == ["Caller/CallerHandler+Leaving"])
    }

    @Test(arguments: [
        ("A/B", true), ("A/B/C", true), ("A/C", true), ("B/C", true), ("A/D", false), ("C/A", false),
        ("A/Ca", false),
    ]) func aPathLeadsToAFile(path: String, isThere: Bool) {
        #expect(Self.leads(path, to: "Sources/A/B/C.swift") == isThere)
    }
}
