import OriginHTTP
import Testing

struct OriginAddressTests {
    struct Good: CustomTestStringConvertible {
        let text: String
        let isSecure: Bool
        let host: String
        let port: Int
        let authority: String
        init(_ text: String, _ isSecure: Bool, _ host: String, _ port: Int, _ authority: String) {
            self.text = text
            self.isSecure = isSecure
            self.host = host
            self.port = port
            self.authority = authority
        }
        var testDescription: String { text }
    }

    @Test(arguments: [
        Good("http://localhost", false, "localhost", 80, "localhost"),
        Good("https://Example.COM", true, "example.com", 443, "example.com"),
        Good("HTTP://a:8080", false, "a", 8080, "a:8080"), Good("http://a:443", false, "a", 443, "a:443"),
        Good("https://a:443", true, "a", 443, "a"), Good("http://a:80/", false, "a", 80, "a"),
        Good("http://a_b.c-d.", false, "a_b.c-d.", 80, "a_b.c-d."),
        Good("http://127.0.0.1:1", false, "127.0.0.1", 1, "127.0.0.1:1"),
        Good("http://[::1]", false, "::1", 80, "[::1]"),
        Good("https://[2001:DB8::1]:65535", true, "2001:db8::1", 65535, "[2001:db8::1]:65535"),
    ])
    func addressesAreRead(_ good: Good) throws {
        let address = try OriginAddress(good.text)
        #expect(address.isSecure == good.isSecure)
        #expect(address.host == good.host)
        #expect(address.port == good.port)
        #expect(address.authority == good.authority)
    }

    @Test(arguments: [
        ("", OriginURLError.noScheme), ("localhost:80", .noScheme), ("http:/a", .noScheme),
        ("ftp://a", .unknownScheme), ("ws://a", .unknownScheme), ("://a", .unknownScheme),
        ("http://", .malformedHost), ("http:///", .malformedHost), ("http://:80", .malformedHost),
        ("http://a b", .malformedHost), ("http://a..b", .malformedHost), ("http://.a", .malformedHost),
        ("http://m\u{fc}nchen.de", .malformedHost), ("http://a%2e", .malformedHost),
        ("http://a\\b", .moreThanAuthority), ("http://a/b", .moreThanAuthority),
        ("http://a//", .moreThanAuthority), ("http://a?b", .moreThanAuthority),
        ("http://a#", .moreThanAuthority),
        ("http://a:80/b.c", .moreThanAuthority), ("http://[::1]/b", .moreThanAuthority),
        ("http://a\r\nX: y", .malformedHost), ("http://[::1", .malformedHost), ("http://[a]", .malformedHost),
        ("http://[127.0.0.1]", .malformedHost), ("http://[::1]x", .malformedHost),
        ("http://::1", .malformedHost),
        ("http://a:", .malformedPort), ("http://a:0", .malformedPort), ("http://a:65536", .malformedPort),
        ("http://a:+80", .malformedPort), ("http://a:80:80", .malformedPort),
        ("http://a:http", .malformedPort),
        ("http://user:secret@a", .credentials), ("http://a@b:80/", .credentials),
        ("http://\(String(repeating: "a", count: 254))", .malformedHost),
    ])
    func everythingElseIsAnError(text: String, expected: OriginURLError) {
        #expect(throws: expected) { try OriginAddress(text) }
        #expect(!expected.description.contains("secret"))
    }

    @Test func onlyLiteralsAreIPAddresses() throws {
        #expect(try OriginAddress("http://10.0.0.1").isIPAddress)
        #expect(try OriginAddress("http://[::]").isIPAddress)
        #expect(try !OriginAddress("http://localhost").isIPAddress)
        #expect(try !OriginAddress("http://10.0.0.1.example").isIPAddress)
    }
}
