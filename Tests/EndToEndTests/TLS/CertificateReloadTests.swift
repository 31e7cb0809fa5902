import Foundation
import Synchronization
import TestSupport
import Testing

/// Certificates that are changed while they are in use.
@Suite struct CertificateReloadTests {
    /// An agent whose certificate and key stand in one file, so that the two change at once.
    private final class World: Sendable {
        let authority: CertificateAuthority
        let agent: ReloadedAgent
        let port: Int
        private let names: [String]

        init(_ names: [String], watch: Bool = false, more: [String] = []) throws {
            authority = try CertificateAuthority()
            self.names = names
            for name in names { try authority.issue(name, name: name) }
            let first = names.isEmpty ? "" : try Self.both(authority, names[0])
            let text = Configuration.server(["tls: { certfile: both.pem }"] + more)
            agent = try ReloadedAgent((watch ? "watch: true\n" : "") + text, files: ["both.pem": first])
            port = try agent.agent.port(ofServer: "public")
        }

        private static func both(_ authority: CertificateAuthority, _ name: String) throws -> String {
            try [authority.file("\(name).pem"), authority.file("\(name).key")].map {
                try String(contentsOfFile: $0, encoding: .utf8)
            }.joined()
        }

        func use(_ name: String) throws { try put(Self.both(authority, name)) }

        func put(_ text: String) throws {
            let new = try agent.folder.write(text, to: "both.new")
            guard rename(new, agent.folder.path(of: "both.pem")) == 0 else {
                throw TestFailure("cannot rename")
            }
        }

        /// Whose certificate is shown now.
        var subject: String {
            get throws {
                let told = try opensslClient(port: port)
                let line = told.split(separator: "\n").first { $0.hasPrefix("subject=") } ?? ""
                return String(line.drop { $0 != "=" }.dropFirst("=CN = ".count))
            }
        }

        func ask() throws -> CurlResult {
            try curl("--cacert", authority.path, "https://127.0.0.1:\(port)/_health_check")
        }
    }

    @Test(.timeLimit(.minutes(4))) func twoHundredSwapsFailNoHandshake() throws {
        let world = try World(["a", "b"])
        let isOver = Atomic<Bool>(false)
        let faults = Mutex<[String]>([])
        let count = Atomic<Int>(0)
        let callers = (0..<2).map { _ in
            Background {
                while !isOver.load(ordering: .relaxed) {
                    let answer = try world.ask()
                    count.add(1, ordering: .relaxed)
                    if answer.status != 200 {
                        faults.withLock { $0.append("\(answer.exitCode) \(answer.standardError)") }
                    }
                }
            }
        }
        for turn in 1...200 {
            try world.use(turn.isMultiple(of: 2) ? "a" : "b")
            #expect(try world.agent.hangUp() == .applied, "turn \(turn)")
        }
        isOver.store(true, ordering: .relaxed)
        for caller in callers { try caller.value() }
        #expect(faults.withLock { $0 } == [])
        #expect(count.load(ordering: .relaxed) > 50)
        #expect(try world.subject == "a")
    }

    @Test(.timeLimit(.minutes(1))) func aBadCertificateLeavesTheOldOne() throws {
        let world = try World(["a", "b"])
        let key = try String(contentsOfFile: world.authority.file("a.key"), encoding: .utf8)
        let other = try String(contentsOfFile: world.authority.file("b.pem"), encoding: .utf8)
        for (text, words) in [
            ("nothing\n", "holds no PEM certificate"), (other + key, "is another certificate's"),
            (other, "holds no PEM private key"),
        ] {
            try world.put(text)
            let start = world.agent.agent.log.count
            #expect(try world.agent.hangUp() == .refused)
            let log = world.agent.agent.log[start...].joined()
            #expect(log.contains(words), "\(log)")
            #expect(log.contains("tunnels.yaml:6:22"), "\(log)")
            #expect(try world.subject == "a")
            #expect(try world.ask().status == 200)
        }
        try world.use("b")
        #expect(try world.agent.hangUp() == .applied)
        #expect(try world.subject == "b")
        #expect(try world.agent.status().lastReload?.actions == ["update server public: tls"])
    }

