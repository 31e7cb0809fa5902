import HTTPMessage
import Routing
import Testing
import TunnelConfiguration
import TunnelProtocol

/// Which of a server's names a request means.
@Suite struct HostTableTests {
    private static func token(_ name: String) throws -> RendezvousToken {
        try RendezvousToken("token-of-the-tests-\(name)")
    }

    private static func table() throws -> HostTable {
        let names: [(PublicName.Host, String, String)] = [
            (.exact("app.example.com"), "", "app"), (.exact("app.example.com"), "/api", "api"),
            (.exact("app.example.com"), "/api/v2", "v2"),
            (.exact("app.example.com"), "/caf%C3%A9", "coffee"),
            (.exact("app.example.com"), "/two%20words", "words"),
            (.exact("only.example.com"), "/here", "here"),
            (.anyLabel(before: "example.com"), "", "star"),
            (.anyLabel(before: "example.com"), "/x", "star-x"),
            (.any, "", "default"), (.any, "/x", "default-x"),
        ]
        var hosts: [PublicName: RendezvousToken] = [:]
        for (host, path, name) in names { hosts[PublicName(host: host, path: path)] = try token(name) }
        return HostTable(hosts)
    }

    @Test(arguments: [
        ("app.example.com", "/", "app"), ("app.example.com", "/api", "api"),
        ("app.example.com", "/api?x", "api"),
        ("app.example.com", "/api/", "api"), ("app.example.com", "/apiary", "app"),
        ("app.example.com", "/api/v2/x", "v2"), ("app.example.com", "/api/v20", "api"),
        ("app.example.com", "/api/./x", "api"), ("app.example.com", "/api//x", "api"),
        ("app.example.com", "/api/x;y=1/z", "api"), ("app.example.com", "/api/%78", "api"),
        ("app.example.com", "/api/x/../y", "api"), ("app.example.com", "/x//%79/./z", "app"),
        ("app.example.com", "/api/caf%C3%A9", "api"), ("app.example.com", "/caf%C3%A9/x", "coffee"),
        ("app.example.com", "/two%20words/x", "words"), ("app.example.com", "/x?y=//api/..", "app"),
        ("app.example.com", "/api/v2/", "v2"), ("app.example.com", "api", "app"),
        ("app.example.com", "*", "app"),
        ("only.example.com", "/here/x", "here"), ("only.example.com", "/there", "star"),
        ("only.example.com", "/x", "star-x"),
        ("other.example.com", "/", "star"), ("a.b.example.com", "/", "default"),
        ("example.com", "/", "default"),
        (".example.com", "/", "default"), ("", "/x/y", "default-x"), ("10.0.0.1", "/", "default"),
    ])
    func theMostExactNameCounts(_ host: String, _ target: String, _ expected: String) throws {
        let match = try Self.table().match(host: host, target: target)
        #expect(try match?.token == Self.token(expected))
        let name = try #require(match?.index)
        #expect(try Self.table().names.indices.contains(name))
    }

    /// Origins do not agree on what these mean: by the rules of which name should they be let in?
    @Test(arguments: [
        "/%61pi", "//api", "/./api", "/x/../api", "/x/%2e%2e/api", "/x/%252e%252e/api", "\\api", "/api/..",
        "/x/..;/api", "/x/%c0%ae%c0%ae/api", "/api/../public", "/api/%2e%2e/public", "/api%2fx", "/api;x/y",
        "/;x/api", "/api%3bx/y", "/api/v2;x", "/api/v2/../x", "/api\\x", "/%2561pi",
    ])
    func aPathWithTwoReadingsIsRefusedWhereTheyLeadToTwoNames(_ target: String) throws {
        let table = try Self.table()
        #expect(throws: RouteError.ambiguousPath) {
            try table.match(host: "app.example.com", target: target)
        }
        let plain = HostTable([PublicName(host: .any): try Self.token("app")])
        #expect(try plain.match(host: "app.example.com", target: target) != nil, "there no path counts")
    }

    @Test func aClaimedNameStandsBetweenListedOnesAndPatterns() throws {
        let claimed = try Self.token("claimed")
        let table = try Self.table()
        let ask = { (host: String) in
            try table.match(host: host, target: "/", claimed: { _ in claimed })?.token
        }
        #expect(try ask("app.example.com") == Self.token("app"))
        #expect(try ask("other.example.com") == claimed && ask("elsewhere.test") == claimed)
    }

    @Test func withoutNamesNothingMatches() throws {
        #expect(try HostTable().match(host: "app.example.com", target: "/") == nil)
    }

    @Test(arguments: [
        ("/a/b", "/a/b"), ("/a/b?c/../d", "/a/b"), ("/", "/"), ("//", "/"), ("/a//b/", "/a/b/"),
        ("/a/./b", "/a/b"),
        ("/a/../../b", "/b"), ("/%41", "/A"), ("/%2541", "/A"), ("/%zz", "/%zz"), ("/a%2fb", "/a/b"),
        ("/..", "/"), ("/a/..;x/b", "/b"), ("/a/%c0%ae%c0%ae/b", "/b"), ("/a/%2e%2e%00/b", "/b"),
        ("/a/é", "/a/é"), ("/a/%C3%A9", "/a/é"),
        ("/a.b/..c/.d", "/a.b/..c/.d"), ("*", "*"),
    ])
    func pathsAreComparedAsWhatTheyMean(_ target: String, _ expected: String) {
        #expect(ComparablePath.of(target) == expected)
    }
}
