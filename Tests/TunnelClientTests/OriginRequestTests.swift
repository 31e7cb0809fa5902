import HTTPMessage
import OriginHTTP
import Testing
import TunnelConfiguration

@testable import TunnelClient

/// How a request is written for its origin.
@Suite struct OriginRequestTests {
    struct HostExample: CustomTestStringConvertible, Sendable {
        let hostHeader: HostHeader
        var isSecure = false
        var isListed = false
        var host: String? = "www.example.com:8080"
        /// nil: the origin's own.
        let expected: String?
        var testDescription: String { "\(hostHeader) \(isSecure) \(isListed) \(host ?? "none")" }
    }

    static let hostExamples: [HostExample] = [
        HostExample(hostHeader: .automatic, expected: nil),
        HostExample(hostHeader: .automatic, isListed: true, expected: "www.example.com:8080"),
        HostExample(hostHeader: .automatic, isSecure: true, isListed: true, expected: nil),
        HostExample(hostHeader: .origin, isListed: true, expected: nil),
        HostExample(hostHeader: .keep, expected: "www.example.com:8080"),
        HostExample(hostHeader: .keep, isSecure: true, expected: "www.example.com:8080"),
        HostExample(hostHeader: .keep, host: nil, expected: nil),
        HostExample(hostHeader: .keep, host: "", expected: nil),
        HostExample(hostHeader: .named("a.example"), isSecure: true, expected: "a.example"),
    ]

    @Test(arguments: hostExamples) func theHostIsTheOneAskedFor(_ example: HostExample) throws {
        var head = RequestHead(method: "GET", target: "/x")
        if let host = example.host { head.fields.append(.host, host) }
        let address = OriginAddress(isSecure: example.isSecure, host: "origin", port: 1)
        let prepared = try OriginRequest(address: address, hostHeader: example.hostHeader)
            .prepare(&head, from: TunnelEntrance(isHostListed: example.isListed))
        #expect(prepared.host == example.expected)
        #expect(head.target == "/x")
    }

    private static let prefixed = OriginRequest(
        address: OriginAddress(isSecure: false, host: "origin", port: 81), basePath: "/p")

