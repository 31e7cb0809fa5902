import HTTPMessage
import NIOCore
import Testing

/// What crosses the tunnel of a caller's request.
@Suite struct ForwardingTests {
    private static let token = "forwarded-token-01"

    struct Example: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var isHostListed = false
        var isInPath = false
        var basePath = ""
        var isTrusted = false
        var target = "/x"
        var lines = ["Host: www.example.com"]
        var upgrade = UpgradeOffer()
        /// All of what crosses.
        let head: [String]
    }

    private static let forwarded = [
        "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: http", "X-Forwarded-Host: www.example.com",
        "X-Forwarded-Port: 80", "Forwarded: for=192.0.2.7;host=www.example.com;proto=http",
        "Via: 1.1 wstunnel",
    ]
    private static let claims = [
        "X-Forwarded-For: 10.0.0.1", "x-forwarded-proto: https", "X-Forwarded-Host: evil",
        "Forwarded: for=10.0.0.1",
        "X-Real-IP: 10.0.0.1", "X-Forwarded-Port: 443", "X-Forwarded-Prefix: /p", "X-FORWARDED-SSL: on",
        "X_Forwarded_Proto: https", "x_real-ip: 10.0.0.1", "CF-Connecting-IP: 10.0.0.1",
        "true-client-ip: 10.0.0.1", "CF_Connecting_IP: 10.0.0.1",
        "Via: 1.1 liar",
    ]

    static let examples: [Example] = [
        Example(
            testDescription: "nothing but a host",
            head: ["GET /x HTTP/1.1", "Host: www.example.com"] + forwarded),
        Example(
            testDescription: "no host", lines: [],
            head: [
                "GET /x HTTP/1.1", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: http",
                "Forwarded: for=192.0.2.7;proto=http", "Via: 1.1 wstunnel",
            ]),
        Example(
            testDescription: "fields of one hop and our own",
            lines: [
                "Host: www.example.com", "Connection: keep-alive, X-Mine", "X-Mine: 1", "X-Token: \(token)",
                "X-Tunnel-Host: listed", "X-Tunnel-Public: token", "HTTP2-Settings: AAMA", "Upgrade: h2c",
                "TE: gzip",
                "Accept: */*",
            ],
            head: ["GET /x HTTP/1.1", "Host: www.example.com", "Accept: */*"] + forwarded),
        Example(
            testDescription: "whether trailers are taken",
            lines: ["Host: www.example.com", "Connection: TE", "TE: gzip;q=0.5, trailers", "Accept: */*"],
            head: ["GET /x HTTP/1.1", "Host: www.example.com", "Accept: */*"] + forwarded + ["TE: trailers"]),
        Example(
            testDescription: "a proxy for CGI programs", isTrusted: true,
            lines: ["Host: www.example.com", "Proxy: http://evil", "Proxy-Status: a", "Cookie: a_b"],
            head: ["GET /x HTTP/1.1", "Host: www.example.com", "Proxy-Status: a", "Cookie: a_b"] + forwarded),
        Example(
            testDescription: "by its host", isHostListed: true,
            head: ["GET /x HTTP/1.1", "Host: www.example.com"] + forwarded + ["X-Tunnel-Host: listed"]),
        Example(
            testDescription: "what a stranger says of earlier hops",
            lines: ["Host: www.example.com"] + claims + ["X-Forward: 1"],
            head: ["GET /x HTTP/1.1", "Host: www.example.com", "X-Forward: 1"] + forwarded),
        Example(
            testDescription: "a trusted proxy that says nothing", isTrusted: true,
            head: ["GET /x HTTP/1.1", "Host: www.example.com"] + forwarded),
        Example(
            testDescription: "an upgrade",
            lines: ["Host: www.example.com", "Connection: Upgrade", "Upgrade: h2c, a"],
            upgrade: RequestHead(
                method: "GET", target: "/",
                fields: HeaderFields([.connection: "Upgrade", .upgrade: "h2c, a, b"])
            ).upgradeOffer,
            head: ["GET /x HTTP/1.1", "Host: www.example.com"] + forwarded + [
                "Connection: Upgrade", "Upgrade: a, b",
            ]),
        Example(
            testDescription: "the token everywhere", isInPath: true, basePath: "/w",
            target: "/x?next=%2Fw%2F_token%2F\(token)%2Fy&t=\(token)",
            lines: [
                "Host: www.example.com", "Referer: http://www.example.com/w/_token/\(token)/from?a",
                "Destination: http://www.example.com/w/_token/\(token)/to", "X_Token: \(token)",
                "Origin: http://www.example.com", "Cookie: a=\(token)",
                "If: <http://www.example.com/w/_token/\(token)/to> (<t:1>)",
            ],
            head: [
                "GET /x?next=%2Fy&t=*** HTTP/1.1", "Host: www.example.com",
                "Referer: http://www.example.com/from?a",
                "Destination: http://www.example.com/to", "X_Token: ***", "Origin: http://www.example.com",
                "Cookie: a=***", "If: <http://www.example.com/to> (<t:1>)",
            ] + forwarded + ["X-Tunnel-Public: token /w"]),
        Example(
            testDescription: "the base path alone", basePath: "/w",
            lines: [
                "Host: www.example.com", "Referer: https://www.example.com/w/a", "Destination: /w/b",
                "If: <http://www.example.com/w> (<t:1>)",
            ],
            head: [
                "GET /x HTTP/1.1", "Host: www.example.com", "Referer: https://www.example.com/a",
                "Destination: /b",
                "If: <http://www.example.com> (<t:1>)",
            ] + forwarded + ["X-Tunnel-Public: - /w"]),
        Example(
            testDescription: "what only looks like the base path", basePath: "/w",
            lines: [
                "Host: www.example.com", "Referer: http://other.example/w/a",
                "Destination: http://www.example.com/wx",
            ],
            head: [
                "GET /x HTTP/1.1", "Host: www.example.com", "Referer: http://other.example/w/a",
                "Destination: http://www.example.com/wx",
            ] + forwarded + ["X-Tunnel-Public: - /w"]),
        Example(
            testDescription: "a page of another tunnel", basePath: "/w",
            lines: [
                "Host: www.example.com", "Referer: http://www.example.com/w/_token/another-token-0123/page?a",
            ],
            head: ["GET /x HTTP/1.1", "Host: www.example.com", "Referer: http://www.example.com/page?a"]
                + forwarded + ["X-Tunnel-Public: - /w"]),
    ]

    @Test(arguments: examples) func theOriginLearnsWhatItMay(_ example: Example) throws {
        let lines = (["GET \(example.target) HTTP/1.1"] + example.lines).map { $0 + "\r\n" }.joined() + "\r\n"
        let request = try RequestHead(whole: ByteBuffer(string: lines), limits: HTTPLimits())
        let forwarding = CallerForwarding(
            token: Self.token, isHostListed: example.isHostListed,
            publicPrefix: PublicPrefix(
                basePath: example.basePath, token: example.isInPath ? PublicPrefix.Spelling() : nil),
            caller: CallerForwarding.Caller(peer: "192.0.2.7", isPeerTrusted: example.isTrusted))
        let text = String(buffer: forwarding.head(of: request, upgrade: example.upgrade))
        #expect(text.split(separator: "\r\n").map(String.init) == example.head)
        #expect(text.hasSuffix("\r\n\r\n"))
    }

    @Test func trailersHoldNoTokenEither() throws {
        let forwarding = CallerForwarding(
            token: Self.token, isHostListed: false, caller: CallerForwarding.Caller(peer: "192.0.2.7"))
        var trailers = HeaderFields()
        trailers.append(named: "T1", "a-\(Self.token)-b")
        trailers.append(named: "T2", "c")
        #expect(String(buffer: forwarding.lines(ofTrailers: trailers)) == "T1: a-***-b\r\nT2: c\r\n")
    }

    @Test func aHostThatNamesNothingIsNotRepeated() throws {
        let fields = HeaderFields([.host: String(repeating: "h", count: 301)])
        let forwarding = CallerForwarding(
            token: Self.token, isHostListed: false, caller: CallerForwarding.Caller(peer: "192.0.2.7"))
        let text = forwarding.head(
            of: RequestHead(method: "GET", target: "/", fields: fields), upgrade: UpgradeOffer())
        #expect(!String(buffer: text).contains("X-Forwarded-Host"))
    }
}
