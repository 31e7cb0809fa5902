import HTTPMessage
import Testing

/// URLs and cookies between an origin and its callers.
@Suite struct URLMappingTests {
    /// Who sees what where.
    struct View: Sendable {
        var isSecure = false
        var authority = "pub.example"
        var prefix = ""
        var origin = "localhost:8080"
        var isOriginSecure = false
        var host: String?
        var originPrefix = ""
        var serverPath = ""
        var asked = "/asked"

        var mapping: URLMapping? {
            URLMapping(
                PublicPlace(isSecure: isSecure, authority: authority, prefix: prefix),
                URLMapping.Origin(
                    isSecure: isOriginSecure, authority: origin, host: host, prefix: originPrefix),
                serverPath: serverPath, asked: asked)
        }
    }

    struct Example: CustomTestStringConvertible, Sendable {
        var view = View()
        let value: String
        /// nil: it stays.
        let expected: String?
        var testDescription: String { value }

        init(_ view: View, _ value: String, _ expected: String?) {
            self.view = view
            self.value = value
            self.expected = expected
        }
    }

    private static let token = View(prefix: "/_token/t")
    private static let secure = View(isSecure: true, authority: "pub.example:8443")
    private static let deep = View(prefix: "/w/_token/t", originPrefix: "/app", serverPath: "/w")
    private static let kept = View(isSecure: true, host: "pub.example")

    static let locations: [Example] = [
        // Own names, in every spelling.
        Example(View(), "http://localhost:8080/a?b#c", "http://pub.example/a?b#c"),
        Example(View(), "HTTP://LocalHost:8080/A", "http://pub.example/A"),
        Example(View(), "http://localhost.:8080/a", "http://pub.example/a"),
        Example(View(), "http://localhost:8080", "http://pub.example"),
        Example(View(), "http://localhost:8080?a", "http://pub.example?a"),
        Example(View(), "http://u:p@localhost:8080/a", "http://u:p@pub.example/a"),
        Example(View(), "//localhost:8080/a", "//pub.example/a"),
        Example(View(origin: "localhost"), "http://localhost:80/a", "http://pub.example/a"),
        Example(View(origin: "localhost"), "http://localhost:/a", "http://pub.example/a"),
        Example(
            View(origin: "localhost", isOriginSecure: true), "https://localhost:443/a", "http://pub.example/a"
        ),
        Example(View(origin: "[::1]:80"), "http://[::1]/a", "http://pub.example/a"),
        Example(View(origin: "[2001:db8::1]:81"), "http://[2001:DB8::1]:81/a", "http://pub.example/a"),
        Example(View(authority: "[2001:db8::2]:82"), "http://localhost:8080/a", "http://[2001:db8::2]:82/a"),
        Example(secure, "http://localhost:8080/a", "https://pub.example:8443/a"),
        // It knows the caller's scheme, or host, and not the other.
        Example(secure, "https://localhost:8080/a", "https://pub.example:8443/a"),
        Example(kept, "http://pub.example/a", "https://pub.example/a"),
        Example(View(host: "named.example"), "http://named.example/a", "http://pub.example/a"),
        // Others'.
        Example(View(), "http://localhost:8081/a", nil),
        Example(View(), "https://localhost:8080/a", nil),
        Example(View(), "http://localhost/a", nil),
        Example(View(), "http://evil.example/http://localhost:8080/", nil),
        Example(View(), "http://localhost:8080@evil.example/", nil),
        Example(View(), "http://evil.example\\@localhost:8080/", nil),
        Example(View(), "http://localhost:8080\\@evil.example/", nil),
        Example(View(), "http://localhost:8080.evil.example/", nil),
        Example(View(), "http://localhost:080800/a", nil),
        Example(View(), "http://localhost:x/a", nil),
        Example(View(), "//evil.example/a", nil),
        Example(View(), "ftp://localhost:8080/a", nil),
        Example(View(), "http:///a", nil),
        Example(View(), "", nil),
        Example(View(), "mailto:a@localhost", nil),
        // Public already.
        Example(View(), "http://pub.example/a", nil),
        Example(View(), "/a", nil),
        Example(token, "http://pub.example/_token/t/a", nil),
        Example(token, "http://pub.example/_token/another/a", nil),
        Example(token, "/_token/another/a", nil),
        Example(deep, "/w/_token/t/x", nil),
        Example(kept, "http://pub.example/_token/another/a", "https://pub.example/_token/another/a"),
        // A path in front.
        Example(token, "/login?next=/a", "/_token/t/login?next=/a"),
        Example(token, "/", "/_token/t/"),
        Example(token, "http://localhost:8080", "http://pub.example/_token/t/"),
        Example(token, "http://localhost:8080?a", "http://pub.example/_token/t/?a"),
        Example(token, "//localhost:8080/a", "//pub.example/_token/t/a"),
        Example(token, "http://pub.example/login", "http://pub.example/_token/t/login"),
        Example(token, "login", nil),
        Example(token, "../login", nil),
        Example(token, "?a", nil),
        Example(token, "//evil.example/a", nil),
        // A path of the origin's.
        Example(deep, "/app/login", "/w/_token/t/login"),
        Example(deep, "/app", "/w/_token/t/"),
        Example(deep, "/app?a", "/w/_token/t/?a"),
        Example(deep, "/apple", nil),
        Example(deep, "/other", nil),
        Example(deep, "http://localhost:8080/app/x", "http://pub.example/w/_token/t/x"),
        Example(deep, "http://localhost:8080/other", nil),
        Example(View(originPrefix: "/app"), "/app//evil.example/x", "http://pub.example//evil.example/x"),
        Example(View(originPrefix: "/app"), "/app/\\evil.example", "http://pub.example/\\evil.example"),
        Example(View(originPrefix: "/app"), "/app/x", "/x"),
        // Who insists on https means it.
        Example(View(host: "pub.example"), "https://pub.example/asked", nil),
        Example(View(isOriginSecure: true, host: "pub.example"), "https://pub.example/asked", nil),
        Example(
            View(isOriginSecure: true, host: "pub.example"), "https://pub.example/other",
            "http://pub.example/other"),
    ]

