import Foundation
import TestSupport
import Testing

/// `doctor` and `diag`.
@Suite(.timeLimit(.minutes(2))) struct DoctorTests {
    private static let token = "doctor-tests-token-1"
    private static let password = "doctor-tests-password"

    /// - Returns: a configuration of a server with TLS and a tunnel to it.
    private static func secure(
        _ port: Int, _ authority: CertificateAuthority, days: Int = 100, origin: String,
        password: String = password
    ) throws -> String {
        let identity = try authority.issue("server", name: "server", days: days)
        return """
            servers:
              - { name: public, host: 127.0.0.1, port: \(port), public-url: "http://127.0.0.1:\(port)", tls: \
            { certfile: \(identity.path), keyfile: \(identity.keyPath) }, \
            passwords: [{ token: \(token), password: \(Self.password) }] }
            tunnels:
              - { name: web, tunnel: "wss://127.0.0.1:\(port)", server: "\(origin)", token: \(token), \
            password: \(password), certfile: \(authority.path), connections: 1 }
            """
    }

    private func findings(_ result: ProgramResult) throws -> [[String: Any]] {
        let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
        return try #require(object?["findings"] as? [[String: Any]])
    }

    private func finding(_ step: String, _ findings: [[String: Any]]) -> [String: Any]? {
        findings.first { $0["subject"] as? String == "tunnel web" && $0["step"] as? String == step }
    }

    @Test func aTunnelThatWorksIsWellAndNotDisturbed() throws {
        let authority = try CertificateAuthority()
        let origin = try ScriptedOrigin { connection in
            while try connection.readRequest() != nil { try connection.respond(404, text: "none") }
        }
        let agent = try AgentProcess(
            configuration: try Self.secure(
                try freePort(), authority, origin: "http://127.0.0.1:\(origin.port)"))
        try agent.waitForSession(ofTunnel: "web")
        let result = try runProgram("doctor", "--json", "--config", agent.configurationPath)
        let findings = try findings(result)
        for step in ["name", "connection", "tls", "http", "clock", "session", "origin"] {
            #expect(finding(step, findings)?["verdict"] as? String == "ok", "\(step): \(result.output)")
        }
        #expect((finding("tls", findings)?["words"] as? String)?.contains("good for ") == true)
        #expect((finding("session", findings)?["milliseconds"] as? Double ?? 0) > 0)
        #expect(!(result.output + result.errors).contains(Self.password))
        #expect(!(result.output + result.errors).contains(Self.token))
        #expect(result.exit == .code(0))
        let request = findings.first { $0["step"] as? String == "request" }
        #expect(
            request?["subject"] as? String == "server public" && request?["verdict"] as? String == "ok")
        // What somebody asked for is no failure.
        let config = agent.configurationPath
        #expect(try runProgram("pause", "--server", "public", "--config", config).exit == .code(0))
        let paused = try runProgram("doctor", "--name", "public", "--config", config)
        #expect(paused.exit == .code(0) && paused.output.contains("warning port: paused at 127.0.0.1:"))
        #expect(paused.output.contains("wstunnel resume --server public"))
        #expect(try runProgram("resume", "--server", "public", "--config", config).exit == .code(0))
        // The tunnel's own session is the one it was.
        #expect(try runProgram("status", "--check", "--config", agent.configurationPath).exit == .code(0))
        #expect(!agent.log.contains { $0.contains("Session lost") })
        withExtendedLifetime(authority) {}
    }

    @Test func whatIsWrongIsToldWithWhatToDo() throws {
        let authority = try CertificateAuthority()
        let port = try freePort()
        let server = try AgentProcess(
            configuration: try Self.secure(port, authority, days: 3, origin: "builtin:echo"))
        try server.waitForSession(ofTunnel: "web")
        let folder = try TemporaryFolder()
        let wrong = try folder.write(
            Self.secure(
                port, authority, days: 3, origin: "http://127.0.0.1:\(try freePort())",
                password: "wrong-password"),
            to: "wrong.yaml")
        let result = try runProgram("doctor", "--name", "web", "--config", wrong)
        #expect(result.exit == .code(1))
        for words in [
            "warning tls: the certificate of server is good for ",
            "failed  session: no session by a WebSocket",
            "look at the token and its password", "failed  origin: http://127.0.0.1:", "refuses connections",
            "warning control socket: no agent runs by", " failed, ",
        ] {
            #expect(result.output.contains(words), "\(words) in \(result.output)")
        }
        #expect(!result.output.contains("wrong-password") && !result.output.contains("server public"))
        let away = try folder.write(
            "tunnels: [{ name: web, tunnel: \"ws://none.invalid\", server: \"builtin:echo\", token: \(Self.token) }]",
            to: "away.yaml")
        let none = try runProgram("doctor", "--config", away)
        #expect(none.exit == .code(1) && none.output.contains("failed  name:"))
        #expect(none.output.contains("this machine's name servers"))
        let broken = try folder.write("nonsense: 1\n", to: "broken.yaml")
        let mistakes = try runProgram("doctor", "--config", broken)
        #expect(mistakes.exit == .code(1) && mistakes.output.contains("failed  file: "))
        withExtendedLifetime(authority) {}
    }

    /// Secrets stand wherever one may stand, and nowhere in the bundle.
    @Test func aBundleHoldsEverythingButSecrets() throws {
        let secrets = [
            Self.token, Self.password, "diag-admin-token-0123456789", "diag-url-password",
            "diag-proxy-password",
            "diag-bearer-secret", "diag-field-secret", "ZGlhZy1maWVsZC1zZWNyZXQ=",
        ]
        let (port, proxy) = (try freePort(), try freePort())
        let text = pairConfiguration(
            port: port, origin: "builtin:echo", token: Self.token,
            general: "admin: { listen: \"127.0.0.1:0\", token: \(secrets[2]) }",
            server: """
                passwords: [{ token: \(Self.token), password: \(Self.password) }], callers: { bearer: \
                [\(secrets[5])], headers: { request: { set: { Authorization: "Basic \(secrets[7])", \
                X-Secret: \(secrets[6]) } } } }
                """, tunnel: "password: \(Self.password), connections: 1")
        let more = """

              - { name: away, tunnel: "ws://user:\(secrets[3])@127.0.0.1:\(port)", token: "\(Self.token)-2", \
            server: "builtin:echo", proxy: "http://user:\(secrets[4])@127.0.0.1:\(proxy)" }
            """
        let agent = try AgentProcess(configuration: text + more)
        try agent.waitForSession(ofTunnel: "web")
        try agent.waitForLog("Cannot connect", ["tunnel.name": "away"])
        let path = agent.folder.path(of: "bundle.txt")
        let result = try runProgram("diag", "--output", path, "--config", agent.configurationPath)
        #expect(result.exit == .code(0), "\(result.errors)")
        #expect(
            result.output.hasPrefix(
                "\(path): machine, configuration, doctor, status, plan, events, warnings, process")
        )
        let bundle = try String(contentsOfFile: path, encoding: .utf8)
        for secret in secrets { #expect(!bundle.contains(secret), "\(secret)") }
        for words in [
            "process \(agent.process.processID)", "token: \"***\"", "no changes", "Cannot connect",
            "name: away",
            "==== warnings ====", "ready: yes", "wstunnel 0.1.0",
        ] {
            #expect(bundle.contains(words), "\(words)")
        }
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        // What is there stays.
        let again = try runProgram("diag", "--offline", "--output", path, "--config", agent.configurationPath)
        #expect(again.exit == .code(1) && again.errors.contains("cannot write \(path)"))
        #expect(try String(contentsOfFile: path, encoding: .utf8) == bundle)
        _ = try agent.stop()
        let dead = try runProgram("diag", "--offline", "--output", "-", "--config", agent.configurationPath)
        #expect(
            dead.exit == .code(0) && dead.output.contains("no agent runs by")
                && dead.output.contains("name: away"))
        for secret in secrets { #expect(!dead.output.contains(secret), "\(secret)") }
    }
}
