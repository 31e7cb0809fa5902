import Testing
import TunnelConfiguration
import TunnelProtocol

/// `callers`, as far as the fixtures do not tell.
@Suite struct CallerKeysTests {
    private static let hash = "$2y$10$abcdefghijklmnopqrstuugZw0e/b5r1sdG/3LSl4QiQiC2VrNNoC"
    private static let token = "token-of-the-tests"

    private static func server(
        _ text: String, files: [String: String] = [:]
    ) throws -> ServerConfiguration {
        let machine = PretendMachine()
        machine.write(PretendMachine.certificate, to: "/ca.pem")
        machine.write(PretendMachine.key, to: "/key.pem")
        for (name, content) in files { machine.write(content, to: name) }
        machine.write("servers:\n  - name: a\n" + text, to: "/c")
        let report = loadConfiguration(at: "/c", from: machine)
        return try #require(report.configuration?.servers.first, "\(report.problems)")
    }

    @Test func listsAndFilesAddUp() throws {
        let server = try Self.server(
            "    callers: { allow-from: [192.0.2.1], allow-from-file: /allowed, users: ['alice:\(Self.hash)'], users-file: /users }",
            files: [
                "/allowed": "# offices\r\n 198.51.100.0/24 \r\n\n2001:db8::/32\n",
                "/users": "# people\nbob:\(Self.hash)\n",
            ])
        let rules = try #require(server.access.everybody)
        #expect(
            rules.allowed?.map(\.description) == ["192.0.2.1", "198.51.100.0/24", "2001:db8:0:0:0:0:0:0/32"])
        guard case .listed(let users, let bearers) = rules.login else {
            Issue.record("nobody has to log in")
            return
        }
        #expect(users.keys.sorted() == ["alice", "bob"])
        #expect(bearers.isEmpty)
    }

    @Test func anEntryWithRulesAloneOpensNoToken() throws {
        let server = try Self.server(
            "    passwords: [{ token: \(Self.token), callers: { methods: [GET] } }]")
        let token = try RendezvousToken(Self.token)
        #expect(server.trust.passwords.isEmpty)
        #expect(server.access.tokens[token]?.methods == ["GET"])
        #expect(server.access.everybody == nil)
    }

    @Test func anEntryWithAPasswordKeepsIt() throws {
        let server = try Self.server(
            "    passwords: [{ token: \(Self.token), password: p, callers: { methods: [GET] } }]")
        #expect(server.trust.passwords[try RendezvousToken(Self.token)]?.count == 1)
    }

    @Test func aRuleThatAsksForACertificateHasEverybodyAsked() throws {
        let tls =
            "{ certfile: /ca.pem, keyfile: /key.pem, client-ca: /ca.pem, tunnel-certificates: optional }"
        let rules = "    passwords: [{ token: \(Self.token), callers: { client-name: 'phone-*' } }]"
        #expect(try Self.server("    tls: \(tls)\n\(rules)").tls?.callers == .optional)
        #expect(try Self.server("    tls: \(tls)").tls?.callers == ListenerTLS.CertificateDemand.none)
    }

    @Test func noHashIsWritten() throws {
        let server = try Self.server("    callers: { users: ['alice:\(Self.hash)'] }")
        #expect(!"\(server)".contains("abcdefghijklmnop"))
        var text = ""
        dump(server, to: &text)
        #expect(!text.contains("abcdefghijklmnop"))
    }

    struct Size: CustomTestStringConvertible, Sendable {
        let text: String
        let bytes: Int
        var testDescription: String { text }
    }

    @Test(arguments: [
        Size(text: "0", bytes: 0), Size(text: "17", bytes: 17), Size(text: "64KiB", bytes: 65_536),
        Size(text: "10MiB", bytes: 10_485_760), Size(text: "2GiB", bytes: 2_147_483_648),
    ])
    func sizesAreReadAndWrittenAlike(_ size: Size) throws {
        let server = try Self.server("    callers: { max-body: \(size.text) }")
        #expect(server.access.everybody?.maximumBody == size.bytes)
        let text = ConfigurationRendering.yaml(of: AgentConfiguration(servers: [server]))
        #expect(text.contains("max-body: \(size.text)\n"))
    }
}