    @Test(arguments: locations) func aLocationIsOneForCallers(_ example: Example) throws {
        let mapping = try #require(example.view.mapping)
        #expect(mapping.publicURL(example.value[...]) == example.expected)
    }

    @Test func whatIsMadeForCallersStaysSo() throws {
        for example in Self.locations {
            guard let made = example.expected, let mapping = example.view.mapping,
                !made.contains("\\"), !made.contains("//evil"), example.view.prefix != ""
            else { continue }
            #expect(mapping.publicURL(made[...]) == nil, "\(made)")
        }
    }

    static let cookies: [Example] = [
        Example(View(), "a=b; Path=/; HttpOnly", nil),
        Example(View(), "a=b", nil),
        Example(token, "a=b", nil),
        Example(token, "a=b; path=/", "a=b; path=/_token/t/"),
        Example(
            token, "a=\"b c\"; HttpOnly;PATH = /x ;Secure; SameSite=None",
            "a=\"b c\"; HttpOnly;PATH =/_token/t/x;Secure; SameSite=None"),
        Example(token, "a=b; Path=/_token/t/x", nil),
        Example(token, "a=b; Path=/_token/t", nil),
        Example(token, "a=b; Path=x", nil),
        Example(token, "a=b; Path=\"/\"", nil),
        Example(token, "a=b; Path", nil),
        Example(token, "path=/; Domain=/", nil),
        Example(token, "__Host-a=b; Secure; Path=/", nil),
        Example(token, " __HOST-a=b; Secure; Path=/", nil),
        Example(token, "__Secure-a=b; Secure; Path=/", "__Secure-a=b; Secure; Path=/_token/t/"),
        Example(View(prefix: "/_token/t;x"), "a=b; Path=/", nil),
        // A path of the origin's.
        Example(deep, "a=b; Path=/app", "a=b; Path=/w/_token/t"),
        Example(deep, "a=b; Path=/app/x", "a=b; Path=/w/_token/t/x"),
        Example(deep, "a=b; Path=/", "a=b; Path=/w/_token/t/"),
        Example(deep, "a=b; Path=/apple", nil),
        Example(View(originPrefix: "/app"), "a=b; Path=/app", "a=b; Path=/"),
        Example(View(originPrefix: "/app"), "a=b; Path=/", nil),
        Example(View(originPrefix: "/a/b"), "a=b; Path=/a/", "a=b; Path=/"),
        // Domains.
        Example(View(), "a=b; Domain=localhost; Path=/", "a=b; Path=/"),
        Example(View(), "a=b; Path=/; domain=.LOCALHOST", "a=b; Path=/"),
        Example(View(origin: "app.corp.example"), "a=b; Domain=corp.example", "a=b"),
        Example(View(origin: "app.corp.example"), "a=b; Domain=.app.corp.example; Secure", "a=b; Secure"),
        Example(View(host: "app.corp.example:81"), "a=b; Domain=app.corp.example", "a=b"),
        Example(View(origin: "app.corp.example"), "a=b; Domain=p.corp.example", nil),
        Example(View(), "a=b; Domain=pub.example", nil),
        Example(View(authority: "app.pub.example:81"), "a=b; Domain=pub.example", nil),
        Example(View(), "a=b; Domain=other.example", nil),
        Example(View(), "a=b; Domain=", nil),
        Example(token, "a=b; Domain=localhost; Path=/", "a=b; Path=/_token/t/"),
    ]

    @Test(arguments: cookies) func aCookieComesBackToTheOrigin(_ example: Example) throws {
        let mapping = try #require(example.view.mapping)
        #expect(mapping.publicCookie(example.value) == example.expected)
    }

