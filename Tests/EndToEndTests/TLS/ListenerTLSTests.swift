import Foundation
import TestSupport
import Testing

/// A server that speaks TLS itself.
@Suite struct ListenerTLSTests {
    @Test(.timeLimit(.minutes(1)), arguments: CertificateAuthority.Key.allCases, ["1.2", "1.3"])
    func callersAndTunnelsSpeakTLSWithIt(key: CertificateAuthority.Key, version: String) throws {
        let authority = try CertificateAuthority()
        let world = try SecureWorld(authority, try authority.issue("server", name: "server", key: key))
        try world.connectClient()
        let limits = version == "1.2" ? ["--tls-max", "1.2"] : ["--tlsv1.3"]
        let answer = try curl(
            limits + [
                "--cacert", authority.path, "-H", "X-Token: \(SecureWorld.token)",
                "https://127.0.0.1:\(world.port)/where?x",
            ])
        #expect(answer.status == 200)
        #expect(answer.text.hasPrefix("GET /where?x\n"))
        #expect(answer.text.contains("X-Forwarded-Proto: https\n"))
    }

    @Test(.timeLimit(.minutes(1))) func whoAsksForANameGetsItsCertificate() throws {
        let authority = try CertificateAuthority()
        let apps = try authority.issue("apps", name: "apps", alternatives: "DNS:*.apps.test,DNS:apps.test")
        let one = try authority.issue("one", name: "one", alternatives: "DNS:one.apps.test")
        let world = try SecureWorld(
            authority, try authority.issue("server", name: "default"),
            tls: [
                "certificates:", "  - { certfile: \(apps.path), keyfile: \(apps.keyPath) }",
                "  - { certfile: \(one.path), keyfile: \(one.keyPath), hosts: [one.apps.test, other.test] }",
            ])
        for (name, subject) in [
            ("two.apps.test", "apps"), ("apps.test", "apps"), ("ONE.apps.test", "one"), ("other.test", "one"),
            ("a.b.apps.test", "default"), ("unknown.test", "default"),
        ] {
            let told = try opensslClient(port: world.port, "-servername", name)
            #expect(told.contains("subject=CN = \(subject)\n"), "\(name)")
        }
        #expect(try opensslClient(port: world.port, "-noservername").contains("subject=CN = default\n"))
    }

    @Test(.timeLimit(.minutes(1))) func nothingWeakIsSpokenAndSessionsAreResumed() throws {
        let world = try SecureWorld()
        for weak in [
            ["-tls1"], ["-tls1_1"], ["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"],
            ["-tls1_2", "-cipher", "AES128-GCM-SHA256"], ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"],
        ] {
            let program = try ChildProcess(
                ["openssl", "s_client", "-connect", "127.0.0.1:\(world.port)"] + weak)
            #expect(try program.waitForExit() != .code(0), "\(weak)")
        }
        let again = try opensslClient(port: world.port, "-tls1_2", "-reconnect")
        #expect(again.components(separatedBy: "Reused, TLSv1.2").count == 6, "\(again)")
        let ended = try SecureWorld(tls: ["minimum-version: \"1.3\""])
        let old = try ChildProcess(["openssl", "s_client", "-connect", "127.0.0.1:\(ended.port)", "-tls1_2"])
        #expect(try old.waitForExit() != .code(0))
        #expect(try opensslClient(port: ended.port).contains("TLSv1.3"))
    }

    @Test(.timeLimit(.minutes(1))) func anEncryptedKeyOpensByItsPassword() throws {
        let authority = try CertificateAuthority()
        let identity = try authority.issue("server", name: "server", password: "of the key")
        let world = try SecureWorld(authority, identity, tls: ["keyfile-password: \"of the key\""])
        #expect(try world.curl("/_health_check").status == 200)
        let server = Configuration.server(SecureWorld.tls(identity, ["keyfile-password: wrong"]))
        let folder = try TemporaryFolder()
        let check = try wstunnel(["check", try folder.write(server, to: "tunnels.yaml")])
        #expect(try check.waitForExit() == .code(78))
        #expect(check.standardError.text.contains("the password does not open the private key"))
    }

    @Test(.timeLimit(.minutes(1))) func plainHTTPIsToldSoInPlainHTTP() throws {
        let world = try SecureWorld()
        let answer = try curl("http://127.0.0.1:\(world.port)/")
        #expect(answer.status == 400)
        #expect(answer.text.contains("https://"))
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(world.port)", to: "builtin:echo"))
        let line = try client.waitForLog("Cannot connect")
        #expect(line["error.message"]?.contains("This port speaks TLS") == true)
        let secure = try AgentProcess(configuration: Configuration.server())
        let other = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "wss://127.0.0.1:\(try secure.port(ofServer: "public"))", to: "builtin:echo"))
        let words = try other.waitForLog("Cannot connect")["error.message"]
        #expect(words == "what answers does not speak TLS; write ws:// or http:// before it")
    }

    @Test(.timeLimit(.minutes(2))) func largeBodiesPassBothWays() throws {
        let world = try SecureWorld()
        try world.connectClient()
        let folder = try TemporaryFolder()
        let sent = folder.path(of: "sent")
        try Data(SplitMix64(seed: 5).sequence(32 << 20)).write(to: URL(fileURLWithPath: sent))
        let answer = try world.curl("/", "-T", sent, "-o", folder.path(of: "back"), "-H", "Expect:")
        #expect(answer.status == 200)
        let (one, other) = (URL(fileURLWithPath: sent), URL(fileURLWithPath: folder.path(of: "back")))
        #expect(try Data(contentsOf: one) == Data(contentsOf: other))
    }

    /// An end of TLS in order would make them look whole.
    @Test(.timeLimit(.minutes(1)), arguments: ["length", "until-close"])
    func answersThatBreakOffShowIt(framing: String) throws {
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            let fields = framing == "length" ? [("Content-Length", "1000")] : []
            try connection.writeHead(200, fields: fields)
            try connection.socket.write(Array("part".utf8))
            connection.socket.reset()
        }
        let world = try SecureWorld()
        try world.connectClient(to: origin.url)
        let version = framing == "length" ? "--http1.1" : "--http1.0"
        let answer = try world.curl("/", version)
        #expect(answer.status == 200)
        #expect(answer.text == "part")
        #expect([18, 56].contains(answer.exitCode), "\(answer.exitCode) \(answer.standardError)")
    }

    /// A connection that speaks TLS cannot change its event loop: its client dials again.
    @Test(.timeLimit(.minutes(1))) func allConnectionsFindASeat() throws {
        let world = try SecureWorld()
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "wss://127.0.0.1:\(world.port)", to: "builtin:echo",
                options: ["certfile: \(world.authority.path)", "connections: 8"]))
        try world.server.waitForSessions(8)
        for _ in 0..<20 { #expect(try world.curl("/").status == 200) }
        #expect(client.log.allSatisfy { !$0.contains("level=warning") && !$0.contains("level=error") })
    }
}
