import TestSupport
import Testing

/// Which servers a tunnel believes: pins, names, authorities.
@Suite struct ServerTrustTests {
    private static func pin(_ path: String) throws -> String {
        let program = try wstunnel(["pin", path])
        guard try program.waitForExit() == .code(0) else { throw TestFailure(program.standardError.text) }
        return String(program.standardOutput.text.prefix { $0 != " " })
    }

    @Test(.timeLimit(.minutes(1))) func aPinStandsInForAnAuthority() throws {
        let own = try Certificate(for: "DNS:somebody.else")
        let world = try SecureWorld(
            try CertificateAuthority(), CertificateAuthority.Issued(path: own.path, keyPath: own.keyPath))
        let pin = try Self.pin(own.path)
        let other = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="
        try world.connectClient(["pin-sha256: ['\(other)', 'sha256/\(pin)']"], trusts: false)
        let wrong = try world.client(["pin-sha256: '\(other)'"], trusts: false)
        let words = try wrong.waitForLog("Cannot connect")["error.message"]
        #expect(words == "the server's key has none of the pins in pin-sha256: its own is \(pin)")
    }

    @Test(.timeLimit(.minutes(1))) func besideAnAuthorityBothCount() throws {
        let world = try SecureWorld()
        let pin = try Self.pin(world.identity.path)
        let stranger = try CertificateAuthority(name: "Stranger")
        let words = try world.client(
            ["pin-sha256: '\(pin)'", "certfile: \(stranger.path)"], trusts: false
        ).waitForLog("Cannot connect")["error.message"]
        #expect(words?.contains("is from an unknown authority (CN=Test CA)") == true, "\(words ?? "")")
        let wrong = try world.client(["pin-sha256: 'n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg='"])
        #expect(try wrong.waitForLog("Cannot connect")["error.message"]?.contains(pin) == true)
        try world.connectClient(["pin-sha256: '\(pin)'"])
    }

    @Test(.timeLimit(.minutes(1))) func theNameMayBeAnother() throws {
        let authority = try CertificateAuthority()
        let world = try SecureWorld(
            authority, try authority.issue("server", name: "s", alternatives: "DNS:tunnel.test,DNS:b.test"))
        let words = try world.client().waitForLog("Cannot connect")["error.message"] ?? ""
        #expect(words.contains("is for tunnel.test, b.test, not for 127.0.0.1"), "\(words)")
        #expect(words.contains("server-name"))
        try world.connectClient(["server-name: tunnel.test"])
    }

    @Test(.timeLimit(.minutes(1))) func whatHasExpiredSaysWhen() throws {
        let authority = try CertificateAuthority()
        let world = try SecureWorld(authority, try authority.issue("server", name: "s", days: -1))
        let words = try world.client().waitForLog("Cannot connect")["error.message"] ?? ""
        #expect(words.hasPrefix("the server's certificate expired on 20"), "\(words)")
        let status = try wstunnel(["status", "--config", world.server.configurationPath])
        _ = try status.waitForExit()
        #expect(status.standardOutput.text.contains("the certificate of CN=s in "))
    }

    @Test(.timeLimit(.minutes(1))) func originsAreBelievedForReasonsOfTheirOwn() throws {
        let authority = try CertificateAuthority()
        let named = try authority.issue("named", name: "named", alternatives: "DNS:app.test")
        func origin(_ issued: CertificateAuthority.Issued) throws -> AgentProcess {
            try AgentProcess(configuration: Configuration.server(SecureWorld.tls(issued)))
        }
        let one = try origin(named)
        let url = "https://localhost:\(try one.port(ofServer: "public"))"
        let rules = [
            [], ["origin-tls: [{ host: localhost, certfile: \(authority.path), server-name: app.test }]"],
            [
                "origin-tls: [{ host: '*.test', insecure: true }, { pin-sha256: '\(try Self.pin(named.path))' }]"
            ],
            ["origin-tls: [{ host: localhost, server-name: app.test }, { insecure: true }]"],
        ]
        let answers = try rules.map { rule in
            try TunnelPair(to: url, clientOptions: rule, connections: 1).curl("/").text
        }
        #expect(answers[0].contains("no TLS with localhost"))
        #expect(answers[1].contains("Missing X-Token"))
        #expect(answers[2].contains("Missing X-Token"))
        #expect(answers[3].contains("is from an unknown authority"))
        let byHost = try TunnelPair(
            to: nil,
            clientOptions: [
                "regexp: 'https://localhost:[0-9]+'",
                "origin-tls: [{ host: localhost, certfile: \(authority.path), server-name: app.test }]",
            ], connections: 1)
        #expect(try byHost.curl("/", "-H", "X-Host: \(url)").text.contains("Missing X-Token"))
    }
}