    static let refreshes: [Example] = [
        Example(token, "5", nil),
        Example(token, "5; url=/x", "5; url=/_token/t/x"),
        Example(token, "0;URL='http://localhost:8080/x'", "0;URL='http://pub.example/_token/t/x'"),
        Example(token, "1.5 ; Url = \"/x\" ", "1.5 ; Url = \"/_token/t/x\" "),
        Example(token, "5, /x", "5, /_token/t/x"),
        Example(token, "5; url=x", nil),
        Example(token, "5; url=http://evil.example/", nil),
        Example(token, "url=/x", nil),
        Example(token, "5; url=\"/x", "5; url=\"/_token/t/x"),
        Example(token, "", nil),
    ]

    @Test(arguments: refreshes) func aRefreshIsOneForCallers(_ example: Example) throws {
        let mapping = try #require(example.view.mapping)
        #expect(mapping.publicRefresh(example.value) == example.expected)
    }

    static let pages: [Example] = [
        Example(View(), "http://pub.example/a?b", "http://localhost:8080/a?b"),
        Example(View(), "http://pub.example:80/a", "http://localhost:8080/a"),
        Example(View(), "HTTP://PUB.example/a", "http://localhost:8080/a"),
        Example(View(originPrefix: "/app"), "http://pub.example/a", "http://localhost:8080/app/a"),
        Example(kept, "https://pub.example/a", "http://pub.example/a"),
        Example(View(host: "pub.example"), "http://pub.example/a", nil),
        // Of another scheme it is another site.
        Example(kept, "http://pub.example/a", nil),
        Example(View(), "https://pub.example/a", nil),
        Example(View(), "http://evil.example/a", nil),
        Example(View(), "http://pub.example@evil.example/a", nil),
        Example(View(), "//pub.example/a", nil),
        Example(View(), "/a", nil),
        Example(View(), "null", nil),
    ]

    @Test(arguments: pages) func thePageOfACallerIsOneOfTheOrigin(_ example: Example) throws {
        let mapping = try #require(example.view.mapping)
        #expect(mapping.originURL(example.value, isOrigin: false) == example.expected)
    }

    @Test(arguments: [
        ("http://pub.example", "http://localhost:8080"), ("http://evil.example", nil), ("null", nil),
        ("http://pub.example/", nil), ("https://pub.example", nil), ("http://u@pub.example", nil),
    ]) func theOriginOfACallerIsThatOfTheOrigin(_ value: String, _ expected: String?) throws {
        let mapping = try #require(View(originPrefix: "/app").mapping)
        #expect(mapping.originURL(value, isOrigin: true) == expected)
    }

    @Test(arguments: ["", "a b", "a/b", "a@b", "[::1", "::1", "a:b"]) func whatIsNoHostIsNoPlace(
        _ host: String
    ) {
        #expect(View(authority: host).mapping == nil)
    }

    // MARK: Fields

    @Test func everyFieldOfAnAnswerFollows() throws {
        var fields = HeaderFields([
            .location: "/a", .contentLocation: "http://localhost:8080/b", .setCookie: "a=b; Path=/",
            .setCookie: "c=d", .refresh: "1; url=/c", .setCookie: "e=f; Path=/g",
            .origin: "http://localhost:8080",
        ])
        #expect(fields.speakOfOrigin)
        fields.makePublic(try #require(Self.token.mapping))
        #expect(
            fields.pairs.map(\.value) == [
                "/_token/t/a", "http://pub.example/_token/t/b", "a=b; Path=/_token/t/", "c=d",
                "1; url=/_token/t/c", "e=f; Path=/_token/t/g", "http://localhost:8080",
            ])
        #expect(!HeaderFields([.date: "now", .origin: "x"]).speakOfOrigin)
    }

    @Test func fieldsOfARequestFollow() throws {
        var fields = HeaderFields([.origin: "http://pub.example", .referer: "http://pub.example/a"])
        #expect(fields.speakOfCallersPage)
        fields.makeOrigins(try #require(View().mapping))
        #expect(fields.pairs.map(\.value) == ["http://localhost:8080", "http://localhost:8080/a"])
    }

    // MARK: Places

    @Test func aPlaceIsWhatForwardingFieldsSay() {
        let examples: [(fields: KeyValuePairs<FieldName, String>, place: PublicPlace?)] = [
            (
                [.xForwardedHost: "pub.example", .xForwardedProto: "https", .host: "h"],
                PublicPlace(isSecure: true, authority: "pub.example", prefix: "/p")
            ),
            (
                [.xForwardedHost: "a, b", .xForwardedProto: "HTTPS , http"],
                PublicPlace(isSecure: true, authority: "a", prefix: "/p")
            ),
            ([.host: "h:81"], PublicPlace(isSecure: false, authority: "h:81", prefix: "/p")),
            ([.host: ""], nil), ([:], nil),
        ]
        for (fields, place) in examples {
            #expect(PublicPlace(of: HeaderFields(fields), prefix: "/p") == place)
        }
    }
}
