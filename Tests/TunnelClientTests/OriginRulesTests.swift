import HTTPMessage
import OriginHTTP
import Testing
import TunnelConfiguration

@testable import TunnelClient

/// `server`, `regexp` and `X-Host`.
@Suite struct OriginRulesTests {
    private static let required = "X-Host header required by wstunnel cli (no -server option)"
    private static let disallowed = "X-Host header disallowed by wstunnel cli (no -regexp option)"

    private static func refused(_ host: String) -> OriginChoice {
        .refused("X-Host header '\(host)' does not match regexp in wstunnel cli")
    }

    private static func malformed(_ host: String, _ error: OriginURLError) -> OriginChoice {
        .refused("X-Host header '\(host)' names no origin: \(error)")
    }

    private static func named(_ host: String, port: Int, isSecure: Bool = true) -> OriginChoice {
        .named(OriginAddress(isSecure: isSecure, host: host, port: port))
    }

    struct Example: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var hasOrigin = true
        var regexp: String?
        var hosts: [String] = []
        let choice: OriginChoice
    }

    private static let pattern = #"https?://[a-z]+\.example\.com(:\d+)?"#

    static let examples: [Example] = [
        Example(testDescription: "the origin", choice: .configured),
        Example(testDescription: "the origin beside a pattern", regexp: pattern, choice: .configured),
        Example(testDescription: "nothing", hasOrigin: false, choice: .refused(required)),
        Example(
            testDescription: "a pattern alone", hasOrigin: false, regexp: pattern, choice: .refused(required)),
        Example(
            testDescription: "no pattern", hosts: ["https://a.example.com"], choice: .refused(disallowed)),
        Example(
            testDescription: "a match", regexp: pattern, hosts: ["https://a.example.com"],
            choice: named("a.example.com", port: 443)),
        Example(
            testDescription: "a match with a port", hasOrigin: false, regexp: pattern,
            hosts: ["http://a.example.com:81"], choice: named("a.example.com", port: 81, isSecure: false)),
        Example(
            testDescription: "a match with the scheme's own port", regexp: pattern,
            hosts: ["https://a.example.com:443"], choice: named("a.example.com", port: 443)),
        Example(
            testDescription: "a pattern that wants a port", regexp: #"http://a:\d+"#, hosts: ["http://a:80"],
            choice: named("a", port: 80, isSecure: false)),
        Example(
            testDescription: "a slash behind", regexp: pattern, hosts: ["https://a.example.com/"],
            choice: named("a.example.com", port: 443)),
        Example(
            testDescription: "capitals", regexp: pattern, hosts: ["HTTPS://A.Example.com"],
            choice: named("a.example.com", port: 443)),
        Example(
            testDescription: "more behind", regexp: pattern, hosts: ["https://a.example.com.evil"],
            choice: refused("https://a.example.com.evil")),
        Example(
            testDescription: "more before", regexp: pattern, hosts: ["x https://a.example.com"],
            choice: malformed("x https://a.example.com", .unknownScheme)),
        Example(
            testDescription: "an alternative", regexp: "https://a|https://b", hosts: ["https://b.evil"],
            choice: refused("https://b.evil")),
        Example(
            testDescription: "an alternative that matches", regexp: "https://a|https://b",
            hosts: ["https://b"], choice: named("b", port: 443)),
        Example(testDescription: "empty", regexp: pattern, hosts: [""], choice: .configured),
        Example(testDescription: "empty, and no pattern", hosts: [""], choice: .configured),
        Example(
            testDescription: "empty, and no origin", hasOrigin: false, regexp: pattern, hosts: [""],
            choice: .refused(required)),
        Example(
            testDescription: "empty beside a match", regexp: pattern, hosts: ["", "https://a.example.com"],
            choice: named("a.example.com", port: 443)),
        Example(
            testDescription: "no scheme, and no pattern", hosts: ["a.example.com:80"], choice: .configured),
        Example(
            testDescription: "no scheme, twice, and no pattern", hosts: ["a.example.com:80", "b"],
            choice: .configured),
        Example(
            testDescription: "with and without a scheme, and no pattern",
            hosts: ["b", "https://a.example.com"],
            choice: .refused(disallowed)),
        Example(
            testDescription: "no scheme", regexp: pattern, hosts: ["a.example.com:80"],
            choice: malformed("a.example.com:80", .noScheme)),
        Example(
            testDescription: "twice", regexp: pattern,
            hosts: ["https://a.example.com", "https://b.example.com"],
            choice: .refused("X-Host header stands there more than once: send one")),
        Example(
            testDescription: "too long", regexp: ".*", hosts: [String(repeating: "x", count: 301)],
            choice: .refused("X-Host header is longer than any origin: 300 bytes at most")),
        Example(
            testDescription: "a path", regexp: pattern, hosts: ["https://a.example.com/x"],
            choice: malformed("https://a.example.com/x", .moreThanAuthority)),
    ]

    @Test(arguments: examples) func theRulesDecide(_ example: Example) throws {
        var fields = HeaderFields()
        for host in example.hosts { fields.append(.xHost, host) }
        let pattern = try example.regexp.map { try HostPattern(source: $0) }
        let rules = OriginRules(hasOrigin: example.hasOrigin, pattern: pattern)
        #expect(rules.choose(fields) == example.choice)
    }
}

/// What stands behind the host must not help it to match.
@Suite struct DisguisedHostTests {
    private static let pattern = #"https?://.*\.some\.example\.com"#

    @Test(arguments: [
        "https://169.254.169.254/x.some.example.com", "https://169.254.169.254?x.some.example.com",
        "https://169.254.169.254#x.some.example.com", "https://169.254.169.254\\x.some.example.com",
        "https://169.254.169.254//.some.example.com", "https://169.254.169.254:80/.some.example.com",
        "https://169.254.169.254@x.some.example.com", "https://x.some.example.com@169.254.169.254",
        "https://169.254.169.254\\@x.some.example.com", "https://169.254.169.254 x.some.example.com",
        "https://[::1]x.some.example.com", "https://[::1]/.some.example.com",
        "https://x.some.example.com//", "https://x.some.example.com/path", "https://x.some.example.com?",
    ])
    func noOtherHostIsDialledThanTheOneThatMatched(host: String) throws {
        let rules = OriginRules(hasOrigin: true, pattern: try HostPattern(source: Self.pattern))
        guard case .refused(let words) = rules.choose(HeaderFields([.xHost: host])) else {
            Issue.record("it is let through")
            return
        }
        #expect(words.hasPrefix("X-Host header '\(host)' names no origin: "))
    }
}

/// What is complained of again and again.
@Suite struct RepeatedComplaintTests {
    @Test func theSameComplaintIsNewsOnceAMinute() {
        var complaint = RepeatedComplaint()
        let start = ContinuousClock.now
        let said = [("a", 0), ("a", 59), ("b", 59), ("a", 60), ("a", 121)].map { message, seconds in
            complaint.note(message, at: start + .seconds(seconds))
        }
        #expect(said == [true, false, true, true, true])
    }

    @Test func failuresInARowAreCountedUntilItGoesWell() {
        var complaint = RepeatedComplaint()
        for message in ["a", "b", "b"] { _ = complaint.note(message) }
        #expect(complaint.count == 3 && complaint.since > 0)
        complaint.reset()
        #expect(complaint.count == 0)
        let isNews = complaint.note("b")
        #expect(isNews && complaint.count == 1)
    }
}
