import HTTPMessage
import NIOCore
import Testing

/// A token in a head that goes to an origin.
struct TokenRemovalTests {
    private static let token = "a-token-0123456789"

    struct Example: CustomTestStringConvertible, Sendable {
        let value: String
        var token = TokenRemovalTests.token
        var basePath = ""
        /// What the value becomes; nil: it stays.
        let expected: String?
        var testDescription: String { "\(basePath) \(value)" }
    }

    static let examples: [Example] = [
        Example(value: "http://h/_token/\(token)/x?y#z", expected: "http://h/x?y#z"),
        Example(value: "/_token/\(token)/", expected: "/"),
        Example(value: "/_token/\(token)", expected: "/"),
        Example(value: "http://h/_token/\(token)?q", expected: "http://h/?q"),
        Example(
            value: "<http://h/_token/\(token)/a> (<t:1>) </_token/\(token)>",
            expected: "<http://h/a> (<t:1>) </>"),
        Example(value: "/x?next=%2F_token%2F\(token)%2Fy&z", expected: "/x?next=%2Fy&z"),
        Example(value: "/x?next=%2f_token%2f\(token)&z", expected: "/x?next=%2f&z"),
        Example(
            value: "u=http%253A%252F%252Fh%252F_token%252F\(token)%252Fy",
            expected: "u=http%253A%252F%252Fh%252Fy"),
        Example(value: "http://h/w/_token/\(token)/x", basePath: "/w", expected: "http://h/x"),
        Example(value: "http://h/w/v/_token/\(token)/x", basePath: "/w/v", expected: "http://h/x"),
        Example(
            value: "http%3A%2F%2Fh%2Fw%2F_token%2F\(token)%2Fx", basePath: "/w",
            expected: "http%3A%2F%2Fh%2Fx"),
        Example(value: "http://h/_token/\(token)/x", basePath: "/w", expected: "http://h/x"),
        Example(value: "http://h/v/_token/\(token)/x", basePath: "/w", expected: "http://h/v/x"),
        Example(value: token, expected: "***"),
        Example(value: "a=1; last=\(token); b=2", expected: "a=1; last=***; b=2"),
        Example(value: "/_token/\(token)x/y", expected: "/_token/***x/y"),
        Example(value: "/token/\(token)/y", expected: "/token/***/y"),
        Example(value: "\(token)\(token)", expected: "******"),
        Example(value: "/_token/\(token)/_token/\(token)/x", expected: "/x"),
        Example(value: "/%61-token-0123456789", expected: "/***"),
        Example(value: "/_token/%61-token-01234%25356789/x", expected: "/x"),
        Example(value: "/_token/a%252Dtoken%2D0123456789/x", expected: "/x"),
        Example(value: "a-token-012345678", expected: nil),
        Example(value: "A-token-0123456789", expected: nil),
        Example(value: "/_token/another-token-0001/x", expected: nil),
        Example(value: "100%", expected: nil),
        Example(value: "%6", expected: nil),
        Example(value: "%2", expected: nil),
        Example(value: "", expected: nil),
        Example(value: "/_token/to%2Fken%3F-0123456789/x", token: "to/ken?-0123456789", expected: "/x"),
        Example(value: "/?t=to/ken?-0123456789", token: "to/ken?-0123456789", expected: "/?t=***"),
        Example(value: "/_token/100%sure-0123456789/x", token: "100%sure-0123456789", expected: "/x"),
        Example(value: "/_token/100%25sure-0123456789/x", token: "100%sure-0123456789", expected: "/x"),
    ]

    @Test(arguments: [
        ("/x/_token/another-token-0001/y?z", "/x/_token/***/y?z"),
        ("/_token/a?b=/_token/c&d", "/_token/***?b=/_token/***&d"),
        ("/a/_token/", "/a/_token/***"), ("/a/_token", "/a/_token"), ("/tokens/a", "/tokens/a"), ("/", "/"),
    ])
    func whatStandsInATokensPlaceIsMaskedForTheLog(target: String, shown: String) {
        #expect(TokenRemoval.masked(target) == shown)
    }

