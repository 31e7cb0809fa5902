import Testing
import TunnelConfiguration

/// Which addresses are in a range.
@Suite struct AddressRangeTests {
    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false),
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false),
        ("10.9.9.9/8", "10.0.0.1", true), ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "::1", false),
        ("192.0.2.128/25", "192.0.2.129", true), ("192.0.2.128/25", "192.0.2.127", false),
        ("192.0.2.1/32", "192.0.2.1", true), ("192.0.2.0/31", "192.0.2.2", false),
        ("2001:db8::/32", "2001:db8:1::2", true), ("2001:db8::/33", "2001:db8:8000::", false),
        ("::1", "0:0:0:0:0:0:0:1", true), ("::/0", "fe80::1%eth0", true), ("fe80::/10", "fe80::1%eth0", true),
        // A socket that takes both families tells IPv4 peers in IPv6's clothes.
        ("127.0.0.1", "::ffff:127.0.0.1", true), ("::ffff:10.0.0.0/104", "10.1.2.3", true),
        ("::ffff:127.0.0.1", "127.0.0.1", true), ("127.0.0.1", "::127.0.0.1", false),
        ("127.0.0.1", "127.0.0.1.evil", false), ("127.0.0.1", "", false), ("127.0.0.1", "127.0.0.01", false),
    ]) func anAddressIsInTheRangeOrNot(_ range: String, _ address: String, _ isInside: Bool) throws {
        #expect(try #require(AddressRange(range)).contains(address) == isInside)
    }

    @Test func bytesAreTakenInNetworkOrder() throws {
        let range = try #require(AddressRange("192.0.2.0/24"))
        #expect(range.contains([192, 0, 2, 7]))
        #expect(!range.contains([192, 0, 3, 7]))
        #expect(!range.contains([]))
        #expect(!range.contains([192, 0, 2]))
        #expect(range.contains([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 7]))
    }

    @Test(arguments: [
        "", "x", "localhost", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4/33", "1.2.3.4/",
        "1.2.3.4/-1",
        "1.2.3.4/+8", "1.2.3.4/08", "1.2.3.4/8/8", "[::1]", "::1%eth0", "::1/129", "1::2::3", ":::", ":1",
        "1:",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "12345::", "g::", "::1.2.3", "1.2.3.4::",
        "+1::", "::1.2.3.4:5", " 1.2.3.4", "1.2.3.4 ", "１.2.3.4",
    ]) func whatIsNoRangeIsNone(_ text: String) {
        #expect(AddressRange(text) == nil)
    }

    @Test(arguments: [
        ("10.1.2.3/8", "10.0.0.0/8"), ("192.0.2.1/32", "192.0.2.1"), ("2001:db8::1", "2001:db8:0:0:0:0:0:1"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("::/0", "0:0:0:0:0:0:0:0/0"),
    ]) func aRangeIsDescribedAsOneWouldWriteIt(_ text: String, _ description: String) throws {
        let range = try #require(AddressRange(text))
        #expect(range.description == description)
        #expect(AddressRange(description) == range)
    }

    @Test func rangesOfAServerAreReadOrEachIsAnError() throws {
        let machine = PretendMachine()
        machine.write(
            "servers: [{ name: a, port: 0, trusted-proxies: [127.0.0.1, \"2001:db8::/32\"] }]", to: "/good")
        let good = loadConfiguration(at: "/good", from: machine)
        #expect(
            good.configuration?.servers.first?.trust.proxies
                == [AddressRange("127.0.0.1"), AddressRange("2001:db8::/32")].compactMap(\.self))
        machine.write(
            "servers: [{ name: a, port: 0, trusted-proxies: [10.0.0.0/33, proxy, 1.2.3.4] }]", to: "/bad")
        let bad = loadConfiguration(at: "/bad", from: machine)
        #expect(
            bad.problems.map(\.path) == [
                "servers[a].trusted-proxies[#1]", "servers[a].trusted-proxies[#2]",
            ])
    }

    @Test(arguments: [
        ("localhost", true), ("LocalHost", true), ("127.0.0.1", true), ("127.9.8.7", true), ("::1", true),
        ("::ffff:127.0.0.1", true), ("128.0.0.1", false), ("127.example.com", false), ("::", false),
        ("0.0.0.0", false), ("", false), ("localhost.example.com", false),
    ]) func whatOnlyThisMachineReachesIsKnown(_ host: String, _ expected: Bool) {
        #expect(AddressRange.isLoopback(host) == expected)
    }
}
