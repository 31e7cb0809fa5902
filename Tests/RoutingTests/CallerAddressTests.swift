import HTTPMessage
import Routing
import Testing
import TunnelConfiguration

@Suite struct CallerAddressTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var peer = "127.0.0.1"
        var trusted: [String] = []
        var forwarded: [String] = []
        var others: [String: String] = [:]
        let caller: String
        var isLocal = false
    }

    static let examples: [Example] = [
        Example(testDescription: "on this machine", caller: "127.0.0.1", isLocal: true),
        Example(testDescription: "on this machine, by IPv6", peer: "::1", caller: "::1", isLocal: true),
        Example(
            testDescription: "on this machine, an IPv4 peer of an IPv6 socket", peer: "::ffff:127.0.0.1",
            caller: "::ffff:127.0.0.1", isLocal: true),
        Example(testDescription: "elsewhere", peer: "192.0.2.1", caller: "192.0.2.1"),
        Example(
            testDescription: "elsewhere, and lying", peer: "192.0.2.1", forwarded: ["127.0.0.1"],
            caller: "192.0.2.1"),
        Example(
            testDescription: "through a proxy here that nobody trusts", forwarded: ["127.0.0.1"],
            caller: "127.0.0.1"),
        Example(
            testDescription: "through a proxy here that says it otherwise",
            others: ["X-Real-IP": "192.0.2.1"],
            caller: "127.0.0.1"),
        Example(
            testDescription: "through a trusted proxy", trusted: ["127.0.0.1"], forwarded: ["192.0.2.1"],
            caller: "192.0.2.1"),
        Example(
            testDescription: "through a trusted proxy, and lying", trusted: ["127.0.0.1"],
            forwarded: ["127.0.0.1, 192.0.2.1"], caller: "192.0.2.1"),
        Example(
            testDescription: "lying in a field of its own", trusted: ["127.0.0.1"],
            forwarded: ["127.0.0.1", "192.0.2.1"], caller: "192.0.2.1"),
        Example(
            testDescription: "on the machine of a trusted proxy", trusted: ["127.0.0.1"],
            forwarded: ["127.0.0.1"], caller: "127.0.0.1", isLocal: true),
        Example(
            testDescription: "through two trusted proxies", trusted: ["127.0.0.0/8", "10.0.0.0/8"],
            forwarded: ["203.0.113.9, 192.0.2.1, 10.1.2.3"], caller: "192.0.2.1"),
        Example(
            testDescription: "with a port", trusted: ["127.0.0.1"], forwarded: ["192.0.2.1:4711"],
            caller: "192.0.2.1"),
        Example(
            testDescription: "by IPv6 with a port", trusted: ["127.0.0.1"],
            forwarded: ["[2001:db8::1]:4711"], caller: "2001:db8::1"),
        Example(
            testDescription: "nonsense from a trusted proxy", trusted: ["127.0.0.1"],
            forwarded: ["192.0.2.1, unknown"], caller: "127.0.0.1"),
        Example(
            testDescription: "an empty entry", trusted: ["127.0.0.1"], forwarded: ["192.0.2.1, "],
            caller: "127.0.0.1"),
        Example(
            testDescription: "Forwarded of a trusted proxy", trusted: ["127.0.0.1"],
            others: ["Forwarded": #"for=127.0.0.1, for="[2001:db8::1]:99";proto=https"#],
            caller: "2001:db8::1"),
        Example(
            testDescription: "Forwarded through two trusted proxies", trusted: ["127.0.0.0/8", "10.0.0.0/8"],
            others: ["Forwarded": "for=203.0.113.9, for=192.0.2.1;proto=https, for=10.1.2.3"],
            caller: "192.0.2.1"),
        Example(
            testDescription: "Forwarded of a stranger", peer: "192.0.2.1",
            others: ["Forwarded": "for=127.0.0.1"], caller: "192.0.2.1"),
        Example(
            testDescription: "Forwarded that a proxy may have let through", trusted: ["127.0.0.1"],
            forwarded: ["192.0.2.1"], others: ["Forwarded": "for=10.0.0.1"], caller: "192.0.2.1"),
        Example(
            testDescription: "Forwarded names this machine", trusted: ["127.0.0.1"],
            others: ["Forwarded": "for=127.0.0.1"], caller: "127.0.0.1"),
        Example(
            testDescription: "Forwarded that nobody can read", trusted: ["127.0.0.1"],
            others: ["Forwarded": "for=192.0.2.1, for="], caller: "127.0.0.1"),
        Example(
            testDescription: "Forwarded without an address", trusted: ["127.0.0.1"],
            others: ["Forwarded": "for=_hidden"], caller: "127.0.0.1"),
    ]

    @Test(arguments: examples) func whoCallsIsKnownAsFarAsItCanBe(_ example: Example) {
        var fields = HeaderFields()
        for value in example.forwarded { fields.append(.xForwardedFor, value) }
        for (name, value) in example.others { fields.append(named: name, value) }
        let caller = CallerAddress(
            peer: example.peer, fields, trusted: example.trusted.compactMap { AddressRange($0) })
        #expect(caller.text == example.caller)
        #expect(caller.isLocal == example.isLocal)
    }

    @Test func whatTheOutermostProxySaysOfItsCallerIsKnown() throws {
        let trusted = ["127.0.0.0/8"].compactMap { AddressRange($0) }
        var fields = HeaderFields([
            .forwarded: "for=10.0.0.1;proto=ftp, for=192.0.2.1;proto=https;host=a, for=127.0.0.2;proto=http"
        ])
        let described = CallerAddress(peer: "127.0.0.1", fields, trusted: trusted).described
        #expect(described == Forwarded.Element(node: "192.0.2.1", host: "a", scheme: "https"))
        #expect(CallerAddress(peer: "127.0.0.1", fields, trusted: []).described == nil)
        fields.append(.xForwardedFor, "192.0.2.1")
        #expect(CallerAddress(peer: "127.0.0.1", fields, trusted: trusted).described == nil)
    }
}
