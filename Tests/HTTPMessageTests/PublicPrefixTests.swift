import HTTPMessage
import Testing

/// What stands in front of paths, as a tunnel server tells its client.
@Suite struct PublicPrefixTests {
    private static let token = "a-token-0123456"

    struct Example: CustomTestStringConvertible, Sendable {
        var basePath = ""
        var isTokenInPath = false
        let field: String?
        let path: String
        var testDescription: String { field ?? "nothing" }
    }

    static let examples: [Example] = [
        Example(field: nil, path: ""),
        Example(basePath: "/w", field: "- /w", path: "/w"),
        Example(isTokenInPath: true, field: "token", path: "/_token/\(token)"),
        Example(basePath: "/w", isTokenInPath: true, field: "token /w", path: "/w/_token/\(token)"),
    ]

    @Test(arguments: examples) func theClientLearnsIt(_ example: Example) {
        let prefix = PublicPrefix(
            basePath: example.basePath,
            token: example.isTokenInPath ? PublicPrefix.Spelling(written: Self.token) : nil)
        #expect(prefix.fieldValue == example.field)
        #expect(prefix.path(token: Self.token) == example.path)
        if let field = example.field { #expect(PublicPrefix(fieldValue: field) == prefix) }
    }

    @Test(arguments: [
        ("a/b?c#d%e-12345678", "a%2Fb%3fc%23d%25e-12345678"),
        ("/////jj/////////", "%2F%2f/%2F/%6a%6A/////////"),
        ("\u{e4}\u{f6}-0123456789012", "%c3%A4\u{f6}-0123456789012"),
        ("\u{2fab}-0123456789", "%e2%Be%aB-0123456789"), ("\u{2fab}-0123456789", "%E2%bE%Ab-0123456789"),
    ]) func aTokenIsSpeltAsItWasWritten(_ token: String, _ written: String) throws {
        let prefix = PublicPrefix(basePath: "/w", token: PublicPrefix.Spelling(written: written))
        let field = try #require(prefix.fieldValue)
        // The secret is not in it.
        #expect(!field.contains(token.suffix(4)))
        #expect(PublicPrefix(fieldValue: field).path(token: token) == "/w/_token/" + written)
    }

    /// Of a server that says something else than it should.
    @Test(arguments: ["", "x", "token=", "token=.", "token=\u{e4}", "-", " ", "token=...............9"])
    func nonsenseIsTakenForNothing(_ field: String) {
        let path = PublicPrefix(fieldValue: field).path(token: Self.token)
        #expect(path == (field.hasPrefix("token") ? "/_token/\(Self.token)" : ""))
    }
}
