import HTTPMessage
import Routing
import Testing
import TunnelConfiguration
import TunnelProtocol

@testable import TunnelServer

/// Where a caller's request goes.
@Suite struct CallerRouteTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let target: String
        var basePath = ""
        var tokens: [String] = []
        var host = "a.example"
        /// What comes out, in words.
        let outcome: String

        var testDescription: String { "\(host) \(basePath) \(target) \(tokens)" }
    }

    private static let token = "route-token-000001"
    private static let other = "route-token-000002"

    static let examples: [Example] = [
        Example(target: "/_health_check", outcome: "health"),
        Example(target: "/_health_check?x=1", tokens: [token], outcome: "health"),
        Example(target: "/_health_check/", tokens: [token], outcome: "\(token) /_health_check/"),
        Example(target: "/_stats", outcome: "stats"),
        Example(target: "/_stats?x", outcome: "stats"),
        Example(target: "/_stats/x", outcome: "400 Missing X-Token header"),
        Example(target: "/w/_stats", basePath: "/w", outcome: "stats"),
        Example(target: "/_token/my_b!g_$secret!!/x", outcome: "my_b!g_$secret!! /x"),
        Example(target: "/_token/my_b%21g_%24secret%21!/x", outcome: "my_b!g_$secret!! /x"),
        Example(target: "/_token/%3F%23%2F%25%5B%22-and-more-of-it/x", outcome: "?#/%[\"-and-more-of-it /x"),
        Example(target: "/_token/100%sure-this-is-a-token/x", outcome: "100%sure-this-is-a-token /x"),
        Example(target: "/_tunnel", outcome: "tunnel"),
        Example(target: "/_tunnel?x", outcome: "tunnel"),
        Example(target: "/_tunnel/x", outcome: "400 Missing X-Token header"),
        Example(target: "/", outcome: "400 Missing X-Token header"),
        Example(target: "/", tokens: [""], outcome: "400 Missing X-Token header"),
        Example(target: "/a?b=c", tokens: [token], outcome: "\(token) /a?b=c"),
        Example(target: "/", tokens: [token, token], outcome: "400 More than one X-Token header"),
        Example(target: "/", tokens: ["short"], outcome: "404 Tunnel not found (or not seen in a long time)"),
        Example(target: "*", tokens: [token], outcome: "\(token) *"),
        Example(target: "/_token/\(token)/a/b?c", outcome: "\(token) /a/b?c"),
        Example(target: "/_token/\(token)/", outcome: "\(token) /"),
        Example(target: "/_token/\(token)//x", outcome: "\(token) //x"),
        Example(target: "/_token/\(token)/_tunnel", outcome: "\(token) /_tunnel"),
        Example(target: "/_token/\(token)/", tokens: [other], outcome: "\(token) /"),
        Example(target: "/_token/%72oute-token-000001/x", outcome: "\(token) /x"),
        Example(target: "/_token/\(token)", outcome: "308 ./\(token)/"),
        Example(target: "/_token/\(token)?a=/b", outcome: "308 ./\(token)/?a=/b"),
        Example(target: "/w/_token/\(token)?a", basePath: "/w", outcome: "308 ./\(token)/?a"),
        Example(target: "/_token/urn:%3Fa-token-0001", outcome: "308 ./urn:%3Fa-token-0001/"),
        Example(target: "/_token/short", outcome: "400 \(Refusal.malformedTokenInPath.text)"),
        Example(target: "/_token/short?a/b", outcome: "400 \(Refusal.malformedTokenInPath.text)"),
        Example(target: "/_token/?\(token)/", outcome: "400 Missing token in URI"),
        Example(target: "/_token", outcome: "400 Missing token in URI"),
        Example(target: "/_token/", outcome: "400 Missing token in URI"),
        Example(target: "/_token//x", outcome: "400 Missing token in URI"),
        Example(target: "/_token/%zz/x", outcome: "404 Tunnel not found (or not seen in a long time)"),
        Example(target: "/_token/%ff%fe/x", outcome: "404 Tunnel not found (or not seen in a long time)"),
        Example(target: "/_token/%+1/x", outcome: "404 Tunnel not found (or not seen in a long time)"),
        Example(target: "/_token/a%20b/x", outcome: "404 Tunnel not found (or not seen in a long time)"),
        Example(target: "/_tokens/x", tokens: [token], outcome: "\(token) /_tokens/x"),
        Example(target: "http://a.example/x?y", tokens: [token], outcome: "\(token) /x?y"),
        Example(target: "HTTPS://a.example", tokens: [token], outcome: "\(token) /"),
        Example(target: "http://a.example?y", tokens: [token], outcome: "\(token) /?y"),
        Example(
            target: "ftp://a.example/", tokens: [token], outcome: "400 The request target must be a path"),
        Example(target: "a.example:443", tokens: [token], outcome: "400 The request target must be a path"),
        Example(target: "/w/_tunnel", basePath: "/w", outcome: "tunnel"),
        Example(target: "/%77/_stats", basePath: "/w", outcome: "stats"),
        Example(target: "/a%2db/_stats", basePath: "/a%2Db", outcome: "stats"),
        Example(
            target: "/a%c3%bc/x%2f?y", basePath: "/a%C3%BC", tokens: [token], outcome: "\(token) /x%2f?y"),
        Example(target: "/%77x", basePath: "/w", tokens: [token], outcome: "404 Not found"),
        Example(target: "/a/b/x", basePath: "/a%2Fb", tokens: [token], outcome: "404 Not found"),
        Example(target: "/a%2fb/x", basePath: "/a/b", tokens: [token], outcome: "404 Not found"),
        Example(target: "/w/_health_check", basePath: "/w", outcome: "health"),
        Example(target: "/w", basePath: "/w", tokens: [token], outcome: "\(token) /"),
        Example(target: "/w?x", basePath: "/w", tokens: [token], outcome: "\(token) /?x"),
        Example(target: "/w/x", basePath: "/w", tokens: [token], outcome: "\(token) /x"),
        Example(target: "/w/_token/\(token)/x", basePath: "/w", outcome: "\(token) /x"),
        Example(target: "/wx", basePath: "/w", tokens: [token], outcome: "404 Not found"),
        Example(target: "/", basePath: "/w", tokens: [token], outcome: "404 Not found"),
        Example(target: "/_tunnel", basePath: "/w", outcome: "404 Not found"),

        Example(target: "/x", host: "listed.example", outcome: "\(other) /x"),
        Example(target: "/x", host: "Listed.EXAMPLE:8080", outcome: "\(other) /x"),
        Example(target: "/x", host: "listed.example.:80", outcome: "\(other) /x"),
        Example(target: "/x", host: "[::1]:80", outcome: "\(other) /x"),
        Example(target: "/x", host: "[::1]", outcome: "\(other) /x"),
        Example(target: "/x", host: "[::2]", outcome: "400 Missing X-Token header"),
        Example(target: "/x", host: "not.listed.example", outcome: "400 Missing X-Token header"),
        Example(target: "/x", host: "", outcome: "400 Missing X-Token header"),
        Example(target: "/x", host: ":80", outcome: "400 Missing X-Token header"),
        Example(target: "/x", tokens: [token], host: "listed.example", outcome: "\(token) /x"),
        Example(target: "/_token/\(token)/x", host: "listed.example", outcome: "\(token) /x"),
        Example(target: "/_token/\(token)", host: "listed.example", outcome: "308 ./\(token)/"),
        Example(target: "/_stats", host: "listed.example", outcome: "stats"),
        Example(target: "/_tunnel", host: "listed.example", outcome: "tunnel"),
        Example(target: "/w/x", basePath: "/w", host: "listed.example", outcome: "\(other) /x"),
        Example(target: "/x", basePath: "/w", host: "listed.example", outcome: "404 Not found"),
    ]

    @Test(arguments: [
        ("/x", "a.example", true, RoutePolicy.TokenPlace.field), ("/x", "listed.example", true, .field),
        ("/x", "listed.example", false, .host), ("/_token/\(token)/x", "listed.example", true, .path),
    ])
    func itIsKnownWhereTheTokenStood(
        target: String, host: String, hasField: Bool, expected: RoutePolicy.TokenPlace
    ) throws {
        var fields = HeaderFields([.host: host])
        if hasField { fields.append(.xToken, Self.token) }
        let token = try RendezvousToken(Self.token)
        let route = CallerRoute(
            RequestHead(method: "GET", target: target, fields: fields), basePath: "",
            hosts: HostTable([PublicName(host: .exact("listed.example")): token]))
        #expect(
            route
                == .forward(
                    Route(
                        token: token, target: "/x",
                        policy: RoutePolicy(namedBy: expected, name: expected == .host ? 0 : nil))))
    }

    private static func place(_ refusal: Refusal) -> String? {
        refusal.answer.fields.first(named: "Location")
    }

    @Test func noTunnelCarriesCONNECT() {
        let fields = HeaderFields([.host: "a:1", .xToken: Self.token])
        for target in ["a:1", "/"] {
            let head = RequestHead(method: "CONNECT", target: target, fields: fields)
            #expect(CallerRoute(head, basePath: "") == .refuse(.connectUnsupported))
        }
    }

    @Test(arguments: examples) func theTargetAndTheTokenDecide(_ example: Example) throws {
        var fields = HeaderFields([.host: example.host])
        let other = try RendezvousToken(Self.other)
        for token in example.tokens { fields.append(.xToken, token) }
        var head = RequestHead(method: "GET", target: example.target, fields: fields)
        // As its connection does; some examples have a `Host` that it would not take.
        try? head.settleTarget()
        let outcome =
            switch CallerRoute(
                head, basePath: example.basePath,
                hosts: HostTable([
                    PublicName(host: .exact("listed.example")): other, PublicName(host: .exact("::1")): other,
                ]))
            {
            case .healthCheck: "health"
            case .stats: "stats"
            case .tunnel: "tunnel"
            case .poll: "poll"
            case .redirect(let location): "redirect \(location)"
            case .challenge(let files): "challenge \(files.joined(separator: " "))"
            case .forward(let route): "\(route.token.secret) \(route.target)"
            case .refuse(let error):
                "\(Refusal(error).status) \(Self.place(Refusal(error)) ?? Refusal(error).text)"
            }
        #expect(outcome == example.outcome)
    }

    /// A tunnel client with another base path in mind is not told of a field that no tunnel client sends.
    @Test(arguments: [
        ("/x/_tunnel", ""), ("/x/_tunnel?y", ""), ("/_tunnel/", ""), ("/_tunnel", "/w"), ("/x/_tunnel", "/w"),
    ])
    func aHandshakeAtAnotherPathIsToldSo(_ target: String, _ basePath: String) {
        var head = RequestHead(
            method: "GET", target: target,
            fields: HeaderFields([.host: "a", .connection: "Upgrade", .upgrade: "websocket"]))
        #expect(CallerRoute(head, basePath: basePath) == .refuse(.notTheTunnelPath))
        head.fields.remove(.upgrade)
        #expect(CallerRoute(head, basePath: basePath) != .refuse(.notTheTunnelPath))
    }
}
