import TestSupport
import Testing

@testable import TunnelConfiguration

@Suite struct GrammarTests {
    @Test(
        arguments: [
            ("250ms", .milliseconds(250)), ("30s", .seconds(30)), ("20m", .seconds(1200)),
            ("1h", .seconds(3600)),
            ("1h30m", .seconds(5400)), ("1m1s1ms", .milliseconds(61_001)), ("0", .zero), ("45", .seconds(45)),
            ("", nil), ("s", nil), ("1", .seconds(1)), ("-1s", nil), ("+1s", nil), ("1.5s", nil),
            ("1 s", nil),
            ("1S", nil), ("1m1h", nil), ("1s1s", nil), ("7d", .seconds(604_800)),
            ("1d12h", .seconds(129_600)), ("1h1d", nil), ("1w", nil), ("99999999999999999999s", nil),
            ("9223372036854775807h", nil), ("9223372036854775807", nil), ("1s2", nil), ("１s", nil),
        ] as [(String, Duration?)])
    func readsDurations(_ text: String, _ expected: Duration?) {
        #expect(DurationText.parse(text) == expected)
    }

    @Test func writesDurationsAsItReadsThem() {
        var random = SplitMix64(seed: 7)
        print("seed \(random.seed)")
        for _ in 0..<1000 {
            let duration = Duration.milliseconds(Int64.random(in: 0...100_000_000, using: &random))
            #expect(DurationText.parse(DurationText.format(duration)) == duration)
        }
    }

    @Test(
        arguments: [
            ("", [.literal("")]), ("plain", [.literal("plain")]),
            ("my_b!g_$secret!!", [.literal("my_b!g_$secret!!")]), ("$", [.literal("$")]),
            ("$$", [.literal("$$")]), ("a$${b}", [.literal("a${b}")]), ("$$${A}", [.literal("$${A}")]),
            ("${A}", [.variable(name: "A", defaultText: nil)]),
            ("${_a1:-}", [.variable(name: "_a1", defaultText: "")]),
            ("x${A:-b:-c$d}y", [.literal("x"), .variable(name: "A", defaultText: "b:-c$d"), .literal("y")]),
            ("${A}${B}", [.variable(name: "A", defaultText: nil), .variable(name: "B", defaultText: nil)]),
        ] as [(String, [Interpolation.Piece])])
    func splitsVariables(_ text: String, _ pieces: [Interpolation.Piece]) throws {
        #expect(try Interpolation.pieces(of: text) == pieces)
    }

    @Test(
        arguments: [
            ("${", .unclosed), ("a${b", .unclosed), ("${}", .badName("")), ("${1}", .badName("1")),
            ("${a-b}", .badName("a-b")), ("${a:b}", .badName("a:b")), ("${ä}", .badName("ä")),
            ("${:-x}", .badName(":-x")),
        ] as [(String, Interpolation.SyntaxFault)])
    func refusesBrokenVariables(_ text: String, _ fault: Interpolation.SyntaxFault) {
        #expect(throws: fault) { try Interpolation.pieces(of: text) }
    }

    @Test(
        arguments: [
            ("tokne", "token"), ("Token", "token"), ("token_file", "token-file"), ("tokenFile", "token-file"),
            ("conections", "connections"), ("conn", "connections"), ("xyz", nil), ("", nil), ("t", nil),
            (String(repeating: "token", count: 20), nil),
        ] as [(String, String?)])
    func findsTheNearestName(_ name: String, _ expected: String?) {
        let names = ["name", "token", "token-file", "token-command", "connections", "timeout"]
        #expect(NearMiss.nearest(to: name, among: names) == expected)
    }

    @Test(arguments: [
        ("ws://host", TunnelURL(isSecure: false, host: "host", port: 80)),
        ("WSS://Host.example", TunnelURL(isSecure: true, host: "Host.example", port: 443)),
        ("wss://[::1]:8443/a/b/", TunnelURL(isSecure: true, host: "::1", port: 8443, basePath: "/a/b")),
        (
            "ws://u%40x:p%3Aq@host:81/",
            TunnelURL(
                isSecure: false, host: "host", port: 81,
                credentials: BasicCredentials(user: "u@x", password: Secret("p:q")))
        ),
        ("ws://host/a%20b", TunnelURL(isSecure: false, host: "host", port: 80, basePath: "/a%20b")),
        (
            "ws://u:p@ss@host",
            TunnelURL(
                isSecure: false, host: "host", port: 80,
                credentials: BasicCredentials(user: "u", password: Secret("p@ss")))
        ),
    ])
    func readsTunnelAddresses(_ text: String, _ url: TunnelURL) throws {
        #expect(try TunnelURL.parse(text) == url)
    }

