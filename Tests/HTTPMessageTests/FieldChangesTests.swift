import HTTPMessage
import NIOCore
import Testing

/// What a configuration has done to fields.
@Suite struct FieldChangesTests {
    private static let facts = FieldFacts(
        clientAddress: "192.0.2.1", requestID: "id", host: "site.test:81", scheme: "https", user: "alice")

    struct Example: CustomTestStringConvertible, Sendable {
        let source: String
        let text: String?

        var testDescription: String { source }

        init(_ source: String, _ text: String?) {
            self.source = source
            self.text = text
        }
    }

    @Test(arguments: [
        Example("plain", "plain"),
        Example("{client-address}", "192.0.2.1"),
        Example("for={client-address};proto={scheme}", "for=192.0.2.1;proto=https"),
        Example("{user}@{host} {request-id}", "alice@site.test:81 id"),
        Example("{certificate-name}", ""),
        Example("a{certificate-name}b", "ab"),
        Example("{{\"json\": 1}}", "{\"json\": 1}"),
        Example("ü", "ü"),
        Example("", nil),
        Example(" a", nil),
        Example("a ", nil),
        Example("a\r\nX-Forged: b", nil),
        Example("a\nb", nil),
        Example("a\u{0}b", nil),
        Example("a\tb", nil),
        Example("{", nil),
        Example("a}b", nil),
        Example("{unknown}", nil),
        Example("{host", nil),
    ])
    func aValueIsATextWithVariables(_ example: Example) {
        #expect((try? FieldTemplate(example.source))?.text(Self.facts) == example.text)
    }

    @Test func noVariableBringsAFieldOfItsOwn() throws {
        var facts = Self.facts
        facts.user = "a\r\nX-Forged: b"
        #expect(try FieldTemplate("[{user}]").text(facts) == "[]")
    }

    @Test(arguments: [
        "Connection", "transfer-encoding", "Content-Length", "Content_Length", "HOST", "X-Forwarded-For",
        "x_forwarded_for", "X-Token", "Keep-Alive", "TE", "Upgrade", "X-Request-Id", "Via",
    ])
    func someFieldsAreNotToBeChanged(_ name: String) {
        #expect(FieldChanges.isOurs(name, in: .request))
    }

    @Test(arguments: ["X-User", "Authorization", "Cookie", "Content-Type", "Server"])
    func othersAre(_ name: String) {
        #expect(!FieldChanges.isOurs(name, in: .request))
        #expect(!FieldChanges.isOurs(name, in: .response))
    }

    @Test(arguments: ["", "a b", "a:b", "a\r\nb", "ü", "a,b"]) func namesAreTokens(_ name: String) {
        #expect(!FieldChanges.isName(name))
    }

    private static func setting(_ name: String, _ value: String) throws -> FieldChanges.Setting {
        FieldChanges.Setting(name, try FieldTemplate(value))
    }

    private static func rewriting(
        _ requests: [FieldChanges], hidesAuthorization: Bool = false
    ) -> FieldRewriting {
        FieldRewriting(
            requests: requests, responses: [], facts, hidesAuthorization: hidesAuthorization,
            tellsRequestID: false)
    }

    private static func lines(_ fields: HeaderFields) -> [String] {
        fields.pairs.map { "\($0.name): \($0.value)" }
    }

    @Test func settingReplacesAddingAppendsRemovingRemoves() throws {
        var fields = HeaderFields()
        for (name, value) in [("x-a", "1"), ("X_A", "2"), ("X-B", "3"), ("x-c", "4"), ("X-D", "5")] {
            fields.append(named: name, value)
        }
        Self.rewriting([
            FieldChanges(
                set: [try Self.setting("X-A", "new")], added: [try Self.setting("X-B", "more")],
                removed: ["X-C"])
        ]).rewrite(request: &fields)
        #expect(Self.lines(fields) == ["X-B: 3", "X-D: 5", "X-A: new", "X-B: more"])
    }

    @Test func narrowerRulesHaveTheLastWord() throws {
        var fields = HeaderFields()
        Self.rewriting([
            FieldChanges(set: [try Self.setting("X-A", "wide"), try Self.setting("X-B", "wide")]),
            FieldChanges(set: [try Self.setting("x-a", "narrow")]),
        ]).rewrite(request: &fields)
        #expect(Self.lines(fields) == ["X-B: wide", "x-a: narrow"])
    }

    @Test func aFieldWithoutAValueIsTakenAwayAndNotWritten() throws {
        var fields = HeaderFields()
        fields.append(named: "X-Name", "forged")
        Self.rewriting([FieldChanges(set: [try Self.setting("X-Name", "{certificate-name}")])])
            .rewrite(request: &fields)
        #expect(fields.isEmpty)
    }

    @Test func whatWasForUsStaysHere() {
        var fields = HeaderFields()
        fields.append(.authorization, "Basic x")
        Self.rewriting([], hidesAuthorization: true).rewrite(request: &fields)
        #expect(fields.isEmpty)
    }

    /// `Connection: X-User` from a caller must not take away what was written for the origin.
    @Test func aCallersConnectionFieldCannotTakeItAway() throws {
        var fields = HeaderFields()
        fields.append(.host, "a")
        fields.append(.connection, "close, X-User")
        fields.append(named: "X-User", "forged")
        let forwarding = CallerForwarding(
            token: "token-of-the-tests", isHostListed: false,
            caller: CallerForwarding.Caller(peer: "192.0.2.1"),
            rewriting: Self.rewriting([FieldChanges(set: [try Self.setting("X-User", "{user}")])]))
        let head = forwarding.head(
            of: RequestHead(method: "GET", target: "/", fields: fields), upgrade: UpgradeOffer())
        let text = String(buffer: head)
        #expect(text.contains("X-User: alice\r\n"))
        #expect(!text.contains("forged"))
        var trailers = HeaderFields()
        trailers.append(named: "x-user", "forged")
        trailers.append(named: "X-Sum", "1")
        #expect(String(buffer: forwarding.lines(ofTrailers: trailers)) == "X-Sum: 1\r\n")
    }
}
