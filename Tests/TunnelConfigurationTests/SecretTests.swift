import Testing
import TunnelConfiguration
import TunnelProtocol

/// What secrets bring along, wherever they come from, and those that are none.
@Suite struct SecretTests {
    private static let token = "token-of-the-secret-tests"
    private static let mark = "\u{feff}"

    /// One secret in one of the places where one can stand.
    enum Source: CaseIterable, Sendable {
        case literal, variable, file, command

        func machine(_ secret: String, _ key: String) -> (PretendMachine, line: String) {
            let machine = PretendMachine()
            switch self {
            case .literal:
                let escaped = secret.unicodeScalars.map {
                    "\\U" + String(repeating: "0", count: 8 - String($0.value, radix: 16).count)
                        + String($0.value, radix: 16)
                }
                return (machine, "\(key): \"\(escaped.joined())\"")
            case .variable:
                machine.environment["SECRET"] = secret
                return (machine, "\(key): \"${SECRET}\"")
            case .file:
                machine.write(secret, to: "secret")
                return (machine, "\(key)-file: secret")
            case .command:
                machine.commands[["prints"]] = .success(
                    secret.split(separator: "\n", omittingEmptySubsequences: false).first.map(String.init)
                        ?? "")
                return (machine, "\(key)-command: [prints]")
            }
        }
    }

    private static func tunnel(_ source: Source, _ secret: String, _ key: String) -> ConfigurationReport {
        let (machine, line) = source.machine(secret, key)
        let other = key == "token" ? "" : "token: \(token)"
        machine.write(
            """
            tunnels:
              - name: web
                tunnel: wss://t.example.com
                server: http://localhost
                \(line)
                \(other)
            """, to: "c")
        return loadConfiguration(at: "c", from: machine)
    }

