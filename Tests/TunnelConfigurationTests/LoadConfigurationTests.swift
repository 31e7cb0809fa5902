import Foundation
import TestSupport
import Testing
import TunnelConfiguration
import TunnelProtocol

@Suite(.timeLimit(.minutes(1)))
struct LoadConfigurationTests {
    private let token = "a-token-of-the-tests"

    @Test func whatIsNotWrittenHasTheDocumentedDefault() throws {
        let report = load(
            "servers: [{ name: a }]\ntunnels: [{ name: b, tunnel: ws://h, server: builtin:echo, token: \(token) }]"
        )
        let expected = AgentConfiguration(
            servers: [ServerConfiguration(name: "a")],
            tunnels: [
                TunnelClientConfiguration(
                    name: "b", tunnel: TunnelURL(isSecure: false, host: "h", port: 80), origin: .echo,
                    token: try RendezvousToken(token))
            ])
        #expect(report.configuration == expected)
        #expect(report.problems.isEmpty)
    }

    @Test func everyValueArrives() throws {
        let machine = PretendMachine()
        machine.entries["/var/log"] = .folder
        machine.entries["/etc/wstunnel/run"] = .folder
        machine.entries["/srv/www"] = .folder
        machine.write(PretendMachine.certificate, to: "/etc/wstunnel/ca.pem")
        let report = load(
            """
            version: 1
            log: { level: debug, format: json, file: /var/log/agent.log }
            pidfile: run/agent.pid
            shutdown-grace: 5
            servers:
              - { name: a, host: "[::1]", port: 0, base-path: /x/, wstimeout: 3s, httptimeout: 1h,
                  queue-timeout: 0s, max-requests-per-tunnel: 1, max-clients-per-token: 3,
                  max-sessions-per-token: 2, max-sessions-per-address: 20000 }
            tunnels:
              - { name: b, tunnel: "wss://u:p@h:1/t", server: "file:///srv/www", regexp: "https://x", token: \(token),
                  password: pw, connections: 64, timeout: 600, insecure: no, certfile: ca.pem }
            """, machine)
        var server = ServerConfiguration(
            name: "a", host: "::1", port: 0, routes: .init(basePath: "/x"),
            times: .init(keepalive: .seconds(3), stall: .seconds(3600), queue: .zero),
            limits: .init(
                waitingPerToken: 1, clientsPerToken: 3, sessionsPerToken: 2, sessionsPerAddress: 20_000))
        server.trust.passwords = [:]
        let tunnel = TunnelClientConfiguration(
            name: "b",
            tunnel: TunnelURL(
                isSecure: true, host: "h", port: 1, basePath: "/t",
                credentials: BasicCredentials(user: "u", password: Secret("p"))),
            origin: .folder(path: "/srv/www"), hostPattern: try HostPattern(source: "https://x"),
            token: try RendezvousToken(token), password: Secret("pw"), connections: 64,
            timeout: .seconds(600),
            trust: PeerTrust(
                certificates: CertificateFile(
                    path: "/etc/wstunnel/ca.pem", pem: Array(PretendMachine.certificate.utf8))))
        #expect(
            report.configuration
                == AgentConfiguration(
                    log: LogConfiguration(
                        level: .debug, format: .json, destination: .file(path: "/var/log/agent.log")),
                    pidfile: "/etc/wstunnel/run/agent.pid", shutdownGrace: .seconds(5), servers: [server],
                    tunnels: [tunnel]))
        #expect(report.problems.isEmpty)
    }

    @Test func passwordsComeFromEveryPlaceAndAddUp() throws {
        let machine = PretendMachine.forFixtures()
        let text = try String(
            contentsOf: FixtureTests.folder.appending(path: "secrets.good.yaml"), encoding: .utf8)
        machine.write(text, to: "conf/tunnels.yaml")
        let report = loadConfiguration(at: "conf/tunnels.yaml", from: machine)
        let passwords = try #require(report.configuration?.servers.first?.trust.passwords)
        let readable = Dictionary(
            uniqueKeysWithValues: passwords.map { ($0.key.secret, Set($0.value.map(\.secret))) })
        #expect(
            readable == [
                "web-token-from-the-environment": ["web-password"],
                "web-token-from-a-file": ["new-password", "old"],
                "token-from-a-command": ["password-from-a-command"],
                "first-token-of-file": ["one", "two"],
                "other-token-of-file": ["a:b"],
            ])
    }

    @Test func aTokenIsSplitAtItsFirstColonWithAWarning() throws {
        let report = load(
            "tunnels: [{ name: b, tunnel: ws://h, server: builtin:echo, token: \"\(token):p:q\" }]")
        let tunnel = try #require(report.configuration?.tunnels.first)
        #expect(tunnel.token.secret == token)
        #expect(tunnel.password == Secret("p:q"))
        #expect(report.warningCount == 1)
    }

    @Test func anEntryOverridesDefaultsAndAWholeGroupOfTwins() throws {
        let machine = PretendMachine()
        machine.write("token-out-of-a-file", to: "/etc/wstunnel/t")
        let report = load(
            """
            defaults: { tunnel: { token: \(token), timeout: 40s, connections: 2, server: "builtin:echo" } }
            tunnels:
              - { name: a, tunnel: "ws://h", timeout: 50s }
              - { name: b, tunnel: "ws://h", token-file: t }
            """, machine)
        let tunnels = try #require(report.configuration?.tunnels)
        #expect(tunnels.map(\.timeout) == [.seconds(50), .seconds(40)])
        #expect(tunnels.map(\.connections) == [2, 2])
        #expect(tunnels.map(\.token.secret) == [token, "token-out-of-a-file"])
    }

    @Test func theMessagesReadAsDocumented() {
        let machine = PretendMachine()
        let head = String(repeating: "\n", count: 10)
        let text = """
            tunnels:
              - name: web
                tunnel: wss://wstun.example.com
                tokne: x
                server: builtin:echo
              - name: api
                tunnel: wss://wstun.example.com
                server: "ws://wstun.example.com"
                token: \(token)
              - { name: crm, tunnel: "wss://h", server: "builtin:echo", token: "${CRM_TOKEN}" }
            """
        machine.write(head + text, to: "tunnels.yaml")
        let report = loadConfiguration(at: "tunnels.yaml", from: machine)
        #expect(
            ProblemRendering.text(of: report) == """
                tunnels.yaml:14:5: tunnels[web]: unknown key "tokne" — did you mean "token"?
                tunnels.yaml:18:13: tunnels[api].server: "ws://wstun.example.com" is a tunnel address; "server" is \
                the local web server (http:// or https://). Did you swap "server" and "tunnel"?
                tunnels.yaml:20:68: tunnels[crm].token: ${CRM_TOKEN} is not set in the environment
                3 errors, 0 warnings

                """)
    }

    /// Whatever a variable holds, it is that text and nothing else.
    @Test func aVariableNeverChangesTheStructure() throws {
        var random = SplitMix64(seed: 0x76_61_72)
        print("seed \(random.seed)")
        let pieces = [
            "a", ": ", "\n", "- ", "{", "}", "[", "]", "\"", "'", "#", "&a", "*a", "!!int", "${X}", "$", "\\",
            "|",
            "---\n", "\t", "insecure: true", "ä", "\u{2028}", ", ",
        ]
        for _ in 0..<500 {
            let count = Int.random(in: 1...12, using: &random)
            let value = (0..<count).map { _ in pieces[Int.random(in: 0..<pieces.count, using: &random)] }
                .joined()
            let machine = PretendMachine()
            machine.environment = ["V": value]
            for quote in ["", "\"", "'"] {
                let report = load(
                    """
                    tunnels:
                      - { name: b, tunnel: "ws://h", server: "builtin:echo", token: \(token) }
                      - name: c
                        tunnel: ws://h
                        server: builtin:echo
                        token: \(token)
                        password: \(quote)<${V}>\(quote)
                    """, machine)
                // The one thing that a secret cannot hold.
                guard !value.unicodeScalars.contains(where: { $0 == "\n" || $0 == "\r" }) else {
                    #expect(report.problems.map(\.message) == ["the secret has more than one line"])
                    continue
                }
                let tunnels = try #require(report.configuration?.tunnels)
                #expect(tunnels.count == 2)
                #expect(tunnels[1].password == Secret("<\(value)>"))
                #expect(tunnels[1].trust.isInsecure == false)
            }
        }
    }

    @Test func aQuotedVariableCanBeANumber() {
        let machine = PretendMachine()
        machine.environment = ["PORT": "8081", "ON": "yes"]
        let report = load(
            """
            servers: [{ name: a, port: "${PORT}" }]
            tunnels: [{ name: b, tunnel: ws://h, server: builtin:echo, token: \(token), insecure: "${ON}" }]
            """, machine)
        #expect(report.configuration?.servers.first?.port == 8081)
        #expect(report.configuration?.tunnels.first?.trust.isInsecure == true)
    }

    @Test func offlineAsksForNothingButTheFile() throws {
        let machine = PretendMachine()
        let text =
            try String(contentsOf: FixtureTests.folder.appending(path: "secrets.good.yaml"), encoding: .utf8)
            + "tunnels: [{ name: b, tunnel: '${URL}', server: file:///none, certfile: x, token: '${T}' }]\n"
            + "pidfile: none/pid\nlog: { file: none/log }\n"
        machine.write(text, to: "/etc/wstunnel/tunnels.yaml")
        let report = loadConfiguration(
            at: "/etc/wstunnel/tunnels.yaml", from: machine, options: LoadingOptions(isOffline: true))
        #expect(machine.questions == ["file /etc/wstunnel/tunnels.yaml"])
        #expect(report.isValid)
        #expect(report.problems.isEmpty)
        #expect(report.configuration == nil)
    }

    @Test func offlineStillFindsMistakes() {
        let machine = PretendMachine()
        machine.write("servers: [{ name: a, port: '${P}', prot: 1, wstimeout: '${W:-1s}' }]", to: "/c")
        let report = loadConfiguration(at: "/c", from: machine, options: LoadingOptions(isOffline: true))
        #expect(report.problems.map(\.path) == ["servers[a]", "servers[a].wstimeout"])
    }

    @Test func eachFileAndCommandIsAskedForOnce() {
        let machine = PretendMachine()
        machine.commands[["t"]] = .success(token)
        let entries = (0..<50).map {
            "  - { name: t\($0), tunnel: ws://h, server: builtin:echo, token-command: [t], password-file: p }"
        }
        machine.write("password", to: "/etc/wstunnel/p")
        let report = load("tunnels:\n" + entries.joined(separator: "\n"), machine)
        #expect(report.configuration?.tunnels.count == 50)
        #expect(machine.questions.count { !$0.hasPrefix("variable ") } == 3)
    }

    @Test(arguments: [
        ("tunnel: wss://h, server: builtin:echo", "tunnels[a].tunnel"),
        ("tunnel: ws://h, server: 'https://o'", "tunnels[a].server"),
        ("tunnel: ws://h, server: 'http://o', regexp: 'https://o'", nil),
        ("tunnel: wss://h, server: builtin:echo, insecure: true", nil),
        ("tunnel: wss://h, server: builtin:echo, certfile: ca.pem", nil),
    ])
    func aMachineWithoutAuthoritiesVerifiesNobody(keys: String, path: String?) {
        let machine = PretendMachine()
        machine.entries = [:]
        machine.write(PretendMachine.certificate, to: "/etc/wstunnel/ca.pem")
        let text = """
            tunnels:
              - { name: a, token: \(token), \(keys) }
              - { name: b, token: \(token), \(keys) }
            """
        let report = load(text, machine)
        #expect(report.problems.map(\.path) == [path].compactMap(\.self))
        #expect(report.problems.first?.advice?.hasPrefix("install ca-certificates") != false)
        // A folder that the package of openssl leaves empty is as good as none.
        machine.entries["/etc/ssl/certs"] = .folder
        #expect(load(text, machine).problems == report.problems)
        machine.write("", to: "/etc/ssl/certs/a.pem")
        #expect(load(text, machine).problems.isEmpty)
    }

    @Test func aMissingFileIsOneProblemWithoutAPlace() {
        let report = loadConfiguration(at: "none.yaml", from: PretendMachine())
        #expect(
            report.problems.map(\.description) == [
                "none.yaml: cannot read the configuration: not found — name an existing file with --config"
            ])
    }

    @Test func aFileBeyondTheSizeLimitIsRefused() {
        let machine = PretendMachine()
        machine.entries["/c"] = .file(
            Array(repeating: 0x20, count: 10 * 1024 * 1024 + 1), isWorldReadable: false)
        let report = loadConfiguration(at: "/c", from: machine)
        #expect(report.problems.map(\.message) == ["the file is longer than 10 MiB"])
    }

    @Test func aFloodOfMistakesIsCountedButNotKept() {
        let keys = (0..<20_000).map { "unknown\($0): x" }
        let report = load(keys.joined(separator: "\n"))
        #expect(report.problems.count == 100)
        #expect(report.errorCount == 20_001)
        #expect(ProblemRendering.text(of: report).hasSuffix("and 19901 more\n20001 errors, 0 warnings\n"))
    }

    @Test func literalSecretsWarnOnlyInAWorldReadableFile() {
        let text = """
            servers: [{ name: a, passwords: [{ token: \(token), passwords: [x, "${P}"] }] }]
            tunnels: [{ name: b, tunnel: "ws://u:p@h", server: builtin:echo, token: "${T}" }]
            """
        for isWorldReadable in [true, false] {
            let machine = PretendMachine()
            machine.environment = ["P": "p", "T": token]
            machine.write(text, to: "/c", isWorldReadable: isWorldReadable)
            let report = loadConfiguration(at: "/c", from: machine)
            #expect(
                report.problems.map(\.path)
                    == (isWorldReadable
                        ? [
                            "servers[a].passwords[#1].token", "servers[a].passwords[#1].passwords[#1]",
                            "tunnels[b].tunnel",
                        ] : []))
            #expect(report.configuration != nil)
        }
    }

    @Test func jsonHoldsEveryProblem() throws {
        let report = load("servers: [{ name: \"a\\\"b\", port: x }]\n")
        let json = try JSONSerialization.jsonObject(with: Data(ProblemRendering.json(of: report).utf8))
        let object = try #require(json as? [String: Any])
        let problems = try #require(object["problems"] as? [[String: Any]])
        #expect(object["valid"] as? Bool == false)
        #expect(object["errors"] as? Int == 2)
        #expect(problems.map { $0["column"] as? Int } == [19, 33])
        #expect(problems.map { $0["severity"] as? String } == ["error", "error"])
        #expect(problems.map { $0["message"] as? String } == report.problems.map(\.message))
    }

    @Test func secretsPrintAsStars() {
        let server = ServerConfiguration(name: "a")
        var text = ""
        dump(Secret("hunter2"), to: &text)
        text += "\(Secret("hunter2")) \(String(reflecting: Secret("hunter2"))) \(server)"
        #expect(!text.contains("hunter2"))
    }

    private func load(_ text: String, _ machine: PretendMachine = PretendMachine()) -> ConfigurationReport {
        machine.write(text, to: "/etc/wstunnel/tunnels.yaml")
        return loadConfiguration(at: "/etc/wstunnel/tunnels.yaml", from: machine)
    }
}
