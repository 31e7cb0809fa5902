import AgentStatus
import HTTPMessage
import Routing
import Testing
import TunnelConfiguration
import TunnelProtocol

@testable import TunnelServer

/// What is told of a request is what the same server answers to it.
@Suite struct ExplanationTests {
    /// One request and what it gets.
    struct Example: CustomTestStringConvertible, Sendable {
        var method = "GET"
        var target = "/"
        var host = "a.example"
        /// Beside `Host`.
        var fields: [(name: String, value: String)] = []
        var hasTunnel = true
        var configure: @Sendable (inout ServerConfiguration) -> Void = { _ in }
        /// Whose words are the outcome's: with the status in front where there is one.
        let expected: String

        var testDescription: String { "\(method) \(host)\(target): \(expected)" }

        var query: ExplanationQuery {
            ExplanationQuery(
                method: method, host: host, port: 80, target: target,
                fields: [.init("Host", host)] + fields.map { .init($0.name, $0.value) }, from: "203.0.113.7")
        }

        /// As it is sent, without a body: what is said of one is answered before it comes.
        var text: String {
            let lines = fields.map { "\($0.name): \($0.value)|" }.joined()
            return "\(method) \(target) HTTP/1.1|Host: \(host)|\(lines)|"
        }
    }

    private static let token = TestTokens.first.secret
    private static let byToken = [(name: "X-Token", value: token)]
    private static let unknown = [(name: "X-Token", value: "nobodys-test-token-1")]

    private static func rules(_ rules: CallerRules) -> @Sendable (inout ServerConfiguration) -> Void {
        { $0.access.everybody = rules }
    }

    private static func host(
        _ host: PublicName.Host, _ path: String = ""
    ) -> @Sendable (inout ServerConfiguration) -> Void {
        { $0.routes.hosts = [PublicName(host: host, path: path): TestTokens.first] }
    }

    private static func ranges(_ text: String) -> [AddressRange] { [text].compactMap { AddressRange($0) } }

    private static let carried = "carried the origin's answer"
    private static let notFound = "404 Tunnel not found (or not seen in a long time)"
    private static let bearer = CallerRules(
        login: .listed(users: [:], bearers: [Secret("a-bearer-secret-of-tests")]))

    static let routes: [Example] = [
        Example(fields: byToken, expected: carried),
        Example(target: "/_token/\(token)/a?b", expected: carried),
        Example(host: "shop.example", configure: host(.exact("shop.example")), expected: carried),
        Example(
            target: "/api/x", host: "Shop.Example:8080", configure: host(.exact("shop.example"), "/api"),
            expected: carried),
        Example(
            target: "/ap", host: "shop.example", configure: host(.exact("shop.example"), "/api"),
            expected: "400 Missing X-Token header"),
        Example(
            host: "x.shop.example", configure: host(.anyLabel(before: "shop.example")), expected: carried),
        Example(host: "elsewhere", configure: host(.any), expected: carried),
        Example(
            target: "//api/x", host: "shop.example", configure: host(.exact("shop.example"), "/api"),
            expected:
                "400 The path can be read in more than one way: write it without \"//\", \".\", \"..\", \";\" and needless escapes"
        ),
        Example(expected: "400 Missing X-Token header"),
        Example(fields: byToken + byToken, expected: "400 More than one X-Token header"),
        Example(fields: [("X-Token", "short")], expected: notFound),
        Example(fields: unknown, expected: notFound),
        Example(target: "/_token/", expected: "400 Missing token in URI"),
        Example(
            target: "/_token/\(token)", expected: "308 The path behind the token begins with a slash"),
        Example(target: "/_health_check", expected: "200 WSTUNSRV RUNNING"),
        Example(target: "/x", configure: { $0.routes.basePath = "/w" }, expected: "404 Not found"),
        Example(
            target: "/w/_health_check", configure: { $0.routes.basePath = "/w" },
            expected: "200 WSTUNSRV RUNNING"),
        Example(
            method: "CONNECT", target: "a.example:80", expected: "501 CONNECT is not supported"),
        Example(
            method: "OPTIONS", fields: byToken + [("Max-Forwards", "0")],
            expected: "200 A tunnel server: with Max-Forwards: 0 the request goes no further"),
        Example(target: "/a#b", fields: byToken, expected: "400 Bad request: the target holds a fragment"),
        Example(
            method: "POST", fields: byToken + [("Content-Length", "x")],
            expected: "400 Bad request: malformed or repeated Content-Length"),
        Example(target: "/_tunnel", expected: "400 Origin header with rendez-vous token required"),
        Example(
            host: "a.example", configure: { $0.redirect = RedirectListener(port: 8443) },
            expected: "308 This is served by TLS"),
        Example(fields: byToken, hasTunnel: false, expected: notFound),
    ]

