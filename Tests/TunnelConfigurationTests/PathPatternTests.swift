import Testing

@testable import TunnelConfiguration

/// What `*`, `?` and `[a-z]` match.
@Suite struct PathPatternTests {
    @Test(arguments: [
        ("*", "a", true), ("*", "", true), ("*", ".a", false), (".*", ".a", true), ("?a", ".a", false),
        ("[.]a", ".a", false), ("*.yaml", "a.yaml", true), ("*.yaml", ".yaml", false),
        ("*.yaml", "a.yaml~", false), ("*.yaml", "a.yaml.yaml", true), ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c-b", false), ("?", "é", true), ("?", "ab", false), ("??", "a", false),
        ("[a-c]", "b", true), ("[a-c]", "d", false), ("[!a-c]", "d", true), ("[^a-c]", "b", false),
        ("[]x]", "]", true), ("[!]x]", "]", false), ("[a-]", "-", true), ("[c-a]", "b", true),
        ("[0-9][0-9]-*.yaml", "10-web.yaml", true), ("[0-9][0-9]-*.yaml", "1-web.yaml", false),
        ("*a", "aaaaaaaaaaaaaaaab", false), ("a", "a", true), ("A*", "a", false),
    ]) func aNameMatchesOrNot(_ pattern: String, _ name: String, _ isMatch: Bool) throws {
        #expect(try #require(NamePattern(pattern[...])).matches(name) == isMatch)
    }

    @Test func manyStarsTakeNoMoreThanTheProductOfTheLengths() throws {
        let pattern = String(repeating: "a*", count: 500) + "b"
        let name = String(repeating: "a", count: 20_000)
        #expect(try !#require(NamePattern(pattern[...])).matches(name))
    }

    @Test func partsAreToldApart() throws {
        let pattern = try PathPattern.parse("/a//./*.d/../x?")
        #expect(pattern.isAbsolute)
        #expect(pattern.hasWildcards)
        #expect(pattern.parts.count == 4)
        #expect(try !PathPattern.parse("a/b.yaml").hasWildcards)
    }

    @Test(arguments: ["", "/", ".", "..", "a/", "a/..", "**", "a/**/b", "[", "a[b", "[]", "a\nb"])
    func whatIsNoPatternIsAnError(_ text: String) {
        #expect(throws: ValueFault.self) { try PathPattern.parse(text) }
    }
}
