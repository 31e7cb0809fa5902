import HTTPMessage
import Testing

/// What a request says of its target and its length, in one form or not at all.
@Suite struct RequestRulesTests {
    struct Target: CustomTestStringConvertible, Sendable {
        var method = "GET"
        let target: String
        var version = "1.1"
        /// Values of `Host`.
        var hosts = ["a.example"]
        /// Target and `Host` as they go on; nil where it is refused.
        let outcome: String?

        var testDescription: String { "\(method) \(target) HTTP/\(version) \(hosts)" }
    }

    static let targets: [Target] = [
        Target(target: "/x?y", outcome: "/x?y a.example"),
        Target(target: "//x", outcome: "//x a.example"),
        Target(target: "/http://b/", outcome: "/http://b/ a.example"),
        // RFC 9112 §3.2
        Target(target: "/x#/../y", outcome: nil),
        Target(target: "/", hosts: [], outcome: nil),
        Target(target: "/", version: "1.0", hosts: [], outcome: "/ nil"),
        Target(target: "/", hosts: ["a.example", "a.example"], outcome: nil),
        Target(target: "/", version: "1.0", hosts: ["a", "b"], outcome: nil),
        Target(target: "/", hosts: [""], outcome: "/ "),
        Target(target: "/", hosts: ["A.Example:8080"], outcome: "/ A.Example:8080"),
        Target(target: "/", hosts: ["a_b-c.d.:80"], outcome: "/ a_b-c.d.:80"),
        Target(target: "/", hosts: ["127.0.0.1:65535"], outcome: "/ 127.0.0.1:65535"),
        Target(target: "/", hosts: ["[::1]:80"], outcome: "/ [::1]:80"),
        Target(target: "/", hosts: ["[::ffff:1.2.3.4]"], outcome: "/ [::ffff:1.2.3.4]"),
        Target(target: "/", hosts: ["a.example:"], outcome: "/ a.example:"),
        Target(target: "/", hosts: ["xn--bcher-kva.example"], outcome: "/ xn--bcher-kva.example"),
        Target(target: "/", hosts: ["a.example:x"], outcome: nil),
        Target(target: "/", hosts: ["a.example:65536"], outcome: nil),
        Target(target: "/", hosts: ["a.example:-1"], outcome: nil),
        Target(target: "/", hosts: ["a.example:80:80"], outcome: nil),
        Target(target: "/", hosts: ["a.example/x"], outcome: nil),
        Target(target: "/", hosts: ["a.example?x"], outcome: nil),
        Target(target: "/", hosts: ["user@a.example"], outcome: nil),
        Target(target: "/", hosts: ["a.example b"], outcome: nil),
        Target(target: "/", hosts: ["a.example, b"], outcome: nil),
        Target(target: "/", hosts: ["::1"], outcome: nil),
        Target(target: "/", hosts: ["[::1"], outcome: nil),
        Target(target: "/", hosts: ["[]"], outcome: nil),
        Target(target: "/", hosts: ["[::1]x"], outcome: nil),
        Target(target: "/", hosts: ["[::g]"], outcome: nil),
        Target(target: "/", hosts: ["b\u{fc}cher.example"], outcome: nil),
        Target(target: "/", hosts: ["a\\b"], outcome: nil),
        // RFC 9112 §3.2.2
        Target(target: "http://a.example/x?y", outcome: "/x?y a.example"),
        Target(target: "HTTP://A.EXAMPLE", outcome: "/ a.example"),
        Target(target: "http://a.example?y", outcome: "/?y a.example"),
        Target(target: "http://a.example:80/", outcome: "/ a.example"),
        Target(target: "https://a.example/", hosts: ["a.example:443"], outcome: "/ a.example:443"),
        Target(target: "https://a.example:80/", outcome: nil),
        Target(target: "http://b.example/", outcome: nil),
        Target(target: "http://a.example#/x", outcome: nil),
        Target(target: "http://a.example/#x", outcome: nil),
        Target(method: "OPTIONS", target: "*#", outcome: nil),
        Target(target: "http://a.example:81/", outcome: nil),
        Target(target: "http://a.example/", hosts: [""], outcome: nil),
        Target(target: "http://user@a.example/", outcome: nil),
        Target(target: "http://", outcome: nil),
        Target(target: "http:///x", outcome: nil),
        Target(target: "http://a.example/x", version: "1.0", hosts: [], outcome: "/x a.example"),
        // RFC 9112 §3.2.4
        Target(method: "OPTIONS", target: "*", outcome: "* a.example"),
        Target(target: "*", outcome: nil),
        Target(method: "options", target: "*", outcome: nil),
        // For who decides where it goes.
        Target(method: "CONNECT", target: "a.example:443", outcome: "a.example:443 a.example"),
        Target(target: "ftp://a.example/", outcome: "ftp://a.example/ a.example"),
    ]

    @Test(arguments: targets) func aTargetAndItsHostAreOne(_ example: Target) throws {
        let hosts = example.hosts.map { "Host: \($0)\n" }.joined()
        let text = "\(example.method) \(example.target) HTTP/\(example.version)\n\(hosts)\n"
        guard case .values(let heads, _) = readRequests([text.crlf]) else {
            Issue.record("head refused")
            return
        }
        var head = heads[0]
        do throws(HTTPMessageError) {
            try head.settleTarget()
            #expect("\(head.target) \(head.fields[.host] ?? "nil")" == example.outcome)
        } catch {
            #expect(example.outcome == nil, "\(error)")
            #expect(error.status == 400)
        }
    }

    @Test(arguments: [("5", "5"), ("0", "0"), ("00", "0"), ("0005", "5"), ("010", "10"), ("90", "90")])
    func aLengthGoesOnInItsCanonicalForm(_ written: String, _ settled: String) throws {
        var head = RequestHead(method: "POST", target: "/", fields: HeaderFields([.contentLength: written]))
        try head.settleLength()
        #expect(head.fields.values(.contentLength) == [settled])
    }

    @Test func otherFieldsStayWhereTheyAreBesideALength() throws {
        var head = RequestHead(
            method: "POST", target: "/", fields: HeaderFields([.host: "a", .contentLength: "7", .date: "d"]))
        let before = head
        try head.settleLength()
        #expect(head == before)
    }

    struct Hops: CustomTestStringConvertible, Sendable {
        let method: String
        let value: String?
        let taken: Int?
        let left: String?

        var testDescription: String { "\(method) \(value ?? "without")" }
    }

    /// RFC 9110 §7.6.2
    @Test(arguments: [
        Hops(method: "OPTIONS", value: "0", taken: 0, left: "0"),
        Hops(method: "TRACE", value: "0", taken: 0, left: "0"),
        Hops(method: "OPTIONS", value: "10", taken: 10, left: "9"),
        Hops(method: "TRACE", value: "1", taken: 1, left: "0"),
        Hops(method: "GET", value: "0", taken: nil, left: "0"),
        Hops(method: "OPTIONS", value: "x", taken: nil, left: "x"),
        Hops(method: "OPTIONS", value: "-1", taken: nil, left: "-1"),
        Hops(method: "OPTIONS", value: nil, taken: nil, left: nil),
    ])
    func aHopIsTakenOffWhatMayGoOnlySoFar(_ example: Hops) {
        var head = RequestHead(method: example.method, target: "/")
        if let value = example.value { head.fields.append(named: "max-forwards", value) }
        #expect(head.takeHop() == example.taken)
        #expect(head.fields.pairs.map(\.value) == (example.left.map { [$0] } ?? []))
    }
}