    static let rules: [Example] = [
        Example(
            fields: byToken, configure: rules(CallerRules(allowed: ranges("192.0.2.0/24"))),
            expected: "403 Not allowed from this address"),
        Example(
            fields: byToken, configure: rules(CallerRules(denied: ranges("203.0.113.7"))),
            expected: "403 Not allowed from this address"),
        Example(
            fields: byToken + [("X-Forwarded-For", "192.0.2.7")],
            configure: {
                $0.access.everybody = CallerRules(allowed: ranges("192.0.2.7"))
                $0.trust.proxies = ranges("203.0.113.0/24")
            }, expected: carried),
        Example(
            fields: byToken + [("X-Forwarded-For", "192.0.2.7")],
            configure: rules(CallerRules(allowed: ranges("192.0.2.7"))),
            expected: "403 Not allowed from this address"),
        Example(
            method: "DELETE", fields: byToken, configure: rules(CallerRules(methods: ["GET", "POST"])),
            expected: "405 The method is not allowed here"),
        Example(fields: byToken, configure: rules(bearer), expected: "401 Please log in"),
        Example(
            fields: byToken + [("Authorization", "Bearer a-bearer-secret-of-tests")],
            configure: rules(bearer),
            expected: carried),
        Example(
            fields: byToken + [("Authorization", "Bearer another-secret-of-tests")], configure: rules(bearer),
            expected: "401 Wrong name, password or token"),
        Example(
            fields: byToken, configure: rules(CallerRules(maintenance: .on(.init(retryAfter: .seconds(60))))),
            expected: "503 Down for maintenance: please come back later"),
        Example(
            fields: byToken + [("Content-Type", "application/grpc")],
            configure: rules(CallerRules(maintenance: .on(.init()))),
            expected: "200 Down for maintenance: please come back later"),
        Example(
            method: "POST", fields: byToken + [("Content-Length", "101")],
            configure: rules(CallerRules(maximumBody: 100)),
            expected: "413 The request's body is larger than max-body (100 bytes)"),
        Example(
            fields: byToken,
            configure: { $0.access.tokens = [TestTokens.first: CallerRules(methods: ["POST"])] },
            expected: "405 The method is not allowed here"),
        Example(target: "/_stats", configure: rules(bearer), expected: "401 Please log in"),
        Example(
            fields: byToken,
            configure: { $0.callerLimits.perToken = RequestLimits(requests: 0) },
            expected: "429 Too many requests for this tunnel at once (limit: per-token.requests)"),
    ]

    @Test(arguments: routes + rules) func whatIsToldIsWhatTheServerAnswers(_ example: Example) throws {
        try EmbeddedServer.run(configuration: example.configure) { server in
            let tunnel = example.hasTunnel ? try server.tunnel() : nil
            var explainer = RequestExplainer(server.core.settings, "test", .named, facts: server.core)
            let outcome = explainer.explain(example.query)
            let status = outcome.status.map(String.init) ?? outcome.verdict.rawValue
            #expect("\(status) \(outcome.words)" == example.expected)
            #expect(explainer.steps.contains { $0.isEnd } == (outcome.verdict == .refused))

            let caller = try server.caller()
            try caller.send(example.text)
            let answer = try caller.received()
            #expect((tunnel?.opened.count ?? 0) == (outcome.verdict == .carried ? 1 : 0))
            guard outcome.verdict != .carried else { return }
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
            // One for gRPC has its words in a field.
            if !answer.contains("grpc-status") {
                #expect(answer.contains("||\(outcome.words)\n"), "\(answer)")
            }
            for field in outcome.fields {
                #expect(answer.contains("|\(field.name): \(field.value)|"), "\(field.name)")
            }
            #expect(answer.contains("|X-Limit: ") == (outcome.limit != nil))
            #expect(answer.contains("|Retry-After: ") == (outcome.retryAfter != nil))
        }
    }

    /// By nothing but the configuration the same comes out, but for what only tunnels know.
    @Test(
        arguments: (routes + rules).filter { $0.hasTunnel && $0.expected != notFound && $0.host != "limits" })
    func theConfigurationAloneTellsTheSame(_ example: Example) {
        let configuration = ServerWorld.configuration(example.configure)
        let explanation = ServerExplanation(example.query, by: configuration, tls: nil, .named)
        let status = explanation.outcome.status.map(String.init) ?? explanation.outcome.verdict.rawValue
        guard !example.expected.hasPrefix("429") else { return #expect(status == "carried") }
        #expect("\(status) \(explanation.outcome.words)" == example.expected)
    }

    @Test func theOriginsFieldsAreThoseThatItGets() throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let example = Example(
                target: "/_token/\(Self.token)/a",
                fields: [("Connection", "X-Hop"), ("X-Hop", "1"), ("Accept", "*/*")], expected: Self.carried)
            var explainer = RequestExplainer(server.core.settings, "test", .named, facts: server.core)
            _ = explainer.explain(example.query)
            let words = try #require(explainer.steps.first { $0.subject == .fields }?.words)
            #expect(words.contains("GET /a with") && words.contains("X-Forwarded-For: 203.0.113.7"))
            #expect(words.hasSuffix("without Connection, X-Hop"))
            let caller = try server.caller()
            try caller.send(example.text)
            let sent = try #require(tunnel.opened.first?.head)
            let told = try #require(explainer.forwarded)
            for (name, value) in told.fields.pairs where name.lowercased() != "forwarded" {
                #expect(sent.contains("\(name): \(value)\r\n"), "\(name)")
            }
        }
    }
}
