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
            (.exact("app.example.com"), "/api/v2", "v2"), (.exact("only.example.com"), "/here", "here"),
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
        ("app.example.com", "/%61pi", "api"), ("app.example.com", "//api", "api"),
        ("app.example.com", "/./api", "api"), ("app.example.com", "/x/../api", "api"),
        ("app.example.com", "/x/%2e%2e/api", "api"), ("app.example.com", "/x/%252e%252e/api", "api"),
        ("app.example.com", "\\api", "api"), ("app.example.com", "/api/..", "app"),
        ("app.example.com", "/x/..;/api", "api"), ("app.example.com", "/x/%c0%ae%c0%ae/api", "api"),
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

    @Test func aClaimedNameStandsBetweenListedOnesAndPatterns() throws {
        let claimed = try Self.token("claimed")
        let table = try Self.table()
        let ask = { (host: String) in table.match(host: host, target: "/", claimed: { _ in claimed })?.token }
        #expect(try ask("app.example.com") == Self.token("app"))
        #expect(ask("other.example.com") == claimed && ask("elsewhere.test") == claimed)
    }

    @Test func withoutNamesNothingMatches() {
        #expect(HostTable().match(host: "app.example.com", target: "/") == nil)
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
