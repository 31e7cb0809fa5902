import Testing
import TunnelConfiguration
import TunnelProtocol

/// `admin`, `control-socket`, `watch`, `hosts`, `enabled` and the other keys of how an agent is reached.
@Suite struct ListenerKeysTests {
    private func load(_ text: String) -> ConfigurationReport {
        let machine = PretendMachine()
        machine.entries["/run"] = .folder
        machine.write("token-out-of-a-file", to: "/etc/w/t")
        machine.write(text + "\nservers: [{ name: a, port: 8080 }]\n", to: "/etc/w/tunnels.yaml")
        return loadConfiguration(at: "/etc/w/tunnels.yaml", from: machine)
    }

    private func loadServer(_ keys: String) -> ConfigurationReport {
        let machine = PretendMachine()
        machine.write("servers: [{ name: a, \(keys) }]", to: "/c")
        return loadConfiguration(at: "/c", from: machine)
    }

    @Test func whatIsNotWrittenIsOff() throws {
        let configuration = try #require(load("version: 1").configuration)
        #expect(configuration.admin == nil)
        #expect(configuration.controlSocket == nil)
        #expect(!configuration.watch)
        let server = try #require(configuration.servers.first)
        #expect(!server.trust.onlyListedTokens && !server.reusePort && server.routes.hosts.isEmpty)
    }

    @Test func valuesArrive() throws {
        let report = load("admin: { token-file: t }\nwatch: on\ncontrol-socket: /run/a.sock")
        #expect(report.problems.isEmpty)
        let configuration = try #require(report.configuration)
        #expect(
            configuration.admin
                == AdminConfiguration(host: "127.0.0.1", port: 9400, token: Secret("token-out-of-a-file")))
        #expect(configuration.controlSocket == "/run/a.sock")
        #expect(configuration.watch)
    }

    @Test(arguments: [
        ("127.0.0.1:9400", "127.0.0.1", 9400), ("[::1]:0", "::1", 0),
        ("LocalHost:65535", "localhost", 65_535),
        ("127.1.2.3:1", "127.1.2.3", 1),
    ]) func loopbackAddressesAreTaken(_ text: String, _ host: String, _ port: Int) {
        let report = load("admin: { listen: \"\(text)\", token: a-token-of-the-tests }")
        #expect(report.problems.isEmpty)
        #expect(report.configuration?.admin?.host == host)
        #expect(report.configuration?.admin?.port == port)
    }

    @Test(arguments: ["0.0.0.0:9400", "[::]:9400", "127.example.com:9400", "192.0.2.1:9400"])
    func otherAddressesAreTakenWithAWarning(_ text: String) {
        let report = load("admin: { listen: \"\(text)\", token: a-token-of-the-tests }")
        #expect(report.configuration?.admin != nil)
        #expect(report.problems.map(\.path) == ["admin.listen"])
        #expect(report.problems.first?.message.contains("plain HTTP") == true)
    }

    @Test(arguments: [
        (":9400", "write 127.0.0.1:9400"), ("9401", "write 127.0.0.1:9401"), (":", "write 127.0.0.1:9400"),
        ("127.0.0.1", "write one like 127.0.0.1:9400"), ("127.0.0.1:", "write one like 127.0.0.1:9400"),
        ("::1:9400", "put an IPv6 address in brackets: [::1]:9400"),
        ("[::1]", "write one like 127.0.0.1:9400"), ("[::1]9400", "write one like [::1]:9400"),
        ("[127.0.0.1]:1", "write one like [::1]:9400"), ("a b:1", "write one like 127.0.0.1:9400"),
        ("h:65536", "write a number from 0 to 65535"), ("h:-1", "write a number from 0 to 65535"),
        ("http://127.0.0.1:9400", "put an IPv6 address in brackets: [::1]:9400"),
    ]) func otherTextsAreAnError(_ text: String, _ advice: String) {
        let report = load("admin: { listen: \"\(text)\", token: a-token-of-the-tests }")
        #expect(report.problems.map(\.path) == ["admin.listen"])
        #expect(report.problems.map(\.advice) == [advice])
    }

    @Test func aSocketPathMayHave107Bytes() {
        let path = "/run/" + String(repeating: "x", count: 102)
        #expect(load("control-socket: \(path)").configuration?.controlSocket == path)
        #expect(load("control-socket: \(path)x").problems.map(\.path) == ["control-socket"])
    }

    @Test func hostsAreReadInLowerCase() throws {
        let report = loadServer(
            """
            reuse-port: true, only-listed-tokens: true, passwords: [{ token: a-token-of-the-tests, password: x }],
            hosts: [{ host: WWW.example.com, token: a-token-of-the-tests }, { host: "[::1]", token: other-token-of-them }]
            """)
        #expect(report.problems.isEmpty)
        let server = try #require(report.configuration?.servers.first)
        #expect(
            server.routes.hosts.mapValues(\.secret) == [
                PublicName(host: .exact("www.example.com")): "a-token-of-the-tests",
                PublicName(host: .exact("::1")): "other-token-of-them",
            ])
        #expect(server.trust.onlyListedTokens && server.reusePort)
    }

    @Test func anEntryThatIsNotEnabledKeepsItsNameButNotItsPort() {
        let machine = PretendMachine()
        machine.write(
            """
            servers:
              - { name: a, enabled: false, port: 8080 }
              - { name: b, port: 8080 }
              - { name: a, port: 8081 }
            """, to: "/c")
        let report = loadConfiguration(at: "/c", from: machine)
        #expect(
            report.problems.map(\.message) == ["\"a\" is already the name of the server at line 2"])
    }

    @Test func anEntryThatIsNotEnabledAsksForNothing() {
        let machine = PretendMachine()
        machine.write(
            """
            defaults: { tunnel: { enabled: false } }
            tunnels:
              - { name: a, tunnel: "${URL}", server: "file:///none", token-command: [x], certfile: c, statusfile: n/s }
              - { name: b, enabled: true, tunnel: "ws://h", server: "builtin:echo", token: a-token-of-the-tests }
            """, to: "/c")
        let report = loadConfiguration(at: "/c", from: machine)
        #expect(report.problems.isEmpty)
        #expect(report.configuration?.tunnels.map(\.name) == ["b"])
        #expect(
            machine.questions.allSatisfy {
                $0 == "file /c" || $0.hasSuffix("_PROXY") || $0.hasSuffix("_proxy")
            })
    }

    @Test func addressesThatCannotBeBoundTogetherAreFoundInAnyOrder() {
        let hosts = ["127.0.0.1", "0.0.0.0", "\"::\"", "localhost", "127.0.0.2", "\"::1\"", "h", "127.0.0.1"]
        let lines = hosts.enumerated().map { "  - { name: a\($0), port: 1, host: \($1) }" }
        let machine = PretendMachine()
        machine.write("servers:\n" + lines.joined(separator: "\n"), to: "/c")
        #expect(
            loadConfiguration(at: "/c", from: machine).problems.map { $0.place?.line } == [
                3, 4, 5, 6, 7, 8, 9,
            ])
        let apart = ["127.0.0.1", "127.0.0.2", "\"::1\"", "h"].enumerated().map {
            "  - { name: a\($0), port: 1, host: \($1) }"
        }
        machine.write("servers:\n" + apart.joined(separator: "\n"), to: "/c")
        #expect(loadConfiguration(at: "/c", from: machine).problems.isEmpty)
    }
}