    @Test(arguments: [
        "/..", "/../x", "/a/../../x", "/a/..", "/%2e%2e/x", "/.%2E/x", "/%2e./x", "/..%2fx", "/a%2f..%2fx",
        "/..%5cx",
        "/..\\x", "/a/..;/x", "/..;a=b/x", "/..%3b/x", "/%252e%252e/x", "/..%252fx", "/%25252e%25252e/x",
        "/..%00/x",
        "/..%3fx", "/..%23/x", "/..#/x", "/..%20/x", "/..%09", "/%c0%ae%c0%ae/x", "/..%c0%afx", "//../x",
        "/%2525252525252e", "*", "x",
    ])
    func aPrefixCannotBeLeft(target: String) throws {
        var head = RequestHead(method: "GET", target: target)
        #expect(throws: OriginRefusal.outsidePrefix) {
            try Self.prefixed.prepare(&head, from: TunnelEntrance())
        }
        let free = OriginRequest(address: OriginAddress(isSecure: false, host: "origin", port: 81))
        _ = try free.prepare(&head, from: TunnelEntrance())
        #expect(head.target == target)
    }

    @Test(arguments: [
        "/", "/x", "/a..b/x", "/...", "/..x", "/x..", "/a/.", "/x?../..", "/x?a=%2e%2e%2f", "/100%", "/%zz",
        "/a%20b",
        "//x", "/%2e", "/.../x",
    ])
    func whatOnlyLooksLikeItGoesOn(target: String) throws {
        var head = RequestHead(method: "GET", target: target)
        _ = try Self.prefixed.prepare(&head, from: TunnelEntrance())
        #expect(head.target == "/p" + target)
    }

    struct Move: CustomTestStringConvertible, Sendable {
        var basePath = ""
        var hostHeader = HostHeader.origin
        var forwardedHost: String?
        let destination: String
        /// nil: 400.
        let expected: String?
        var testDescription: String { "\(basePath) \(destination)" }
    }

    static let moves: [Move] = [
        Move(destination: "http://www.example.com/a", expected: "http://origin:81/a"),
        Move(destination: "https://www.example.com/a", expected: "http://origin:81/a"),
        Move(
            hostHeader: .keep, destination: "https://www.example.com/a", expected: "http://www.example.com/a"),
        Move(destination: "http://other.example/a", expected: "http://other.example/a"),
        Move(destination: "/a", expected: "/a"),
        Move(
            forwardedHost: "pub.example", destination: "https://pub.example/a", expected: "http://origin:81/a"
        ),
        Move(
            forwardedHost: "pub.example, in.example", destination: "https://pub.example/a",
            expected: "http://origin:81/a"),
        Move(basePath: "/p", destination: "http://www.example.com/a", expected: "http://origin:81/p/a"),
        Move(basePath: "/p", destination: "/a", expected: "/p/a"),
        Move(basePath: "/p", destination: "http://www.example.com/../a", expected: nil),
        Move(basePath: "/p", destination: "/%2e%2e/a", expected: nil),
        Move(basePath: "/p", destination: "http://origin:81/a", expected: nil),
        Move(basePath: "/p", destination: "a", expected: nil),
    ]

    @Test(arguments: moves) func aDestinationFollows(_ move: Move) throws {
        var fields = HeaderFields([.host: "www.example.com", .destination: move.destination])
        if let host = move.forwardedHost { fields.append(.xForwardedHost, host) }
        var head = RequestHead(method: "COPY", target: "/x", fields: fields)
        let rewriting = OriginRequest(
            address: OriginAddress(isSecure: false, host: "origin", port: 81), basePath: move.basePath,
            hostHeader: move.hostHeader)
        do throws(OriginRefusal) {
            _ = try rewriting.prepare(&head, from: TunnelEntrance())
            #expect(head.fields[.destination] == move.expected)
        } catch {
            #expect(error == .outsidePrefix)
            #expect(move.expected == nil)
        }
    }

    struct PageExample: CustomTestStringConvertible, Sendable {
        let redirects: Redirects
        var isListed = false
        var hostHeader = HostHeader.automatic
        var prefix = PublicPrefix()
        /// What the origin sees of the page of its caller.
        let origin: String
        /// Where the caller is sent whom it sends to `/login`; nil: there.
        let location: String?
        var testDescription: String { "\(redirects) \(isListed) \(hostHeader) \(prefix)" }
    }

    private static let own = "http://origin:81"
    private static let callers = "https://www.example.com"

    static let pageExamples: [PageExample] = [
        PageExample(redirects: .auto, origin: callers, location: nil),
        PageExample(redirects: .auto, isListed: true, origin: "http://www.example.com", location: nil),
        PageExample(
            redirects: .auto, isListed: true, hostHeader: .origin, origin: own, location: nil),
        PageExample(
            redirects: .auto, isListed: true, hostHeader: .origin, prefix: PublicPrefix(basePath: "/w"),
            origin: own, location: "/w/login"),
        PageExample(
            redirects: .auto, prefix: PublicPrefix(token: PublicPrefix.Spelling()), origin: callers,
            location: nil),
        PageExample(redirects: .keep, isListed: true, hostHeader: .origin, origin: callers, location: nil),
        PageExample(redirects: .rewrite, origin: own, location: nil),
        PageExample(
            redirects: .rewrite, prefix: PublicPrefix(token: PublicPrefix.Spelling()), origin: own,
            location: "/_token/a-token-of-16-bytes/login"),
    ]

    @Test(arguments: pageExamples) func pagesAreThoseOfTheOtherSide(_ example: PageExample) throws {
        let fields = HeaderFields([
            .host: "www.example.com", .xForwardedProto: "https", .xForwardedHost: "www.example.com",
            .origin: Self.callers, .referer: "\(Self.callers)/from",
        ])
        var head = RequestHead(method: "POST", target: "/x", fields: fields)
        let rewriting = OriginRequest(
            address: OriginAddress(isSecure: false, host: "origin", port: 81), hostHeader: example.hostHeader,
            redirects: example.redirects, token: "a-token-of-16-bytes")
        let prepared = try rewriting.prepare(
            &head, from: TunnelEntrance(isHostListed: example.isListed, prefix: example.prefix))
        #expect(head.fields[.origin] == example.origin)
        #expect(head.fields[.referer] == example.origin + "/from")
        var answer = ResponseHead(
            status: 302, fields: HeaderFields([.location: "/login", .contentLocation: "\(Self.own)/x"]))
        prepared.view?.rewrite(&answer)
        #expect(answer.fields[.location] == example.location ?? "/login")
        let isPublic = prepared.view != nil
        #expect(answer.fields[.contentLocation]?.hasPrefix(isPublic ? Self.callers : Self.own) == true)
    }

    @Test func lockedResourcesFollow() throws {
        let fields = HeaderFields([
            .host: "www.example.com", .if: "<http://www.example.com/a> (<urn:uuid:1>) </b>",
        ])
        var head = RequestHead(method: "PUT", target: "/x", fields: fields)
        _ = try Self.prefixed.prepare(&head, from: TunnelEntrance())
        #expect(head.fields[.if] == "<http://origin:81/p/a> (<urn:uuid:1>) </p/b>")
    }
}
