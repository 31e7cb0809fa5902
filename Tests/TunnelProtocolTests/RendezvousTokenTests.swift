import Testing
import TunnelProtocol

@Suite struct RendezvousTokenTests {
    private static let secret = "0123456789abcdefXYZ"

    struct Example: CustomTestStringConvertible {
        let text: String
        let error: RendezvousTokenError?
        let testDescription: String
    }

    @Test(
        arguments: [
            Example(text: "0123456789abcdef", error: nil, testDescription: "16 characters"),
            Example(text: "0123456789abcde", error: .tooShort, testDescription: "15 characters"),
            Example(text: "", error: .tooShort, testDescription: "nothing"),
            Example(
                text: String(repeating: "e\u{301}", count: 20), error: .forbiddenCharacter,
                testDescription: "beyond ASCII"),
            Example(text: String(repeating: "a", count: 1024), error: nil, testDescription: "1024 bytes"),
            Example(
                text: String(repeating: "a", count: 1025), error: .tooLong, testDescription: "1025 bytes"),
            Example(text: "my_b!g_$secret!!", error: nil, testDescription: "punctuation"),
            Example(text: "0123456789 abcdef", error: .forbiddenCharacter, testDescription: "a space"),
            Example(text: "0123456789\tabcdef", error: .forbiddenCharacter, testDescription: "a tab"),
            Example(text: "0123456789\r\nabcdefg", error: .forbiddenCharacter, testDescription: "a line end"),
            Example(text: "0123456789\u{0}abcdef", error: .forbiddenCharacter, testDescription: "a NUL"),
            Example(text: "0123456789\u{7f}abcdef", error: .forbiddenCharacter, testDescription: "a DEL"),
        ])
    func theRulesAreHeld(_ example: Example) {
        var thrown: RendezvousTokenError?
        do { _ = try RendezvousToken(example.text) } catch { thrown = error }
        #expect(thrown == example.error)
    }

    @Test func noWayOfPrintingShowsMoreThanEightCharacters() throws {
        struct Holder { let token: RendezvousToken }
        let token = try RendezvousToken(Self.secret)
        var dumped = ""
        dump(token, to: &dumped)
        dump(Holder(token: token), to: &dumped)
        dump([token: token], to: &dumped)
        let mirror = Mirror(reflecting: token).children.map { "\($0.label ?? ""): \($0.value)" }
        let printed =
            [
                token.description, token.hint, "\(token)", String(reflecting: token),
                String(describing: token),
                "\([token])", "\(Optional(token) as Any)", "\(Holder(token: token))",
                String(reflecting: Holder(token: token)), "\(["key": token])", dumped,
                RendezvousToken.hint(of: Self.secret),
            ] + mirror
        for text in printed {
            #expect(!text.contains("012345678"), "shows too much: \(text)")
        }
        #expect(token.description == "01234567...")
        #expect(token.secret == Self.secret)
    }

    @Test func aHintStaysShortForCharactersOfManyScalars() {
        let hostile = "a" + String(repeating: "\u{301}", count: 5000)
        #expect(RendezvousToken.hint(of: hostile).unicodeScalars.count == 11)
    }
}
