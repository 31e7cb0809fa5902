import AgentStatus
import Testing

/// Queries as people write them, and explanations as they read them.
@Suite struct ExplanationTests {
    private static func query(
        _ url: String, _ fields: [String] = [], method: String = "GET"
    ) throws(ActionError) -> ExplanationQuery {
        try ExplanationQuery(method: method, url: url, fields: fields, from: "192.0.2.7")
    }

    @Test func aURLComesApart() throws {
        let plain = try Self.query("http://Shop.Example.com")
        #expect(plain.host == "shop.example.com" && plain.port == 80 && plain.target == "/")
        #expect(plain.fields == [.init("Host", "Shop.Example.com")] && !plain.isSecure)
        let secure = try Self.query("HTTPS://[2001:db8::1]:8443?x=1#part", ["X-A:b", "X-C:   d e"])
        #expect(secure.host == "2001:db8::1" && secure.port == 8443 && secure.isSecure)
        #expect(secure.target == "/?x=1")
        #expect(
            secure.fields == [.init("Host", "[2001:db8::1]:8443"), .init("X-A", "b"), .init("X-C", "d e")])
        let named = try Self.query("http://127.0.0.1:8080/a/../b", ["host: shop.example.com"])
        #expect(named.fields == [.init("host", "shop.example.com")] && named.target == "/a/../b")
        #expect(try Self.query("https://a./").port == 443 && Self.query("https://a./").host == "a")
    }

    @Test(arguments: [
        ("GET", "shop.example.com/", "", "neither http:// nor https://"),
        ("GET", "ftp://x/", "", "neither http:// nor https://"),
        ("GET", "http:///x", "", "names no host"),
        ("GET", "http://a:0/", "", "the URL's port is no number from 1 to 65535"),
        ("GET", "http://a:99999/", "", "the URL's port is no number from 1 to 65535"),
        ("GET", "http://a:b/", "", "the URL's port is no number from 1 to 65535"),
        ("GET", "http://::1/", "", "stands in brackets"),
        ("GET", "http://user:secret@a/", "", "the URL holds a user"),
        ("GET", "http://bücher.example/", "", "xn--"),
        ("GET", "http://a/b c", "", "write %20"),
        ("GET IT", "http://a/", "", "the method is no word of HTTP"),
        ("", "http://a/", "", "the method is no word of HTTP"),
        ("GET", "http://a/", "no-colon-secret", "a header has no colon"),
        ("GET", "http://a/", "a b: secret", "a header's name holds white space"),
        ("GET", "http://a/", "X: secret\r\nY: z", "the value of X holds a control character"),
    ])
    func whatIsWrongIsToldWithoutSecrets(_ method: String, _ url: String, _ header: String, _ words: String) {
        let error = #expect(throws: ActionError.self) {
            try Self.query(url, header.isEmpty ? [] : [header], method: method)
        }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("secret") == false)
    }

    @Test func anExplanationIsARowForEachStepAndWhatComesOfIt() {
        let explanation = ExplanationSnapshot(
            source: .file, request: "GET http://a/", server: "public",
            steps: [
                .init(.server, "public: listens at that port", key: "servers[public]"),
                .init(.rules, "nobody\u{1b}[31m comes", isEnd: true),
            ],
            outcome: .init(
                .refused, status: 429, "Too many", limit: "per-token.requests", retryAfter: 2,
                fields: [.init("Allow", "GET")]))
        #expect(
            ExplanationRendering.text(of: explanation) == """
                GET http://a/, by the file
                ·  server  public: listens at that port (servers[public])
                ✗  rules   nobody?[31m comes
                → refused 429
                  Too many
                  X-Limit: per-token.requests
                  Retry-After: 2
                  Allow: GET

                """)
        #expect(!explanation.isServed)
    }
}