    @Test(arguments: [
        "", "ws", "ws:", "ws:/host", "ws://", "ws://:80", "ws://a b", "ws://host:0", "ws://host:65536",
        "ws://host:", "ws://host:+80", "ws://::1", "ws://[::1", "ws://[::1]x", "ws://[]", "ws://host/a?b",
        "ws://host#x", "ws://host/a/../b", "ws://host//", "ws://:p@host", "ws://u%zz@host", "ws://u%4@host",
        "ws://u%3Ax:p@host", "ws://hö", "ws://host/%4", "ws://host/a%2fb", "ws://host/%2e%2e",
        "ws://host/%00", "ws://host\n", "1ws://host",
        "ws://" + String(repeating: "a", count: 300),
    ])
    func refusesBrokenTunnelAddresses(_ text: String) {
        #expect(throws: ValueFault.self) { try TunnelURL.parse(text) }
    }

    @Test(
        arguments: [
            ("http://localhost:8080", .web(OriginURL(isSecure: false, host: "localhost", port: 8080))),
            ("https://h/p/", .web(OriginURL(isSecure: true, host: "h", port: 443, basePath: "/p"))),
            ("builtin:echo", .echo), ("file:///srv/www", .folder(path: "/srv/www")),
            ("file:///a%20b", .folder(path: "/a b")), ("tcp://h:22", .tcp(host: "h", port: 22)),
            ("tcp://[::1]:5432/", .tcp(host: "::1", port: 5432)),
        ] as [(String, OriginTarget)])
    func readsOrigins(_ text: String, _ origin: OriginTarget) throws {
        #expect(try OriginTarget.parse(text) == origin)
    }

    @Test(arguments: [
        "file:///a%00b", "file:/a", "file://host/a", "builtin:", "builtin:x", "http:/x", "x", "tcp://h",
        "tcp:h:22", "tcp://h:22/x",
    ])
    func refusesBrokenOrigins(_ text: String) {
        #expect(throws: ValueFault.self) { try OriginTarget.parse(text) }
    }

    @Test(arguments: [
        ("0.0.0.0", "127.0.0.1", true), ("::", "127.0.0.1", true), ("::", "0.0.0.0", true),
        ("0.0.0.0", "::1", false), ("127.0.0.1", "127.0.0.2", false), ("::1", "::2", false),
        ("a.example", "A.example", true), ("localhost", "127.0.0.1", true), ("localhost", "::1", true),
        ("localhost", "10.0.0.1", false), ("0:0::0", "10.0.0.1", true), ("0.0.0.0", "a.example", true),
    ])
    func findsListenersThatCannotBothBeBound(_ a: String, _ b: String, _ overlap: Bool) {
        let first = ListenAddress(host: a, port: 80)
        let second = ListenAddress(host: b, port: 80)
        #expect(first.overlaps(second) == overlap)
        #expect(second.overlaps(first) == overlap)
        #expect(!first.overlaps(ListenAddress(host: b, port: 81)))
    }

    @Test(arguments: [
        (#"https://.*\.some\.example\.com"#, 0), (#"https?://[a-z.]+\.example\.com(:\d+)?"#, 0),
        (#"https://a.example\.com"#, 1), (#"https://.*example\.com"#, 1), (#"intranet\.example\.com"#, 1),
        (#"https://.*example.com"#, 2), (#"(http|https)://x"#, 0), (#".*"#, 0), (#"^https://x$"#, 0),
    ])
    func warnsAboutPatternsThatMeanSomethingElse(_ pattern: String, _ count: Int) throws {
        #expect(try HostPattern.parse(pattern).lint().count == count)
    }

    @Test func aPatternMatchesTheWholeValue() throws {
        let pattern = try HostPattern.parse(#"https?://[a-z]+\.example\.com"#)
        #expect(pattern.allows("https://a.example.com"))
        #expect(!pattern.allows("https://a.example.com.evil.net"))
    }

    @Test(arguments: ["(", "[", "a{2,1}", "*", "", String(repeating: "a", count: 2000)])
    func refusesPatternsThatCannotBeCompiled(_ pattern: String) {
        #expect(throws: ValueFault.self) { try HostPattern.parse(pattern) }
    }

    /// Compiling must end, and without a crash, whatever the pattern asks for.
    @Test(.timeLimit(.minutes(1)), arguments: ["(", "(?:", "[", "a{1000}", "(a*)*", "\\", "(?=", "|"])
    func hostilePatternsEndSoon(_ piece: String) {
        for count in [1, 10, 1000 / piece.utf8.count] {
            for suffix in ["", String(repeating: ")", count: count)] {
                let pattern = String((String(repeating: piece, count: count) + suffix).prefix(1000))
                _ = try? HostPattern.parse(pattern)
            }
        }
    }
}
