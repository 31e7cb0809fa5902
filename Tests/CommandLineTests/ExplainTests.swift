import Foundation
import TestSupport
import Testing

/// `wstunnel explain`, by the file and by the agent that runs by it, against what that agent really answers.
@Suite(.timeLimit(.minutes(3))) struct ExplainTests {
    private static let token = "explained-token-1"
    private static let down = "explained-token-down"
    private static let login = "explained-token-login"
    private static let rated = "explained-token-rated"
    private static let claimed = "explained-token-claimed"
    private static let xHost = "explained-token-xhost"
    private static let bearer = "explained-bearer-secret-1"
    private static let password = "open sesame explained"
    /// Of what no output may hold.
    private static let secrets = [token, down, login, rated, claimed, xHost, bearer, password]

    /// A request, and what it is to get.
    private struct Question {
        var method = "GET"
        var path = "/"
        /// In place of the address.
        var host: String?
        var fields: [String] = []
        /// The last byte of the address that it comes from, in 127.0.0.0/24.
        var source: UInt8 = 1
        /// 0 for a connection that is closed.
        let status: Int
        /// By the file alone; nil for the same.
        var fileStatus: Int?
    }

    private let agent: AgentProcess
    private let port: Int

    init() throws {
        let port = try freePort()
        self.port = port
        let hash = try Self.hash(Self.password)
        func tunnel(_ name: String, _ token: String, _ more: String = "") -> String {
            "  - { name: \(name), tunnel: \"ws://127.0.0.1:\(port)\", server: \"builtin:echo\", token: \(token), "
                + "connections: 1\(more) }\n"
        }
        agent = try AgentProcess(
            configuration: """
                shutdown-grace: 1s
                servers:
                  - name: public
                    host: 127.0.0.1
                    port: \(port)
                    queue-timeout: 1s
                    ban: { after: 5, never: [127.0.0.1] }
                    host-claims: { domain: t.test }
                    limits: { enforce: true }
                    callers: { deny-from: [127.0.0.66] }
                    hosts:
                      - { host: shop.test, token: \(Self.token) }
                      - { host: closed.test, token: \(Self.token), callers: { maintenance: true } }
                      - { host: "*.wild.test", token: \(Self.token), callers: { methods: [GET] } }
                      - { host: down.test, token: \(Self.down) }
                    passwords:
                      - { token: \(Self.login), password: a-password, callers: { users: ['alice:\(hash)'], bearer: [\(Self.bearer)], max-body: 10 } }
                      - { token: \(Self.rated), password: a-password, limits: { requests-per-second: 1, requests-burst: 1 } }
                tunnels:
                \(tunnel("web", Self.token))\(tunnel("login", Self.login, ", password: a-password"))\
                \(tunnel("rated", Self.rated, ", password: a-password"))\
                \(tunnel("claimed", Self.claimed, ", hosts: [app]"))\
                \(tunnel("x-host", Self.xHost))
                """)
        for name in ["web", "login", "rated", "claimed", "x-host"] {
            try agent.waitForSession(ofTunnel: name)
        }
        try agent.waitForLog("Host name granted", ["tunnel.name": "claimed"])
    }

    private static func hash(_ password: String) throws -> String {
        let script = #"printf '%s\n' "$1" | "$2" hash --method sha512"#
        let program = try ChildProcess(["sh", "-c", script, "sh", password, wstunnelPath()])
        guard try program.waitForExit() == .code(0) else { throw TestFailure(program.standardError.text) }
        return program.standardOutput.text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    // MARK: Asking

    /// Runs the command; what it tells holds no secret.
    private func explain(_ question: Question, isRunning: Bool, _ more: String...) throws -> ProgramResult {
        var arguments = ["explain", question.method, "http://127.0.0.1:\(port)\(question.path)"]
        let fields = question.fields + (question.host.map { ["Host: \($0)"] } ?? [])
        let file = try agent.folder.write(fields.joined(separator: "\n"), to: "headers-\(UUID().uuidString)")
        arguments += ["--header", "@\(file)", "--from", "127.0.0.\(question.source)"]
        arguments += ["--config", agent.configurationPath] + (isRunning ? ["--running"] : []) + more
        let program = try wstunnel(arguments)
        let exit = try program.waitForExit()
        let result = ProgramResult(
            exit: exit, output: program.standardOutput.text, errors: program.standardError.text)
        for secret in Self.secrets {
            #expect(!(result.output + result.errors).contains(secret), "a secret is told: \(result.output)")
        }
        return result
    }

    /// The status that is told; 200 where it is the origin's to say, 0 where there is none.
    private func toldStatus(_ question: Question, isRunning: Bool) throws -> Int {
        let result = try explain(question, isRunning: isRunning, "--format", "json")
        let json = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
        let outcome = try #require(json?["outcome"] as? [String: Any], "\(result.errors)")
        let verdict = outcome["verdict"] as? String
        #expect(result.exit == .code(verdict == "carried" || verdict == "answered" ? 0 : 69))
        return outcome["status"] as? Int ?? (verdict == "carried" ? 200 : 0)
    }

    /// What the agent answers; 0 where it closes the connection.
    private func realStatus(_ question: Question) throws -> Int {
        let connection = try HTTPConnection(port: port, from: question.source)
        defer { connection.close() }
        let fields = question.fields.map { "\($0)\r\n" }.joined()
        let length = question.fields.first { $0.hasPrefix("Content-Length: ") }.flatMap {
            Int($0.dropFirst(16))
        }
        do {
            try connection.send(
                "\(question.method) \(question.path) HTTP/1.1\r\n"
                    + "Host: \(question.host ?? "127.0.0.1:\(port)")\r\n\(fields)\r\n"
                    + String(repeating: "b", count: length ?? 0))
            return try connection.readResponse(toMethod: question.method).status
        } catch is StreamEnd {
            return 0
        }
    }

    private func check(_ question: Question, _ place: String) throws {
        let byFile = try toldStatus(question, isRunning: false)
        let byAgent = try toldStatus(question, isRunning: true)
        let real = try realStatus(question)
        #expect(real == question.status, "\(place)")
        #expect(byAgent == real, "\(place): by the agent")
        #expect(byFile == question.fileStatus ?? real, "\(place): by the file")
    }

    private static func byToken(_ token: String) -> [String] { ["X-Token: \(token)"] }

    private static func basic(_ password: String) -> String {
        "Authorization: Basic \(Data("alice:\(password)".utf8).base64EncodedString())"
    }

    // MARK: Tests

    @Test func whatIsToldIsWhatCallersGet() throws {
        let questions: [(String, Question)] = [
            // First: half a minute after the start it is not waited for any more.
            ("a tunnel that has not come yet", Question(host: "down.test", status: 504, fileStatus: 200)),
            ("a token", Question(fields: Self.byToken(Self.token), status: 200)),
            ("a token in the path", Question(path: "/_token/\(Self.token)/a?b", status: 200)),
            ("no slash behind it", Question(path: "/_token/\(Self.token)", status: 308)),
            ("a name", Question(host: "shop.test", status: 200)),
            ("a pattern", Question(host: "a.wild.test", status: 200)),
            ("a method", Question(method: "POST", host: "a.wild.test", status: 405)),
            ("maintenance", Question(host: "closed.test", status: 503)),
            ("a claimed name", Question(host: "app.t.test", status: 200)),
            ("a name that is nobody's", Question(host: "none.t.test", status: 400)),
            (
                "an unknown token",
                Question(fields: Self.byToken("nobodys-token-12345"), status: 404, fileStatus: 200)
            ),
            ("a token that is none", Question(fields: Self.byToken("short"), status: 404)),
            ("health", Question(path: "/_health_check", status: 200)),
            ("an address", Question(fields: Self.byToken(Self.token), source: 66, status: 403)),
            ("no login", Question(fields: Self.byToken(Self.login), status: 401)),
            (
                "a password",
                Question(fields: Self.byToken(Self.login) + [Self.basic(Self.password)], status: 200)
            ),
            (
                "a wrong password",
                Question(fields: Self.byToken(Self.login) + [Self.basic("wrong")], status: 401)
            ),
            (
                "a bearer",
                Question(
                    fields: Self.byToken(Self.login) + ["Authorization: Bearer \(Self.bearer)"], status: 200)
            ),
            (
                "a body",
                Question(
                    method: "POST",
                    fields: Self.byToken(Self.login) + [Self.basic(Self.password), "Content-Length: 11"],
                    status: 413)
            ),
            ("X-Host", Question(fields: Self.byToken(Self.xHost) + ["X-Host: http://a.test"], status: 403)),
        ]
        for (place, question) in questions { try check(question, place) }
    }

    @Test func aTunnelThatIsDownABanAndALimitAreTheAgentsToTell() throws {
        // The burst is one: it is used up until a second is over, which may come at any time.
        let rated = Question(fields: Self.byToken(Self.rated), status: 429)
        var (told, real) = (0, 0)
        for _ in 0..<20 where !(told == 429 && real == 429) {
            _ = try realStatus(rated)
            told = try toldStatus(rated, isRunning: true)
            real = try realStatus(rated)
        }
        #expect(told == 429 && real == 429)
        #expect(try toldStatus(rated, isRunning: false) == 200)

        for number in 0..<6 {
            _ = try realStatus(
                Question(fields: Self.byToken("guessed-token-\(number)-more"), source: 9, status: 404))
        }
        try check(
            Question(fields: Self.byToken(Self.token), source: 9, status: 0, fileStatus: 200), "a ban")

        let text = try String(contentsOfFile: agent.configurationPath, encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        try agent.folder.write(
            lines.filter { !$0.contains("name: x-host") }.joined(separator: "\n"), to: "tunnels.yaml")
        let reload = try wstunnel(["reload", "--config", agent.configurationPath])
        #expect(try reload.waitForExit() == .code(0))
        try agent.waitForLog("Session left")
        try check(
            Question(fields: Self.byToken(Self.xHost), status: 504, fileStatus: 200), "a tunnel that is down")
    }

    @Test func peopleReadItStepByStep() throws {
        let result = try explain(
            Question(path: "/_token/\(Self.token)/a", status: 200), isRunning: true)
        #expect(result.exit == .code(0) && result.errors.isEmpty)
        for text in [
            "GET http://127.0.0.1:\(port)/_token/explaine.../a, by the running agent",
            "public: listens at that port (servers[public])", "explaine..., by /_token/ in the path",
            "of the server: addresses by allow-from and deny-from (servers[public].callers)",
            "X-Forwarded-For: 127.0.0.1",
            "is up: 1 session", "builtin:echo (tunnels[web])", "→ carried",
        ] {
            #expect(result.output.contains(text), "\(text): \(result.output)")
        }
        let refused = try explain(Question(host: "closed.test", status: 503), isRunning: false)
        #expect(
            refused.exit == .code(69) && refused.output.contains("closed.test leads to token explaine..."))
        #expect(refused.output.contains("maintenance is on") && refused.output.contains("→ refused 503"))
        #expect(refused.output.contains("of the server, name: ") && refused.output.contains(": --running"))
    }

    /// A wrong password or token that was explained has not been tried, and nothing of it is in the log.
    @Test func nothingIsTriedAndNothingIsLogged() throws {
        let lines = agent.log.count
        let wrong = Question(
            fields: Self.byToken(Self.login) + [Self.basic("wrong")], source: 7, status: 401)
        for _ in 0..<8 {
            #expect(try toldStatus(wrong, isRunning: true) == 401)
            let unknown = Question(
                fields: Self.byToken("guessed-token-\(UUID().uuidString)"), source: 7, status: 404)
            #expect(try toldStatus(unknown, isRunning: true) == 404)
        }
        let bans = try wstunnel(["bans", "--config", agent.configurationPath])
        #expect(try bans.waitForExit() == .code(0))
        #expect(bans.standardOutput.text == "nobody is banned\n")
        #expect(agent.log.count == lines, "\(agent.log.suffix(3))")
        #expect(try realStatus(wrong) == 401)
    }

    /// A listener that speaks TLS, and asks callers for certificates.
    @Test func whatAConnectionHasToBeIsTold() throws {
        let authority = try CertificateAuthority()
        let own = try authority.issue("server", name: "server")
        let alice = try authority.issue("alice", name: "alice")
        let port = try freePort()
        let secure = try AgentProcess(
            configuration: """
                servers:
                  - name: secure
                    host: 127.0.0.1
                    port: \(port)
                    public-url: https://tunnel.example.com
                    tls: { certfile: \(own.path), keyfile: \(own.keyPath), client-ca: \(authority.path), \
                client-certificates: required, tunnel-certificates: none }
                """)
        for (scheme, more, words, real) in [
            ("https", [], "refused 403", ["-k"]),
            (
                "https", ["--certificate", "alice"], "refused 404",
                ["-k", "--cert", alice.path, "--key", alice.keyPath]
            ),
            ("http", [], "refused 400", []),
        ] {
            let url = "\(scheme)://127.0.0.1:\(port)/"
            let curl = try curl(real + ["-H", "X-Token: \(Self.token)", url])
            #expect(words.hasSuffix(" \(curl.status)"), "\(url)")
            let program = try wstunnel(
                [
                    "explain", "GET", url, "--running", "-H", "X-Token: \(Self.token)", "-c",
                    secure.configurationPath,
                ] + more)
            #expect(try program.waitForExit() == .code(69))
            #expect(program.standardOutput.text.contains("→ \(words)"), "\(program.standardOutput.text)")
            #expect(program.standardOutput.text.contains(curl.text))
        }
        let front = try wstunnel(
            ["explain", "GET", "https://tunnel.example.com/_health_check", "-c", secure.configurationPath])
        #expect(try front.waitForExit() == .code(0))
        #expect(front.standardOutput.text.contains("secure: reached there by its public-url"))
    }

    @Test func whatMakesNoSenseIsToldWithAdvice() throws {
        func run(_ arguments: String...) throws -> ProgramResult {
            let program = try wstunnel(["explain"] + arguments)
            let exit = try program.waitForExit()
            return ProgramResult(
                exit: exit, output: program.standardOutput.text, errors: program.standardError.text)
        }
        let config = agent.configurationPath
        let wrong: [([String], String)] = [
            (["GET", "shop.test", "-c", config], "the URL begins with neither http:// nor https://"),
            (["GET IT", "http://a/", "-c", config], "the method is no word of HTTP"),
            (["GET", "http://a/", "-c", config, "--from", "nowhere"], "--from is no IP address"),
            (["GET", "http://a/", "-c", config, "--header", "nonsense"], "a header has no colon"),
            (
                ["GET", "http://a/", "-c", config, "--header", "@/none/there"],
                "cannot read the headers in /none/there"
            ),
            (["GET", "http://a/", "-c", config, "--server", "other"], "there is public"),
            (["GET", "http://a/"], "name the configuration"),
        ]
        for (arguments, words) in wrong {
            let program = try wstunnel(["explain"] + arguments)
            #expect(try program.waitForExit() == .code(64), "\(words)")
            #expect(program.standardError.text.contains(words), "\(program.standardError.text)")
        }
        let nobody = try run("GET", "http://127.0.0.1:1/", config)
        #expect(nobody.exit == .code(69))
        #expect(
            nobody.output.contains("none listens at 127.0.0.1:1")
                && nobody.output.contains("public at port \(port)"))
        let named = try run("GET", "http://shop.test/", config, "--server", "public")
        #expect(named.exit == .code(0) && named.output.contains("public: named by --server"))
        try agent.folder.write("servers: [{ name: public, prot: 1 }]\n", to: "bad.yaml")
        let bad = try run("GET", "http://a/", agent.folder.path(of: "bad.yaml"))
        #expect(bad.exit == .code(78) && bad.errors.contains("prot"))
    }
}
