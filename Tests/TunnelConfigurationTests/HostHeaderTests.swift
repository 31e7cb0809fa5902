import Testing
import TunnelConfiguration

/// `host-header`.
@Suite struct HostHeaderTests {
    private func read(_ keys: String) -> ConfigurationReport {
        let machine = PretendMachine()
        machine.write(
            """
            tunnels:
              - { name: web, tunnel: "ws://h", server: builtin:echo, token: a-token-of-the-tests \(keys) }
            """, to: "/etc/tunnels.yaml")
        return loadConfiguration(at: "/etc/tunnels.yaml", from: machine)
    }

    @Test(arguments: [
        ("", HostHeader.automatic), (", host-header: auto", .automatic), (", host-header: origin", .origin),
        (", host-header: keep", .keep), (", host-header: localhost", .named("localhost")),
        (", host-header: www.example.com", .named("www.example.com")),
        (", host-header: \"intranet:8080\"", .named("intranet:8080")),
        (", host-header: \"192.0.2.1:80\"", .named("192.0.2.1:80")),
        (", host-header: \"[2001:db8::1]:80\"", .named("[2001:db8::1]:80")),
        (", host-header: \"[::1]\"", .named("[::1]")),
    ]) func wordsAndHostsAreRead(_ keys: String, _ expected: HostHeader) {
        let report = read(keys)
        #expect(report.problems.isEmpty, "\(report.problems)")
        #expect(report.configuration?.tunnels.first?.hostHeader == expected)
    }

    @Test(arguments: [
        ("orgin", "\"orgin\" is unknown", "did you mean \"origin\"?"),
        ("Keep", "\"Keep\" is unknown", "did you mean \"keep\"?"),
        ("intranet", "\"intranet\" is unknown", "write auto, origin, keep, or a host such as"),
        ("", "\"\" is unknown", "write auto"),
        ("http://a.example", "\"http://a.example\" is no host", "write a name or address"),
        ("a.example/x", "\"a.example/x\" is no host", "write a name"),
        ("a.example:0", "\"a.example:0\" is no host", "write a name"),
        ("a.example:", "\"a.example:\" is no host", "write a name"),
        ("2001:db8::1", "\"2001:db8::1\" is no host", "write a name"),
        ("a b.example", "\"a b.example\" is no host", "write a name"),
    ]) func whatIsNeitherIsAClearError(_ text: String, _ message: String, _ advice: String) {
        let report = read(", host-header: \"\(text)\"")
        #expect(report.configuration == nil)
        #expect(report.problems.map(\.message) == [message])
        #expect(report.problems.first?.path == "tunnels[web].host-header")
        #expect(report.problems.first?.advice?.hasPrefix(advice) == true)
    }
}
