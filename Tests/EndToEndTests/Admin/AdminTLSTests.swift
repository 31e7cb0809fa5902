import Foundation
import TestSupport
import Testing

/// The admin listener with TLS, as curl meets it.
@Suite(.timeLimit(.minutes(1))) struct AdminTLSTests {
    private static let token = "admin-tls-token-0123456789"

    /// An agent whose admin API speaks TLS.
    private final class World: Sendable {
        let authority: CertificateAuthority
        let agent: ReloadedAgent
        let port: Int

        /// - Parameter more: of `tls`.
        init(_ more: String = "") throws {
            authority = try CertificateAuthority()
            try authority.issue("own", name: "own", alternatives: "IP:127.0.0.1,DNS:own.test")
            port = try freePort()
            agent = try ReloadedAgent(
                Self.text(port, authority, more.replacing("CA", with: authority.path)))
        }

        static func text(_ port: Int, _ authority: CertificateAuthority, _ more: String) -> String {
            """
            admin:
              listen: "127.0.0.1:\(port)"
              token: \(AdminTLSTests.token)
              hosts: [ops.example.com]
              tls: { certfile: \(authority.file("own.pem")), keyfile: \(authority.file("own.key"))\(more) }
            servers: [{ name: public, host: 127.0.0.1, port: 0 }]

            """
        }

        func ask(_ target: String, _ arguments: String..., host: String? = nil) throws -> CurlResult {
            let name = host ?? "127.0.0.1"
            return try curl(
                ["--cacert", authority.path, "-H", "Authorization: Bearer \(AdminTLSTests.token)"]
                    + (host.map { ["--connect-to", "\($0):\(port):127.0.0.1:\(port)"] } ?? [])
                    + arguments + ["https://\(name):\(port)\(target)"])
        }
    }

    @Test func bothVersionsOfHTTPAreSpokenAndPlainOneIsToldSo() throws {
        let world = try World()
        for (option, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
            let answer = try world.ask("/api/status", option)
            #expect(answer.status == 200 && answer.values["http_version"] == version)
        }
        let plain = try curl("http://127.0.0.1:\(world.port)/api/status")
        #expect(plain.status == 400 && plain.text.contains("https://"))
        try world.agent.agent.waitForLog("Admin API: connection is not TLS")
        #expect(!world.agent.agent.log.contains { $0.contains("plain HTTP") })
        #expect(try world.agent.agent.stop() == .code(0))
    }

    @Test func aHundredRequestsGoByOneConnection() throws {
        let world = try World()
        let answer = try world.ask(
            "/api/tunnels?offset=[1-100]", "--http2", "-Z", "--parallel-max", "100", "-w",
            "\n%{http_version} %{http_code} %{num_connects}\n")
        let lines = answer.text.split(separator: "\n").filter { $0.hasPrefix("2 ") }
        #expect(lines.count == 100 && lines.allSatisfy { $0.hasPrefix("2 200") })
        #expect(lines.reduce(0) { $0 + (Int($1.split(separator: " ").last ?? "") ?? 0) } <= 2)
    }

    @Test func onlyItsNamesAreAnswered() throws {
        let world = try World()
        #expect(try world.ask("/api/status", host: "own.test").status == 200)
        #expect(try world.ask("/api/status", "-k", host: "ops.example.com").status == 200)
        let other = try world.ask("/api/status", "-k", host: "evil.test")
        #expect(other.status == 421 && other.text.contains("admin.hosts"))
        let page = try world.ask("/api/status", "-H", "Origin: https://evil.test")
        #expect(page.status == 403)
        #expect(try world.ask("/api/status", "-H", "Sec-Fetch-Site: cross-site").status == 403)
        #expect(
            try world.ask("/api/status", "-H", "Origin: https://127.0.0.1:\(world.port)").status == 200)
    }

    @Test func aClientCertificateIsAskedForBesideTheToken() throws {
        let world = try World(", client-ca: CA, client-name: 'ops-*'")
        let issued = try world.authority.issue("client", name: "ops-1", alternatives: "DNS:one.test")
        let other = try world.authority.issue("other", name: "web-1", alternatives: "DNS:web.test")
        let bare = try world.ask("/api/status")
        #expect(bare.status == 403 && bare.text.contains("client certificate"))
        #expect(try world.ask("/api/status", "--cert", issued.path, "--key", issued.keyPath).status == 200)
        #expect(try world.ask("/api/status", "--cert", other.path, "--key", other.keyPath).status == 403)
        let wrong = try curl(
            "--cacert", world.authority.path, "--cert", issued.path, "--key", issued.keyPath, "-H",
            "Authorization: Bearer wrong", "https://127.0.0.1:\(world.port)/api/status")
        #expect(wrong.status == 401)
        // Who looks whether it lives has none.
        #expect(try world.ask("/healthz").status == 200)
        #expect(try world.ask("/readyz").status == 200)
    }

    @Test func aCertificateIsChangedInPlace() throws {
        let world = try World()
        func subject() throws -> String { try opensslClient(port: world.port) }
        #expect(try subject().contains("CN = own"))
        // Who follows what happens goes on.
        let follower = try ChildProcess([
            "curl", "-q", "-sSN", "--noproxy", "*", "--cacert", world.authority.path, "-H",
            "Authorization: Bearer \(Self.token)", "-D", "-", "https://127.0.0.1:\(world.port)/api/events",
        ])
        try follower.standardOutput.waitForLine(containing: "text/event-stream")
        try world.authority.issue("own", name: "renewed", alternatives: "IP:127.0.0.1,DNS:renewed.test")
        #expect(try world.agent.hangUp() == .applied)
        #expect(try subject().contains("CN = renewed"))
        #expect(try world.ask("/api/status", host: "renewed.test").status == 200)
        #expect(try world.ask("/api/status", "-k", host: "own.test").status == 421)
        // One that cannot be used refuses the reload.
        _ = try "nonsense".write(toFile: world.authority.file("own.key"), atomically: true, encoding: .utf8)
        #expect(try world.agent.hangUp() == .refused)
        #expect(try subject().contains("CN = renewed"))
        // It would have ended by itself, had it been told to come again.
        follower.kill()
        #expect(try follower.waitForExit() == .signal(SIGKILL))
    }

    @Test func tlsComesAndGoesByAReload() throws {
        let world = try World()
        let plain = """
            admin: { listen: "127.0.0.1:\(world.port)", token: \(Self.token) }
            servers: [{ name: public, host: 127.0.0.1, port: 0 }]

            """
        #expect(try world.agent.apply(plain) == .applied)
        let url = "http://127.0.0.1:\(world.port)/api/status"
        #expect(try curl("-H", "Authorization: Bearer \(Self.token)", url).status == 200)
        #expect(try world.agent.apply(World.text(world.port, world.authority, "")) == .applied)
        #expect(try world.ask("/api/status").status == 200)
    }
}
