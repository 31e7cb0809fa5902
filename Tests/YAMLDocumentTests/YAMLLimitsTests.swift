import TestSupport
import Testing
import YAMLDocument

/// Hostile documents: an answer, soon, without much memory.
@Suite(.timeLimit(.minutes(1)))
struct YAMLLimitsTests {
    @Test func aDocumentBeyondTheSizeLimitIsNotParsed() {
        let result = parseYAML(YAMLText(Array("a: 1".utf8)), limits: YAMLLimits(size: 3))
        #expect(result.root == nil)
        #expect(result.problems.map(\.kind) == [.tooLarge(limit: 3)])
    }

    @Test(arguments: [
        ("[", 64, false), ("[", 65, true), ("? ", 65, true), ("- ", 65, true), ("{a: ", 65, true),
    ])
    func nestingIsLimited(_ opening: String, _ depth: Int, _ isTooDeep: Bool) {
        let closing = opening == "[" ? String(repeating: "]", count: depth) : ""
        let text = String(repeating: opening, count: depth) + closing
        let kinds = parseYAML(YAMLText(Array(text.utf8))).problems.map(\.kind)
        #expect(kinds.contains(.tooDeep(limit: 64)) == isTooDeep)
    }

    @Test(arguments: ["[", "{a: ", "- ", "? ", "&a [", "%TAG !a! b\n", "a: &a\n", "'", "\"", "!", "# \n"])
    func aMegabyteOfOneOpeningEndsSoon(_ opening: String) {
        let bytes = Array(repeating: Array(opening.utf8), count: 1_000_000 / opening.utf8.count).flatMap {
            $0
        }
        let start = ContinuousClock.now
        let result = parseYAML(YAMLText(bytes))
        #expect(result.problems.count <= 100)
        #expect(ContinuousClock.now - start < .seconds(40))
    }

    @Test func anAliasBombIsStoppedByItsNodeCount() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...60 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        let start = ContinuousClock.now
        let result = parseYAML(YAMLText(Array(text.utf8)))
        #expect(result.problems.map(\.kind) == [.tooManyNodes(limit: 1_000_000)])
        #expect(ContinuousClock.now - start < .seconds(5))
    }

    @Test func aChainOfAliasesCountsAsDeepAsWhatItStandsFor() {
        var text = "- &a0 [x]\n"
        for level in 1...200 { text += "- &a\(level) [*a\(level - 1)]\n" }
        #expect(parseYAML(YAMLText(Array(text.utf8))).problems.first?.kind == .tooDeep(limit: 64))
    }

    @Test func atMostAHundredProblemsAreKept() {
        let text = String(repeating: "a: 1\n", count: 10_000)
        #expect(parseYAML(YAMLText(Array(text.utf8))).problems.count == 100)
    }

    /// Whatever the bytes, parsing ends with a root or a problem, and places lie within the document.
    @Test(arguments: 0..<20)
    func randomBytesNeverHurt(_ run: UInt64) {
        var random = SplitMix64(seed: 0x79_61_6d_6c + run)
        print("seed \(random.seed)")
        let pieces = [
            "a", "b: ", "- ", "\n", "  ", "[", "]", "{", "}", ",", "&x ", "*x", "<<: ", "!!str ", "!t ",
            "|\n",
            ">\n", "\"", "'", "# ", "%", "---\n", "...\n", "? ", "\t", "\u{85}", "\\0", "ä", "~", "${A}",
        ]
        for _ in 0..<300 {
            var text: [UInt8] = []
            for _ in 0..<Int.random(in: 1...60, using: &random) {
                text += Array(pieces[Int.random(in: 0..<pieces.count, using: &random)].utf8)
            }
            if Int.random(in: 0..<4, using: &random) == 0 {
                text.insert(UInt8.random(in: 0...255, using: &random), at: 0)
            }
            let source = YAMLText(text)
            let result = parseYAML(source)
            let lineCount = source.lines.count
            #expect(result.problems.allSatisfy { (1...(lineCount + 1)).contains($0.mark.line) })
            #expect(result.problems.allSatisfy { $0.mark.column >= 1 })
        }
    }
}
