import TestSupport
import Testing

/// Certificates of tunnel clients and of callers.
@Suite struct ClientCertificateTests {
    private static func options(_ issued: CertificateAuthority.Issued) -> [String] {
        ["client-certificate: \(issued.path)", "client-key: \(issued.keyPath)"]
    }

    private static func world(_ tls: [String] = [], _ options: [String] = []) throws -> SecureWorld {
        let authority = try CertificateAuthority()
        return try SecureWorld(
            authority, try authority.issue("server", name: "server"),
            tls: ["client-ca: \(authority.path)"] + tls, options: options)
    }

    @Test(.timeLimit(.minutes(1))) func aClientWithACertificateComesInAndIsNamed() throws {
        let world = try Self.world(
            [], ["passwords: [{ token: \(SecureWorld.token), client-name: 'edge-*' }]"])
        let edge = try world.authority.issue("edge", name: "edge-7", alternatives: "DNS:seven.edge.test")
        try world.connectClient(Self.options(edge))
        #expect(try world.server.waitForLog("Session joined")["certificate.name"] == "edge-7")
        #expect(try world.curl("/").status == 200)
        let status = try wstunnel(["status", "--config", world.server.configurationPath])
        _ = try status.waitForExit()
        #expect(status.standardOutput.text.contains("edge-7"), "\(status.standardOutput.text)")
    }

    @Test(.timeLimit(.minutes(1))) func aNameThatIsNotTheTokensIsRefused() throws {
        let world = try Self.world(
            [], ["passwords: [{ token: \(SecureWorld.token), client-name: 'edge-*' }]"])
        let other = try world.authority.issue("other", name: "core-1", alternatives: "DNS:core.test")
        let client = try world.client(Self.options(other))
        let line = try client.waitForLog("Cannot connect")
        #expect(line["error.message"]?.contains("The name in the client certificate may not") == true)
        #expect(try world.server.waitForLog("Tunnel refused")["error.code"] == "certificate-required")
    }

    @Test(.timeLimit(.minutes(1))) func withoutACertificateItIsToldToShowOne() throws {
        let world = try Self.world()
        let line = try world.client().waitForLog("Cannot connect")
        #expect(line["error.message"]?.contains("name it in client-certificate") == true, "\(line)")
        #expect(try world.server.waitForLog("Tunnel refused")["error.code"] == "certificate-required")
    }

    struct Bad: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let client: String
        let server: String
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            Bad(
                testDescription: "expired", client: "our certificate has expired",
                server: "the certificate of CN=edge expired on "),
            Bad(
                testDescription: "unknown", client: "does not know the authority of our certificate",
                server: "is from an authority that is not in client-ca (CN=Other CA)"),
            Bad(
                testDescription: "self-signed", client: "does not know the authority of our certificate",
                server: "the certificate of CN=wstunnel test is signed by itself"),
        ])
    func aBadOneIsNamedOnBothEnds(bad: Bad) throws {
        let world = try Self.world()
        let own = try Certificate()
        let stranger = try CertificateAuthority(name: "Other CA")
        let issued =
            switch bad.testDescription {
            case "expired": try world.authority.issue("edge", name: "edge", days: -1)
            case "unknown": try stranger.issue("edge", name: "edge")
            default: CertificateAuthority.Issued(path: own.path, keyPath: own.keyPath)
            }
        let client = try world.client(Self.options(issued))
        let words = try client.waitForLog("Cannot connect")["error.message"] ?? ""
        #expect(words.contains(bad.client), "\(words)")
        let line = try world.server.waitForLog("TLS handshake failed")
        #expect(line["error.message"]?.contains(bad.server) == true, "\(line)")
        #expect(line["error.code"] == "tls-failed")
    }

    @Test(.timeLimit(.minutes(1))) func callersAreAskedApartFromThat() throws {
        let world = try Self.world([
            "client-certificates: required", "tunnel-certificates: none", "client-certificate-header: true",
        ])
        try world.connectClient()
        let alice = try world.authority.issue("alice", name: "Alice Liddell", alternatives: "email:a@b.test")
        let spoofed = ["-H", "X-Client-Certificate-Name: root", "-H", "X_Client_Certificate_Name: root"]
        let known = try world.curl(
            "/", "--cert", alice.path, "--key", alice.keyPath, spoofed[0], spoofed[1], spoofed[2], spoofed[3])
        #expect(known.status == 200)
        #expect(known.text.contains("X-Client-Certificate-Name: Alice Liddell\n"), "\(known.text)")
        #expect(!known.text.contains("root"))
        #expect(try world.server.waitForLog("Request", ["path": "/"])["certificate.name"] == "Alice Liddell")
        let unknown = try world.curl("/")
        #expect(unknown.status == 403)
        #expect(unknown.text == "A client certificate is required here, and none was shown that counts\n")
        #expect(try world.curl("/_stats").status == 403)
        #expect(try world.curl("/_health_check").status == 200)
    }

    @Test(.timeLimit(.minutes(1))) func optionalTakesBothAndPlainListenersStripTheField() throws {
        let world = try Self.world([
            "client-certificates: optional", "tunnel-certificates: optional",
            "client-certificate-header: true",
        ])
        try world.connectClient()
        let answer = try world.curl("/", "-H", "X-Client-Certificate-Name: root")
        #expect(answer.status == 200)
        #expect(!answer.text.lowercased().contains("certificate-name"))
        let bob = try world.authority.issue("bob", name: "bob")
        #expect(
            try world.curl("/", "--cert", bob.path, "--key", bob.keyPath).text
                .contains("X-Client-Certificate-Name: bob\n"))
        let tunnel = try TunnelPair(to: "builtin:echo", connections: 1)
        let plain = try tunnel.curl("/", "-H", "X-Client-Certificate-Name: root")
        #expect(plain.status == 200 && !plain.text.contains("root"))
    }

    /// Resumed sessions are known by what was shown when they began.
    @Test(.timeLimit(.minutes(1))) func whoResumesASessionIsKnownStill() throws {
        let world = try Self.world(["client-certificates: required", "tunnel-certificates: none"])
        let alice = try world.authority.issue("alice", name: "alice")
        for version in ["-tls1_2", "-tls1_3"] {
            let told = try opensslClient(
                port: world.port, version, "-cert", alice.path, "-key", alice.keyPath, "-reconnect")
            #expect(!told.contains("alert"), "\(version): \(told)")
            #expect(told.contains("Reused") || version == "-tls1_3")
        }
    }
}
