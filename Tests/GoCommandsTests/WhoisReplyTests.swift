import GoCommands
import Testing

/// Arguments of `wstunnel whois`, and what servers say.
@Suite struct WhoisReplyTests {
    @Test(arguments: [
        (["192.0.2.1"], WhoisArguments(address: "192.0.2.1", host: "whois.iana.org", port: 43)),
        (["token", "2001:db8::1"], WhoisArguments(address: "2001:db8::1", host: "whois.iana.org", port: 43)),
        (["-server", "h", "192.0.2.1"], WhoisArguments(address: "192.0.2.1", host: "h", port: 43)),
        (["--server=h:4343", "t", "192.0.2.1"], WhoisArguments(address: "192.0.2.1", host: "h", port: 4343)),
    ]) func argumentsAreRead(_ arguments: [String], _ expected: WhoisArguments) {
        #expect(WhoisArguments.read(arguments) == .arguments(expected))
    }

    @Test(arguments: [
        ([], "give one address"), (["a", "b", "192.0.2.1"], "give one address"),
        (["help"], "argument 1 is no address — did you mean \"wstunnel whois -h\"?"),
        (["status", "192.0.2.1"], "argument 1 is no address — did you mean \"wstunnel status\"?"),
        (["example.com"], "\"example.com\" is no IP address"),
        (["10.0.0.0/8"], "\"10.0.0.0/8\" is no IP address"),
        (["t", "192.0.2.256"], "\"192.0.2.256\" is no IP address"),
        (["-servre", "x"], "did you mean -server?"),
        (["-server", "h:0", "192.0.2.1"], "\"h:0\" is no host or host:port"),
        (["-server", "", "192.0.2.1"], "\"\" is no host or host:port"),
    ]) func badArgumentsAreExplained(_ arguments: [String], _ words: String) {
        guard case .fault(let text) = WhoisArguments.read(arguments) else {
            Issue.record("\(WhoisArguments.read(arguments))")
            return
        }
        #expect(text.contains(words))
        #expect(text.contains("Usage: wstunnel whois"))
    }

    struct Example: CustomTestStringConvertible, Sendable {
        let text: String
        var organisation: String?
        var referral: String?
        var testDescription: String { text }
    }

    @Test(arguments: [
        Example(text: ""), Example(text: "no fields at all\n\n: x\nname:\n"),
        Example(
            text: "% IANA\nrefer:        whois.example.net\n\norganisation: Registry\n",
            organisation: "Registry", referral: "whois.example.net:43"),
        Example(
            text: "ReferralServer:  whois://whois.example.net:4321\r\nOrgName: Example, Inc.\r\n",
            organisation: "Example, Inc.", referral: "whois.example.net:4321"),
        Example(text: "netname: NET-1\ndescr: First line\ndescr: Second\n", organisation: "First line"),
        Example(text: "netname: NET-1\n", organisation: "NET-1"),
        Example(text: "# refer: comment\n% org-name: comment\n"),
        Example(
            text: "org-name:\u{1b}[31mRed\u{7} \u{202e}Co\t \tLtd\u{0}\n", organisation: "[31mRed Co Ltd"),
        Example(text: "refer: bad host\n"), Example(text: "refer: h:99999\n"),
        Example(text: "refer: rwhois://h:1\n"),
        Example(
            text: "OrgName: \(String(repeating: "x", count: 1000))\n",
            organisation: String(repeating: "x", count: 200)),
    ]) func aReplyIsReadWithoutTrust(_ example: Example) {
        let reply = WhoisReply(Array(example.text.utf8))
        #expect(reply.organisation == example.organisation)
        #expect(reply.referral.map { "\($0.host):\($0.port)" } == example.referral)
    }

    @Test func bytesThatAreNoTextAreNoTrouble() {
        let reply = WhoisReply([0xff, 0xfe, 0x0a] + Array("OrgName: a".utf8) + [0xc3, 0x28, 0x0a])
        #expect(reply.organisation == "a\u{fffd}(")
    }
}