    @Test(arguments: Source.allCases, ["\n", "\r\n", "\n\n", ""])
    func theEndOfALineIsNoPartOfASecret(_ source: Source, _ end: String) {
        #expect(
            Self.tunnel(source, Self.token + end, "token").configuration?.tunnels.first?.token.secret
                == Self.token)
        #expect(
            Self.tunnel(source, "pass word" + end, "password").configuration?.tunnels.first?.password
                == Secret("pass word"))
    }

    @Test(arguments: Source.allCases) func aByteOrderMarkIsNoPartOfASecret(_ source: Source) {
        let report = Self.tunnel(source, Self.mark + Self.token + "\n", "token")
        #expect(report.configuration?.tunnels.first?.token.secret == Self.token, "\(report.problems)")
        #expect(
            Self.tunnel(source, Self.mark + "pass", "password").configuration?.tunnels.first?.password
                == Secret("pass"))
    }

    @Test(
        arguments: Source.allCases,
        [" x", "x ", "x\t", "\u{a0}x", "x\u{a0}", "x\u{2003}", "x\u{feff}", "x \n"])
    func whiteSpaceAtAnEndIsAnError(_ source: Source, _ secret: String) {
        let report = Self.tunnel(source, secret, "password")
        #expect(report.configuration == nil)
        let end = secret.hasPrefix("x") ? "ends" : "starts"
        #expect(report.problems.map(\.message) == ["the secret \(end) with white space"])
    }

    @Test func thePasswordBehindATokensColonIsASecretToo() {
        let report = Self.tunnel(.literal, Self.token + ": hunter2", "token")
        #expect(report.configuration == nil)
        #expect(report.problems.contains { $0.message == "the secret starts with white space" })
    }

    @Test(arguments: [Source.literal, .variable]) func severalLinesAreAnError(_ source: Source) {
        let report = Self.tunnel(source, "one\nhunter2", "password")
        #expect(report.problems.map(\.message) == ["the secret has more than one line"])
    }

    @Test(arguments: Source.allCases, ["", "\n", "\u{feff}", "\u{feff}\r\n"])
    func nothingIsNoSecret(_ source: Source, _ secret: String) {
        let report = Self.tunnel(source, secret, "password")
        #expect(report.configuration == nil)
        #expect(report.problems.map(\.message).allSatisfy { $0.contains("empty") }, "\(report.problems)")
        #expect(report.errorCount == 1)
    }

    @Test func aPasswordsFileMayStartWithAByteOrderMark() throws {
        let machine = PretendMachine()
        machine.write("servers: [{ name: s, passwords-file: p }]", to: "c")
        machine.write("\u{feff}\(Self.token):one\r\n  # comment\n \t\n", to: "p")
        let report = loadConfiguration(at: "c", from: machine)
        #expect(report.problems.map(\.description) == [])
        #expect(
            report.configuration?.servers.first?.trust.passwords == [
                try RendezvousToken(Self.token): [Secret("one")]
            ])
    }

    // MARK: Placeholders

    static let placeholders = [
        "$TUNNEL_PASSWORD", "$A", "$(TUNNEL_PASSWORD)", "$(cat /run/secret)", "%TUNNEL_PASSWORD%",
        "{{ .Values.token }}",
        "{{password}}", "prefix-{{ password }}", "@TUNNEL_PASSWORD@", "<token>", "<your password>",
        "changeme", "changemechangeme", "changeme-changeme-chang", "PlaceholderPlaceholder",
        "CHANGE_ME", "change-me-please-now", "ChangeMe123", "replace-me", "your-token-goes-here",
        "xxxxxxxxxxxxxxxx",
        "****************", "null", "undefined", "TODO", "placeholder-token-0001",
    ]

    @Test(arguments: placeholders, Source.allCases)
    func whatLooksLikeNoSecretIsWarnedAbout(_ secret: String, _ source: Source) {
        let report = Self.tunnel(source, secret, "password")
        #expect(report.errorCount == 0, "\(report.problems)")
        let warnings = report.problems.filter { $0.path.hasPrefix("tunnels[web].password") }
        #expect(warnings.count == 1)
        #expect(!ProblemRendering.text(of: report, hasExcerpts: true).contains(secret))
    }

    @Test func aFileThatNobodyFilledInIsWarnedAbout() {
        #expect(Self.tunnel(.file, "${TUNNEL_PASSWORD}", "password").warningCount == 1)
    }

    @Test(arguments: [
        "my_b!g_$secret!!", "$secret", "a$NAME", "$NAME-x", "50%off%sale!", "%50%", "a<b>c", "{x}", "$(",
        "%%", "<>",
        "exchange-mechanics", "c-h-a-n-g-e-m-e", "nullify-the-noun", "password", "hunter2", "correct horse",
        "x1x1x1x1x1x1x1x1",
        "$1a2b3c",
        "f3b1c6a7d8e94f20", "changement-de-cap", "none", "@home@", "..", "xx",
    ])
    func whatMayBeASecretIsTaken(_ secret: String) {
        #expect(Self.tunnel(.variable, secret, "password").problems.map(\.description) == [])
    }

    @Test func everyPlaceForASecretIsLookedAt() {
        let machine = PretendMachine()
        machine.write("\(Self.token)-2:$PASSWORD\n", to: "p")
        machine.write(
            """
            servers:
              - name: s
                passwords-file: p
                passwords:
                  - { token: "<token-of-the-server>", passwords: [good, "%PASSWORD%"] }
                hosts:
                  - { host: h.example.com, token: "change-me-please-now" }
            tunnels:
              - { name: a, tunnel: "ws://user:$PASSWORD@h", server: "http://h", token: "your-token-goes-here" }
              - { name: b, tunnel: "ws://h", server: "http://h", token: "\(Self.token):{{password}}" }
              - { name: c, tunnel: "ws://h", server: "http://h", token: "\(Self.token)", proxy: "u:changeme@p" }
              - { name: d, enabled: false, tunnel: "ws://h", server: "http://h", token: "your-token-goes-here" }
            """, to: "c")
        let report = loadConfiguration(at: "c", from: machine)
        let places = report.problems.filter { $0.message.hasPrefix("the secret looks like") }.map(\.path)
        #expect(
            places.sorted() == [
                "servers[s].hosts[#1].token", "servers[s].passwords-file",
                "servers[s].passwords[#1].passwords[#2]",
                "servers[s].passwords[#1].token", "tunnels[a].token", "tunnels[a].tunnel", "tunnels[b].token",
                "tunnels[c].proxy",
            ])
        #expect(report.errorCount == 0, "\(report.problems)")
    }

    @Test(arguments: [
        "$THE_ADMIN_TOKEN_OF_IT", "{{ admin_token_of_all }}", "change-me-please-now", "<the admin's token>",
    ])
    func theAdminsTokenMustBeARealOne(_ token: String) {
        let machine = PretendMachine()
        machine.write("admin: { token: \"\(token)\" }\nservers: [{ name: s }]", to: "c")
        let report = loadConfiguration(at: "c", from: machine)
        #expect(report.configuration == nil)
        #expect(
            report.problems.contains {
                $0.severity == .error && $0.message.hasPrefix("the secret looks like")
            })
        #expect(!ProblemRendering.text(of: report, hasExcerpts: true).contains(token))
    }
}
