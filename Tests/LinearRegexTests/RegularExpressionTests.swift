import LinearRegex
import TestSupport
import Testing

@Suite struct RegularExpressionTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let pattern: String
        let matches: [String]
        let others: [String]
        var testDescription: String { pattern }

        init(_ pattern: String, _ matches: [String], not others: [String]) {
            self.pattern = pattern
            self.matches = matches
            self.others = others
        }
    }

    static let examples: [Example] = [
        Example("", [""], not: ["a"]),
        Example("abc", ["abc"], not: ["", "ab", "abcd", "xabc"]),
        Example("a|bc|", ["a", "bc", ""], not: ["abc", "b"]),
        Example("a*", ["", "aaa"], not: ["b", "aab"]),
        Example("a+?", ["a", "aaa"], not: [""]),
        Example("ab?c", ["ac", "abc"], not: ["abbc"]),
        Example("(ab)+", ["ab", "abab"], not: ["", "aba"]),
        Example("a{3}", ["aaa"], not: ["aa", "aaaa"]),
        Example("a{1,}", ["a", "aaaa"], not: [""]),
        Example("a{1,2}b", ["ab", "aab"], not: ["b", "aaab"]),
        Example("a{0}", [""], not: ["a"]),
        Example("a{,2}", ["a{,2}"], not: ["", "a"]),
        Example("a{x}", ["a{x}"], not: ["a"]),
        Example("(?:a|b)c", ["ac", "bc"], not: ["c"]),
        Example("(?P<name>a)(?<other>b)", ["ab"], not: ["a"]),
        Example("^abc$", ["abc"], not: ["abcd"]),
        Example("a^b", [], not: ["ab"]),
        Example("(^a|b)*", ["a", "abb", "bb"], not: ["ba"]),
        Example(#"\Aab\z"#, ["ab"], not: ["a"]),
        Example(#"\bab\b.c"#, ["ab-c"], not: ["abxc"]),
        Example(#"a\Bb"#, ["ab"], not: ["a"]),
        Example(".", ["a", "é", "😀"], not: ["", "\n", "ab"]),
        Example("(?s).", ["\n"], not: [""]),
        Example("(?s:.)a.", ["\nab"], not: ["aa\n"]),
        Example("(?i)Ab[c-e]", ["aBD", "AbC"], not: ["abf"]),
        Example("a(?i:b)c", ["abc", "aBc"], not: ["aBC", "Abc"]),
        Example("(?i)a(?-i)b", ["Ab", "ab"], not: ["AB"]),
        Example("(a(?i)b)c", ["aBc"], not: ["aBC", "AbC"]),
        Example("(?i)[^a]", ["b"], not: ["a", "A"]),
        Example("[abc]", ["a", "c"], not: ["d", "ab"]),
        Example("[^abc]", ["d", "é"], not: ["a"]),
        Example("[a-c0-9_-]", ["b", "5", "_", "-"], not: ["d"]),
        Example("[]a]", ["]", "a"], not: ["b"]),
        Example("[^]a]", ["b"], not: ["]", "a"]),
        Example(#"[\d\]x]"#, ["7", "]", "x"], not: ["\\", "y"]),
        Example(#"[^\W_]"#, ["a", "9"], not: ["_", "-"]),
        Example("[[:alpha:][:digit:]]", ["a", "7"], not: ["-", "["]),
        Example("[[:^upper:]]", ["a"], not: ["A"]),
        Example(#"\d\D\w\W\s\S"#, ["1a_- x"], not: ["aa_- x"]),
        Example(#"\.\*\\\/\-"#, [#".*\/-"#], not: ["x*\\/-"]),
        Example(#"\x2e\x{2E}\t"#, ["..\t"], not: ["xx\t"]),
        Example(#"\Qa.b*\E+"#, ["a.b*", "a.b**"], not: ["axb", "a.bb", "a.b*a.b*"]),
        Example(#"a\Q\Eb\Q|c"#, ["ab|c"], not: ["ab", "c"]),
        Example("a{01}", ["a{01}"], not: ["a"]),
        Example(
            #"https?://.*\.some\.example\.com"#, ["https://www.some.example.com"],
            not: [
                "https://wwwsome.example.com", "ftp://a.some.example.com", "https://a.some.example.com.evil",
            ]),
        Example(
            #"http://(www\.example\.com|blog\.example\.com)"#, ["http://blog.example.com"],
            not: ["http://example.com", "http://www.example.com|blog.example.com"]),
    ]

    @Test(arguments: examples) func theWholeTextIsCompared(_ example: Example) throws {
        let expression = try RegularExpression(example.pattern)
        for text in example.matches { #expect(expression.matchesWhole(of: text), "\(text.debugDescription)") }
        for text in example.others { #expect(!expression.matchesWhole(of: text), "\(text.debugDescription)") }
    }

    @Test(arguments: [
        ("(a", #""(" without ")", at character 2"#), ("a)", #"")" without "(", at character 2"#),
        ("*a", #"nothing to repeat before "*", at character 1"#),
        ("a**", "a repetition of a repetition; put the first into parentheses, at character 3"),
        ("a{2}{3}", "a repetition of a repetition; put the first into parentheses, at character 5"),
        ("{2}", #"nothing to repeat before "{", at character 1"#),
        ("a|{2,}", #"nothing to repeat before "{", at character 3"#),
        ("a{10000000000}", "more than 1000 repetitions, at character 15"),
        ("a{1001}", "more than 1000 repetitions, at character 8"),
        ("a{3,2}", "a repetition whose bounds are upside down, at character 7"),
        ("[a", #""[" without "]", at character 2"#), ("[z-a]", "a range that is none, at character 2"),
        (#"[a-\d]"#, "a range that is none, at character 2"),
        ("[[:nothing:]]", "an unknown class of characters, at character 2"),
        (#"a\"#, "a backslash at the end, at character 3"), (#"\y"#, #""\y" has no meaning, at character 3"#),
        (#"(a)\1"#, "references to groups are not possible, at character 6"),
        ("a(?=b)", "looking ahead is not possible, at character 5"),
        (
            "(?<=a)b",
            "looking behind is not possible, and a group's name has letters and digits only, at character 4"
        ),
        ("(?x)a", "an unknown kind of group, at character 4"),
        (#"\xg0"#, #""\x" wants two digits, or up to six in braces, at character 3"#),
        (#"\pL"#, #""\p" has no meaning, at character 3"#),
        ("(((a{100}){100}){100})", "the expression is too large, at character 1"),
    ]) func whatIsWrongIsSaid(pattern: String, message: String) {
        #expect {
            try RegularExpression(pattern)
        } throws: {
            "\($0)" == message
        }
    }

    @Test func nestingHasALimit() {
        let pattern = String(repeating: "(", count: 500) + String(repeating: ")", count: 500)
        #expect(throws: RegularExpressionError.self) { try RegularExpression(pattern) }
    }

    @Test(.timeLimit(.minutes(1))) func nothingAtAllIsRepeatedAtNoCost() throws {
        let pattern = String(repeating: "(", count: 60) + String(repeating: "){1000}", count: 60)
        #expect(try RegularExpression(pattern).matchesWhole(of: ""))
    }

    /// Each of these takes a machine that backtracks longer than the universe has stood.
    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            "(a*)*b", "(a|a)*b", "(a|aa)+b", "(.*)*x(.*)*y(.*)*z", "((a?){20}){20}c", "(a{0,15}){0,15}b",
            "(([a-z]+)+)+[0-9]", "(.*.*.*.*.*)*=",
        ])
    func noTextTakesLong(pattern: String) throws {
        let expression = try RegularExpression(pattern)
        let clock = ContinuousClock()
        let took = clock.measure {
            #expect(!expression.matchesWhole(of: String(repeating: "a", count: 300)))
        }
        #expect(took < .seconds(10))
    }

    /// The standard library's matcher, which backtracks, agrees on small patterns and texts.
    @Test func randomPatternsMeanWhatTheyMeanElsewhere() throws {
        for seed in UInt64(1)...400 {
            var random = SplitMix64(seed: seed)
            let pattern = Self.pattern(depth: 3, &random)
            let expression = try RegularExpression(pattern)
            let other = try Regex<AnyRegexOutput>(pattern).matchingSemantics(.unicodeScalar)
            for _ in 0..<20 {
                let text = String(
                    (0..<Int.random(in: 0...6, using: &random)).map { _ in
                        ["a", "b", "c"].randomElement(using: &random) ?? "a"
                    }.joined())
                let isMatch = try other.wholeMatch(in: text) != nil
                #expect(expression.matchesWhole(of: text) == isMatch, "seed \(seed): \(pattern) on \(text)")
            }
        }
    }

    @Test func randomTextIsReadOrRefusedButNeverACrash() {
        let alphabet = Array(#"ab.*+?()[]{}|\^$-:,=!<>PQEdwxi019é"#)
        for seed in UInt64(1)...5000 {
            var random = SplitMix64(seed: seed)
            let pattern = String(
                (0..<Int.random(in: 0...12, using: &random)).map { _ in
                    alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                })
            _ = (try? RegularExpression(pattern))?.matchesWhole(of: "ab.a")
        }
    }

    private static func pattern(depth: Int, _ random: inout SplitMix64) -> String {
        let atoms = ["a", "b", ".", "[ab]", "[^a]", "c"]
        guard depth > 0 else { return atoms.randomElement(using: &random) ?? "a" }
        let inner = { (random: inout SplitMix64) in pattern(depth: depth - 1, &random) }
        switch Int.random(in: 0..<7, using: &random) {
        case 0: return "(\(inner(&random)))*"
        case 1: return "(\(inner(&random)))+"
        case 2: return "(\(inner(&random)))?"
        case 3: return "(\(inner(&random))|\(inner(&random)))"
        case 4: return "(?:\(inner(&random))){1,2}"
        default: return inner(&random) + inner(&random)
        }
    }
}