    @Test(arguments: examples) func noFieldAndNoTargetHoldsTheToken(_ example: Example) {
        var head = RequestHead(
            method: "GET", target: "/?" + example.value, fields: HeaderFields([.date: "x"]))
        head.fields.append(.referer, example.value)
        head.fields.append(named: "X-Last", "1")
        let original = head
        TokenRemoval(token: example.token, basePath: example.basePath).clean(&head)
        let expected = example.expected ?? example.value
        #expect(head.fields[.referer] == expected)
        #expect(head.fields[.date] == "x")
        #expect(head.fields.first(named: "X-Last") == "1")
        #expect(head.target == "/?" + expected)
        let target = TokenRemoval.clean(original.target, token: example.token, basePath: example.basePath)
        #expect(target == head.target)
        #expect((head == original) == (example.expected == nil))
        for (head, isFound) in [(original, example.expected != nil), (head, false)] {
            var text = ByteBuffer()
            text.writeRequestHead(head)
            #expect(TokenRemoval.mayFind(example.token, in: text) == isFound)
        }
    }

    @Test func aNameThatHoldsTheTokenGoes() {
        var head = RequestHead(method: "GET", target: "/", fields: HeaderFields([.host: "h"]))
        head.fields.append(named: "X-\(Self.token)", "1")
        TokenRemoval(token: Self.token, basePath: "").clean(&head)
        #expect(head.fields == HeaderFields([.host: "h"]))
    }

    /// An escape that swallows the beginning of the token, as it is sent.
    @Test func anEscapeInFrontHidesNoToken() {
        let token = "1-token-in-digits-41"
        var head = RequestHead(
            method: "GET", target: "/?a=%4" + token, version: .http11, fields: HeaderFields())
        #expect(TokenRemoval.mayFind(token, in: head.target))
        TokenRemoval(token: token, basePath: "").clean(&head)
        #expect(head.target == "/?a=%4***")
    }

    /// Both are what a stranger likes. Compared at each place, this would take minutes.
    @Test(.timeLimit(.minutes(1)), arguments: ["", "%41"]) func noTokenTakesLong(_ end: String) {
        let token = String(repeating: "a", count: 1023) + "b"
        let text = String(repeating: "a", count: 64 << 10)
        for _ in 0..<20 {
            #expect(!TokenRemoval.mayFind(token, in: text + end))
            #expect(TokenRemoval.clean(token + text + end, token: token, basePath: "") == "***" + text + end)
        }
    }

    @Test func theTokenIsFoundAtEveryPlace() {
        for length in 18...60 {
            for place in 0...length - 18 {
                var bytes = [UInt8](repeating: UInt8(ascii: "a"), count: length)
                bytes.replaceSubrange(place..<place + 18, with: Self.token.utf8)
                #expect(
                    TokenRemoval.mayFind(Self.token, in: ByteBuffer(bytes: bytes)), "\(place) of \(length)")
                bytes[place + 17] = UInt8(ascii: "x")
                #expect(
                    !TokenRemoval.mayFind(Self.token, in: ByteBuffer(bytes: bytes)), "\(place) of \(length)")
            }
        }
        #expect(!TokenRemoval.mayFind(Self.token, in: ByteBuffer()))
    }
}

/// URLs that lead to where their request was sent.
struct OwnURLsTests {
    @Test(arguments: [
        ("http://h.example/a", "[http://h.example]/a"), ("HTTPS://H.example/a?b", "[HTTPS://H.example]/a?b"),
        ("http://h.example", "[http://h.example]"), ("/a", "[]/a"),
        (
            "<http://h.example/a> (<t:1>) </b> (Not <http://other/>)",
            "<[http://h.example]/a> (<t:1>) <[]/b> (Not <http://other/>)"
        ),
        ("http://h.example:80/a", nil), ("http://other/?http://h.example/a", nil), ("ftp://h.example/", nil),
        ("a/b", nil), ("", nil), ("http://u@h.example/", nil), ("<", nil), ("(<t:1>)", nil),
        ("<http://h.example/a", "<[http://h.example]/a"),
    ])
    func onlyTheyAreChanged(value: String, expected: String?) {
        #expect(OwnURLs.rewrite(value, host: "h.EXAMPLE") { "[\($0.front)]\($0.path)" } == expected)
    }

    @Test func withoutAHostNoURLIsOurs() {
        #expect(OwnURLs.rewrite("http:///a", host: "") { _ in "x" } == nil)
    }
}
