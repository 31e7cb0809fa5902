import HTTPMessage
import NIOCore
import Testing

/// Who calls, as origins are told: by every field, from strangers and through proxies that are trusted, which say it
/// themselves or do not.
@Suite struct ForwardingFieldsTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var peer = "192.0.2.7"
        var port: Int? = 4711
        var isTrusted = false
        var isSecure = false
        var described: Forwarded.Element?
        var tellsAll = true
        var version = HTTPVersion.http11
        var host: String? = "www.example.com"
        var lines: [String] = []
        /// All lines that tell of the caller, in the order in which they cross.
        let told: [String]
    }

    private static func told(
        _ hops: String = "192.0.2.7", proto: String? = "http", host: String? = "www.example.com",
        port: String? = "80", forwarded: String, via: String? = "1.1 wstunnel"
    ) -> [String] {
        ["X-Forwarded-For: \(hops)"] + (proto.map { ["X-Forwarded-Proto: \($0)"] } ?? [])
            + (host.map { ["X-Forwarded-Host: \($0)"] } ?? [])
            + (port.map { ["X-Forwarded-Port: \($0)"] } ?? [])
            + ["Forwarded: \(forwarded)"] + (via.map { ["Via: \($0)"] } ?? [])
    }

    private static let own = #"for="192.0.2.7:4711";host=www.example.com;proto=http"#
    private static let forged = [
        "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil",
        "X-Forwarded-Port: 666",
        "Forwarded: for=10.0.0.1;host=evil;proto=https", "Via: 1.0 evil", "X-Forwarded-Prefix: /evil",
        "X-Real-IP: 10.0.0.1", "X_Forwarded_Port: 666",
    ]

    static let strangers: [Example] = [
        Example(testDescription: "says nothing", told: told(forwarded: own)),
        Example(testDescription: "lies in every field", lines: forged, told: told(forwarded: own)),
        Example(
            testDescription: "by TLS", isSecure: true,
            told: told(
                proto: "https", port: "443",
                forwarded: own.replacing("proto=http", with: "proto=https"))),
        Example(
            testDescription: "at a port", host: "www.example.com:8080",
            told: told(
                host: "www.example.com:8080", port: "8080",
                forwarded: #"for="192.0.2.7:4711";host="www.example.com:8080";proto=http"#)),
        Example(
            testDescription: "by IPv6", peer: "2001:db8::7", host: "[::1]:81",
            told: told(
                "2001:db8::7", host: "[::1]:81", port: "81",
                forwarded: #"for="[2001:db8::7]:4711";host="[::1]:81";proto=http"#)),
        Example(
            testDescription: "by IPv6 at no port", peer: "fe80::7%eth0", port: nil, host: "[::1]",
            told: told(
                "fe80::7%eth0", host: "[::1]", port: "80",
                forwarded: #"for="[fe80::7]";host="[::1]";proto=http"#)),
        Example(
            testDescription: "whose port nobody knows", port: nil,
            told: told(forwarded: "for=192.0.2.7;host=www.example.com;proto=http")),
        Example(
            testDescription: "whose address nobody knows", peer: "unknown", port: nil,
            told: told("unknown", forwarded: "for=unknown;host=www.example.com;proto=http")),
        Example(
            testDescription: "by HTTP/1.0 for no host", version: .http10, host: nil,
            told: told(
                host: nil, port: nil, forwarded: #"for="192.0.2.7:4711";proto=http"#, via: "1.0 wstunnel")),
        Example(
            testDescription: "where X-Forwarded- is enough", tellsAll: false, lines: forged,
            told: Array(told(forwarded: own).prefix(4))),
    ]

    private static let first = #"for=203.0.113.9;proto=https;host="pub.example""#

    static let proxies: [Example] = [
        Example(testDescription: "says nothing", isTrusted: true, told: told(forwarded: own)),
        Example(
            testDescription: "says everything", isTrusted: true,
            lines: [
                "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: pub.example",
                "X-Forwarded-Port: 8443", "Forwarded: \(first)", "Via: 2.0 front",
            ],
            told: [
                "X-Forwarded-Proto: https", "X-Forwarded-Host: pub.example", "X-Forwarded-Port: 8443",
                "X-Forwarded-For: 203.0.113.9, 192.0.2.7", "Forwarded: \(first), \(own)",
                "Via: 2.0 front, 1.1 wstunnel",
            ]),
        Example(
            testDescription: "writes X-Forwarded- alone", isTrusted: true,
            lines: [
                "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https",
                "X-Forwarded-Host: pub.example:8443",
            ],
            told: [
                "X-Forwarded-Proto: https", "X-Forwarded-Host: pub.example:8443",
                "X-Forwarded-For: 203.0.113.9, 192.0.2.7", "X-Forwarded-Port: 8443",
                #"Forwarded: for=203.0.113.9;host="pub.example:8443";proto=https, "# + own,
                "Via: 1.1 wstunnel",
            ]),
        Example(
            testDescription: "says the scheme alone", isTrusted: true, lines: ["X-Forwarded-Proto: https"],
            told: [
                "X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Host: www.example.com",
                "X-Forwarded-Port: 443", "Forwarded: \(own)", "Via: 1.1 wstunnel",
            ]),
        Example(
            testDescription: "writes Forwarded alone", isTrusted: true,
            described: Forwarded.Element(node: "203.0.113.9", host: "pub.example", scheme: "https"),
            lines: ["Forwarded: for=10.0.0.1", "Forwarded: \(first)"],
            told: told(
                "10.0.0.1, 203.0.113.9, 192.0.2.7", proto: "https", host: "pub.example", port: "443",
                forwarded: "for=10.0.0.1, \(first), \(own)")),
        Example(
            testDescription: "lets a forged Forwarded through", isTrusted: true,
            lines: ["X-Forwarded-For: 203.0.113.9", "Forwarded: for=10.0.0.1;proto=https;host=evil"],
            told: told(
                "203.0.113.9, 192.0.2.7", forwarded: "for=203.0.113.9, \(own)")),
        Example(
            testDescription: "writes ports and IPv6", isTrusted: true,
            lines: [#"X-Forwarded-For: "x", [2001:db8::1]:99, 203.0.113.9:80,unknown"#],
            told: told(
                #""x", [2001:db8::1]:99, 203.0.113.9:80,unknown, 192.0.2.7"#,
                forwarded:
                    #"for=unknown, for="[2001:db8::1]", for=203.0.113.9, for=unknown, "# + own)),
        Example(
            testDescription: "the same hops in both, written in two ways", isTrusted: true,
            lines: [
                "X-Forwarded-For: 2001:DB8::1, 203.0.113.9:80",
                #"Forwarded: For="[2001:db8::1]:1";by=x, for=203.0.113.9"#,
            ],
            told: told(
                "2001:DB8::1, 203.0.113.9:80, 192.0.2.7",
                forwarded: #"For="[2001:db8::1]:1";by=x, for=203.0.113.9, "# + own)),
        Example(
            testDescription: "passes on a Forwarded that puts more into one element", isTrusted: true,
            described: Forwarded.Element(host: "a\"b", scheme: "c d"),
            lines: [#"Forwarded: for="a, 127.0.0.1", for="10.0.0.1, b";host="x""#],
            told: told(
                "a, 10.0.0.1, 192.0.2.7",
                forwarded: #"for="a, 127.0.0.1", for="10.0.0.1, b";host="x", "# + own)),
        Example(
            testDescription: "writes a Forwarded that nobody can read", isTrusted: true,
            lines: [#"Forwarded: for="203.0.113.9"#], told: told(forwarded: own)),
        Example(
            testDescription: "where X-Forwarded- is enough", isTrusted: true, tellsAll: false,
            lines: ["X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9", "Via: 1.1 front"],
            told: [
                "Forwarded: for=203.0.113.9", "Via: 1.1 front", "X-Forwarded-For: 203.0.113.9, 192.0.2.7",
            ] + Array(told(forwarded: own).dropFirst().prefix(3))),
    ]

    @Test(arguments: strangers, [false, true])
    func aStrangerIsToldOfAsItIs(_ example: Example, isHTTP2: Bool) throws {
        try check(example, isHTTP2: isHTTP2)
    }

    @Test(arguments: proxies, [false, true])
    func aTrustedProxyIsBelieved(_ example: Example, isHTTP2: Bool) throws {
        try check(example, isHTTP2: isHTTP2)
    }

    private func check(_ example: Example, isHTTP2: Bool) throws {
        let host = example.host.map { ["Host: \($0)"] } ?? []
        let version = example.version == .http10 ? "1.0" : "1.1"
        let lines = (["GET /x HTTP/\(version)"] + host + example.lines).map { $0 + "\r\n" }.joined()
        let request = try RequestHead(whole: ByteBuffer(string: lines + "\r\n"), limits: HTTPLimits())
        let caller = CallerForwarding.Caller(
            peer: example.peer,
            source: CallerForwarding.Caller.source(example.peer, port: example.port),
            isPeerTrusted: example.isTrusted, described: example.described, isSecure: example.isSecure,
            isHTTP2: isHTTP2)
        let forwarding = CallerForwarding(
            token: "forwarded-token-01", isHostListed: false, caller: caller, tellsAll: example.tellsAll)
        let text = String(buffer: forwarding.head(of: request, upgrade: UpgradeOffer()))
        let told = text.split(separator: "\r\n").map(String.init).filter { line in
            !line.hasPrefix("GET ") && !line.hasPrefix("Host:")
        }
        let expected = example.told.map { line in
            isHTTP2 ? line.replacing(/1\.[01] wstunnel/, with: "2.0 wstunnel") : line
        }
        #expect(told == expected)
        // What we write can be read.
        let read = Forwarded.elements(
            told.filter { $0.hasPrefix("Forwarded: ") }.map { String($0.dropFirst(11)) })
        #expect(read != nil)
    }

    // MARK: Reading

    @Test(arguments: [
        ("", []), (" , ,", []), ("for=a", [Forwarded.Element(node: "a")]),
        (
            #"for="[2001:db8::1]:80";proto=HTTPS;host="a:1";by=x;, For=_b ; Proto="http""#,
            [
                Forwarded.Element(node: "[2001:db8::1]:80", host: "a:1", scheme: "https"),
                Forwarded.Element(node: "_b", scheme: "http"),
            ]
        ),
        (#"for="a\"b,c""#, [Forwarded.Element(node: #"a"b,c"#)]),
    ]) func elementsAreRead(_ value: String, _ elements: [Forwarded.Element]) {
        #expect(Forwarded.elements([value]) == elements)
    }

    @Test(arguments: [
        "for", "for=", "for=a b", #"for="a"#, #"for="a\"#, "for=a, b", "=a", "for=[::1]", "for=a:1",
        "for=a;;proto",
        String(repeating: "for=a,", count: 65),
    ]) func nonsenseIsNotRead(_ value: String) {
        #expect(Forwarded.elements([value]) == nil)
    }

    @Test func everyBeginningOfAFieldIsReadOrRefused() {
        let value = #"for="[2001:db8::1]:80";proto=https;host="a\:1", for=192.0.2.1"#
        for length in 0...value.count { _ = Forwarded.elements([String(value.prefix(length))]) }
    }
}