    @Test(.timeLimit(.minutes(1))) func aChangedFileIsNoticed() throws {
        let world = try World(["a", "b"], watch: true)
        let start = world.agent.agent.log.count
        try world.use("b")
        #expect(try world.agent.outcome(from: start) == .applied)
        #expect(try world.subject == "b")
    }

    @Test(.timeLimit(.minutes(1))) func tlsComesAndGoesOnTheSameSocket() throws {
        let world = try World(["a"])
        #expect(try world.agent.apply(Configuration.server()) == .applied)
        #expect(try curl("http://127.0.0.1:\(world.port)/_health_check").status == 200)
        #expect(try world.agent.apply(Configuration.server(["tls: { certfile: both.pem }"])) == .applied)
        #expect(try world.ask().status == 200)
    }

    /// Whoever was let in by a certificate has to show one that the new authority knows.
    @Test(.timeLimit(.minutes(1))) func anotherAuthorityAsksTunnelClientsAnew() throws {
        let other = try CertificateAuthority(name: "Other CA")
        let world = try World(["a"])
        let edge = try world.authority.issue("edge", name: "edge")
        func text(_ authority: CertificateAuthority) -> String {
            Configuration.server(["tls: { certfile: both.pem, client-ca: \(authority.path) }"])
        }
        try world.agent.apply(text(world.authority))
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "wss://127.0.0.1:\(world.port)", to: "builtin:echo",
                options: [
                    "certfile: \(world.authority.path)", "client-certificate: \(edge.path)",
                    "client-key: \(edge.keyPath)", "connections: 1",
                ]))
        try world.agent.agent.waitForSessions(1)
        let start = client.log.count
        #expect(try world.agent.apply(text(other)) == .applied)
        let line = try client.waitForLog("Cannot connect", from: start)
        #expect(line["error.message"]?.contains("does not know the authority") == true, "\(line)")
    }

    @Test(.timeLimit(.minutes(1))) func plainHTTPIsSentToHTTPSAndShowsChallenges() throws {
        let (port, plain) = (try freePort(), try freePort())
        let authority = try CertificateAuthority()
        let identity = try authority.issue("server", name: "server")
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(
            atPath: folder.path(of: ".well-known/acme-challenge"), withIntermediateDirectories: true)
        try folder.write("a-1.key-of-the-account", to: ".well-known/acme-challenge/a-1")
        try folder.write("b_2.key", to: "b_2")
        try folder.write("secret", to: "not.a.token")
        let server = try AgentProcess(
            configuration: Configuration.server(
                SecureWorld.tls(
                    identity, ["redirect-http: \(plain)", "acme-challenges: \(folder.path)"])
            ).replacing("port: 0", with: "port: \(port)"))
        #expect(try server.port(ofServer: "public:http") == plain)
        let url = "http://127.0.0.1:\(plain)"
        let moved = try curl("-I", "-X", "POST", "\(url)/a%20b?c=d", "-o", "/dev/null")
        #expect(moved.status == 308)
        #expect(moved.values["redirect_url"] == "https://127.0.0.1:\(port)/a%20b?c=d")
        #expect(try curl("\(url)/_health_check").status == 200)
        #expect(try curl("\(url)/.well-known/acme-challenge/a-1").text == "a-1.key-of-the-account\n")
        #expect(try curl("\(url)/.well-known/acme-challenge/b_2").text == "b_2.key\n")
        for path in ["missing", "not.a.token", "..%2fa", "", "%2e%2e/x"] {
            #expect(
                try curl("--path-as-is", "\(url)/.well-known/acme-challenge/\(path)").status == 404, "\(path)"
            )
        }
        let followed = try curl("-L", "--cacert", authority.path, "\(url)/_stats")
        #expect(followed.status == 200 && followed.text.contains("tunnels"))
    }
}
