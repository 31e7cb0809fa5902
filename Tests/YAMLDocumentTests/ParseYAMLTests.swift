import Testing
import YAMLDocument

@Suite(.timeLimit(.minutes(1)))
struct ParseYAMLTests {
    @Test func keepsOrderStylesAndPlaces() throws {
        let root = try parse("b: 1\na: [x, 'y', |-\n  never]\n".replacing("|-\n  never", with: "\"z\""))
        let entries = try #require(root.mapping)
        #expect(entries.map(\.key) == ["b", "a"])
        #expect(entries.map(\.keyMark) == [YAMLMark(line: 1, column: 1), YAMLMark(line: 2, column: 1)])
        let items = try #require(entries[1].value.sequence)
        #expect(items.map { $0.scalar?.text } == ["x", "y", "z"])
        #expect(items.map { $0.scalar?.style } == [.plain, .quoted, .quoted])
        #expect(items.map(\.mark.column) == [5, 8, 13])
        #expect(items.map(\.end.column) == [6, 11, 16])
    }

    @Test func columnsCountCharactersNotBytes() throws {
        let root = try parse("{ \"äö€😀\": x }")
        #expect(root.mapping?.first?.value.mark == YAMLMark(line: 1, column: 11))
    }

    @Test func aByteOrderMarkIsNoPartOfTheDocument() throws {
        let result = parseYAML(YAMLText([0xef, 0xbb, 0xbf] + Array("a: b".utf8)))
        #expect(result.root?.mapping?.first?.keyMark == YAMLMark(line: 1, column: 1))
    }

    @Test func blockScalarsAreTexts() throws {
        let root = try parse("a: |\n  12\nb: >-\n  true\n")
        let scalars = try #require(root.mapping).compactMap(\.value.scalar)
        #expect(scalars.map(\.text) == ["12\n", "true"])
        #expect(scalars.allSatisfy { $0.isAlwaysText && $0.integer == nil && $0.boolean == nil })
    }

    @Test func anAliasStandsForItsAnchor() throws {
        let root = try parse("a: &x { k: v }\nb: *x\n")
        let entries = try #require(root.mapping)
        #expect(entries[0].value.mapping == entries[1].value.mapping)
        #expect(entries[1].value.mark == YAMLMark(line: 1, column: 4))
    }

    @Test func mergedKeysComeAfterOwnOnesAndNeverReplaceThem() throws {
        let root = try parse(
            "a: &a { x: 1, y: 2 }\nb: &b { y: 3, z: 4 }\nc: { <<: [*a, *b], x: own }\nd: { \"<<\": text }\n")
        let entries = try #require(root.mapping)
        let merged = try #require(entries[2].value.mapping)
        #expect(merged.map(\.key) == ["x", "y", "z"])
        #expect(merged.map { $0.value.scalar?.text } == ["own", "2", "4"])
        #expect(entries[3].value.mapping?.first?.key == "<<")
    }

    @Test(arguments: ["", "# comment\n", "   \n\n"])
    func anEmptyFileHasNoRoot(_ text: String) {
        let result = parseYAML(YAMLText(Array(text.utf8)))
        #expect(result.root == nil)
        #expect(result.problems.isEmpty)
    }

    struct Example: CustomTestStringConvertible {
        let text: String
        let kind: YAMLProblem.Kind
        let line: Int
        let column: Int
        var testDescription: String { text.debugDescription }
    }

    @Test(arguments: [
        Example(
            text: "a: 1\na: 2", kind: .duplicateKey("a", first: YAMLMark(line: 1, column: 1)), line: 2,
            column: 1),
        Example(
            text: "a: 1\n\"a\": 2", kind: .duplicateKey("a", first: YAMLMark(line: 1, column: 1)), line: 2,
            column: 1),
        Example(text: "[a]: b", kind: .keyIsNoScalar, line: 1, column: 1),
        Example(text: "a: *b", kind: .unknownAlias("b"), line: 1, column: 4),
        Example(text: "a: &a [*a]", kind: .recursiveAlias("a"), line: 1, column: 8),
        Example(text: "a: !x y", kind: .unknownTag("!x"), line: 1, column: 4),
        Example(text: "a: !!seq {}", kind: .unknownTag("tag:yaml.org,2002:seq"), line: 1, column: 4),
        Example(text: "<<: 1", kind: .mergeOfNoMapping, line: 1, column: 5),
        Example(text: "a: 1\n---\nb: 2", kind: .severalDocuments, line: 2, column: 1),
        Example(text: "a: \"\\0\"", kind: .nul, line: 1, column: 4),
        Example(text: "ä: 1\nb\u{0}", kind: .nul, line: 2, column: 2),
        Example(text: "a: \u{1}", kind: .forbiddenCharacter(1), line: 1, column: 4),
        Example(text: "a: \u{FEFF}", kind: .forbiddenCharacter(0xfeff), line: 1, column: 4),
        Example(text: "a:\n\t- b", kind: .tab, line: 2, column: 1),
        Example(text: "%TAG ! x:\n---\na: b", kind: .tagDirective, line: 1, column: 1),
    ])
    func aBrokenDocumentGetsATypedProblem(_ example: Example) {
        let problems = parseYAML(YAMLText(Array(example.text.utf8))).problems
        #expect(
            problems == [YAMLProblem(example.kind, at: YAMLMark(line: example.line, column: example.column))])
    }

    @Test func badUTF8IsFoundWithItsPlace() {
        let bytes = Array("ä: ok\nb: ".utf8) + [0xc3, 0x28]
        #expect(
            parseYAML(YAMLText(bytes)).problems == [YAMLProblem(.notUTF8, at: YAMLMark(line: 2, column: 4))])
    }

    @Test func severalProblemsComeBackAtOnceInTheOrderOfTheFile() {
        let problems = parseYAML(YAMLText(Array("a: *x\nb: !t 1\nb: 2\n? [c]\n: d\n".utf8))).problems
        #expect(problems.map(\.mark.line) == [1, 2, 3, 4])
    }

    @Test func linesSplitWhereTheParserSplitsThem() throws {
        let text = YAMLText(Array("a: 1\r\nb: 2\rc: 3\u{85}d: 4\u{2028}e: 5\nf: 6".utf8))
        let entries = try #require(parseYAML(text).root?.mapping)
        #expect(text.lines == ["a: 1", "b: 2", "c: 3", "d: 4", "e: 5", "f: 6"])
        #expect(entries.map { text.lines[$0.keyMark.line - 1].prefix(1) } == entries.map { $0.key[...] })
    }

    private func parse(_ text: String) throws -> YAMLNode {
        let result = parseYAML(YAMLText(Array(text.utf8)))
        #expect(result.problems.isEmpty)
        return try #require(result.root)
    }
}
