import GoCommands
import Testing
import TunnelConfiguration
import TunnelProtocol

/// Command lines that start nothing, with all that is wrong with them.
@Suite struct CommandErrorTests {
    private static let cli = ["-tunnel", "ws://h", "-server", "http://localhost"]
    private static let token = ["-token", "a-token-of-the-tests"]

    struct Example: CustomTestStringConvertible, Sendable {
        var command = GoCommand.cli
        let arguments: [String]
        var secrets: [String: String] = [:]
        let errors: [String]
        var testDescription: String { "\(command.rawValue) \(arguments.joined(separator: " "))" }
    }

    @Test(arguments: [
        Example(
            arguments: [],
            errors: [
                "-tunnel is missing — name the tunnel server, such as wss://tunnel.example.com",
                "neither -server nor -regexp is given, so no request could go anywhere — add -server "
                    + "http://localhost:8080, or a -regexp of the X-Host values to allow",
                "-token is missing — give the token by -token, -token-file or WSTUNNEL_TOKEN",
            ]),
        Example(
            arguments: token + ["-tunnel", "http://localhost", "-server", "ws://h"],
            errors: [
                "-tunnel: \"http://localhost\" is a web address; \"tunnel\" is the tunnel server (ws:// or wss://) — "
                    + "write ws://, or did you swap \"server\" and \"tunnel\"?",
                "-server: \"ws://h\" is a tunnel address; \"server\" is the local web server (http:// or https://). "
                    + "Did you swap \"server\" and \"tunnel\"?",
            ]),
        Example(
            arguments: cli + token + ["-log-level", "loud"],
            errors: ["-log-level: \"loud\" is unknown — write one of trace, debug, info, warn, error"]),
        Example(
            arguments: cli + token + ["-client-ports", "8100..8000"],
            errors: ["-client-ports: the range \"8100..8000\" is upside down — write 8000..8100"]),
        Example(
            arguments: cli + token + ["-client-ports", "8000..70000"],
            errors: [
                "-client-ports: \"8000..70000\" is out of range — write ports from 1 to 65535, or leave them out for "
                    + "any port"
            ]),
        Example(
            arguments: cli + ["-token", "short"],
            errors: ["-token: the token has 5 characters — choose one of 16 or more"]),
        Example(
            arguments: cli, secrets: ["WSTUNNEL_TOKEN": "short"],
            errors: ["WSTUNNEL_TOKEN: the token has 5 characters — choose one of 16 or more"]),
        Example(
            arguments: cli + ["-token", ":password"],
            errors: ["-token: there is no token before the colon — write token:password"]),
        Example(
            arguments: cli + token + ["-proxy", "socks5://u:hunter2@proxy"],
            errors: [
                "-proxy: \"socks5://***@proxy\" is not supported: wstunnel speaks plain HTTP to proxies — write "
                    + "http://host:port; the tunnel inside it is encrypted all the same with wss://"
            ]),
        Example(
            arguments: cli + token + ["-certfile", "none.pem"],
            errors: ["-certfile: cannot read \"/folder/none.pem\": not found — create it or correct the path"]
        ),
        Example(
            arguments: cli + token + [
                "-statusfile", "/nowhere/x", "-logfile", "/nowhere/y", "-pidfile", "/nowhere/z",
            ],
            errors: [
                "-logfile: the folder \"/nowhere\" does not exist — create it or correct the path",
                "-pidfile: the folder \"/nowhere\" does not exist — create it or correct the path",
                "-statusfile: the folder \"/nowhere\" does not exist — create it or correct the path",
            ]),
        Example(
            arguments: cli + token + ["-insecure", "false", "-timeout", "9"],
            errors: [
                "argument 8 is no flag, so the flags behind it would not count — remove it; on-off flags are written "
                    + "-flag or -flag=false"
            ]),
        Example(
            arguments: cli + token + ["-token-file", "t"],
            errors: ["-token and -token-file are both given — keep one of them"]),
        Example(
            arguments: cli + ["-token", "a-token-of-the-tests:p", "-password-prompt", "-password-file", "f"],
            errors: [
                "the password comes from more than one place: -token (behind the colon), -password-file, "
                    + "-password-prompt — keep one of them"
            ]),
        Example(
            arguments: cli, secrets: ["WSTUNNEL_TOKEN": "a-token-of-the-tests:p", "WSTUNNEL_PASSWORD": "q"],
            errors: [
                "the password comes from more than one place: WSTUNNEL_TOKEN (behind the colon), WSTUNNEL_PASSWORD — "
                    + "keep one of them"
            ]),
        Example(
            command: .srv,
            arguments: ["-port", "70000", "-host", "a b", "-base-path", "/a//b"],
            errors: [
                "-host: \"a b\" is no address — write an IP address or a host name, 0.0.0.0 for all",
                "-port: 70000 is out of range — write a whole number from 0 to 65535",
                "-base-path: \"/a//b\" is no plain path — write one like /wstunnel",
            ]),
        Example(
            command: .srv, arguments: ["-passwords", "hunter2,token-number-0001:,:hunter2"],
            errors: [
                "-passwords, pair 1: there is no colon — write token:password; a password with a comma needs "
                    + "-passwords-file",
                "-passwords, pair 2: the password is empty — write token:password",
                "-passwords, pair 3: the token is empty — write token:password",
            ]),
        Example(
            command: .srv, arguments: [], secrets: ["WSTUNNEL_PASSWORDS": "hunter2"],
            errors: [
                "WSTUNNEL_PASSWORDS, pair 1: there is no colon — write token:password; a password with a comma needs "
                    + "-passwords-file"
            ]),
        Example(
            command: .srv, arguments: ["-passwords", "token-number-0001:p", "-passwords-file", "f"],
            errors: [
                "-passwords and -passwords-file are both given — keep one of them",
                "-passwords-file: cannot read \"/folder/f\": not found — create it or correct the path",
            ]),
    ]) func everythingWrongIsToldAtOnce(_ example: Example) {
        let result = read(example.command, example.arguments, secrets: example.secrets)
        #expect(result.configuration == nil)
        #expect(result.errors == example.errors)
        #expect(!(result.errors + result.warnings).joined().contains("hunter2"))
    }

    /// Passwords where they do not belong, and URLs with characters that had to be encoded.
    @Test(arguments: [
        "-tunnel ws://u:hunter2#x@h", "-tunnel ws://u:hunter2/x@h", "-tunnel ws://u:hunter2?x@h",
        "-tunnel u:hunter2@h",
        "-tunnel wss://u:hunter2@h:99999", "-tunnel wss://u:hunter2", "-tunnel http://u:hunter2@h",
        "-server http://u:hunter2@h", "-server ws://u:hunter2@h", "-proxy socks5://u:hunter2@h",
        "-proxy http://u:hunter2@h/path", "-proxy u:hunter2", "-token hunter2", "-token=hunter2:hunter2",
        "-token :hunter2", "-token hunter2-is-no-é-token", "-password hunter2",
        "-tunnel=ws://h -hunter2-hunter2",
    ]) func noMessageHoldsASecret(_ line: String) {
        let arguments = line.split(separator: " ").map(String.init)
        switch GoCommand.cli.read(arguments, CommandSurroundings()) {
        case .fault(let text):
            #expect(!text.contains("hunter2-hunter2"))
            #expect(!text.contains("hunter2") || line.contains(" -hunter2"))
        case .plan(let plan):
            let (configuration, messages) = plan.load(from: StillMachine())
            #expect(configuration == nil)
            #expect(!messages.errors.isEmpty)
            #expect(!messages.text(for: "wstunnel cli").contains("hunter2"), "\(messages)")
        case .help: Issue.record("help")
        }
    }

    @Test func aBadPatternIsAnError() {
        let result = read(.cli, Self.cli + Self.token + ["-regexp", "https://(a"])
        #expect(result.configuration == nil)
        #expect(result.errors.count == 1)
        #expect(result.errors.first?.hasPrefix("-regexp: ") == true)
    }

    @Test func secretsOnTheCommandLineAreOneWarning() {
        let arguments =
            ["-tunnel", "ws://u:p@h", "-server", "http://localhost", "-proxy", "u:p@proxy"] + Self.token
        let warnings = read(.cli, arguments).warnings
        #expect(warnings.count == 1)
        #expect(
            warnings.first?.hasPrefix("a secret stands on the command line (-proxy, -token, -tunnel), where")
                == true)
        let quiet = read(.cli, Self.cli, secrets: ["WSTUNNEL_TOKEN": "a-token-of-the-tests"])
        #expect(quiet.warnings == [])
    }

    @Test func aFlagOutdoesAVariableAndSaysSo() throws {
        let machine = StillMachine(files: ["/folder/p": "from-the-file"])
        let result = read(
            .cli, Self.cli + Self.token + ["-password-file", "p"],
            secrets: ["WSTUNNEL_TOKEN": "another-token-of-the-tests", "WSTUNNEL_PASSWORD": "x"], machine)
        #expect(result.errors == [])
        #expect(result.warnings.contains("WSTUNNEL_TOKEN is not used: a flag gives the token"))
        #expect(result.warnings.contains("WSTUNNEL_PASSWORD is not used: a flag gives the password"))
        #expect(result.configuration?.tunnels.first?.token.secret == "a-token-of-the-tests")
        #expect(result.configuration?.tunnels.first?.password == Secret("from-the-file"))
    }

    @Test func anEmptyVariableIsNone() {
        let result = read(
            .cli, Self.cli + Self.token, secrets: ["WSTUNNEL_TOKEN": "", "WSTUNNEL_PASSWORD": ""])
        #expect(result.warnings.count == 1)
        #expect(result.configuration?.tunnels.first?.password == .some(nil))
    }

    @Test func messagesEndWithWhereToReadOn() {
        guard case .plan(let plan) = GoCommand.cli.read([], CommandSurroundings()) else { return }
        let text = plan.load(from: StillMachine()).messages.text(for: "wstunnel cli")
        #expect(text.hasPrefix("wstunnel cli: -tunnel is missing — "))
        #expect(text.hasSuffix("\nSee \"wstunnel cli -h\".\n"))
    }

    /// Without flags before them: another command was meant, and nothing is missing.
    @Test(
        arguments: GoCommand.allCases,
        [
            ("help", "did you mean \"wstunnel COMMAND -h\"?"),
            ("status", "did you mean \"wstunnel status\"?"),
            ("version", "did you mean \"wstunnel version\"?"),
            ("statsu", "did you mean \"wstunnel status\"?"),
            ("cli", "did you mean \"wstunnel cli\"?"), ("pidfiel", "did you mean -pidfile?"),
            ("tunnels.yaml", "did you mean \"wstunnel --config FILE\"?"),
            ("a-token-that-lost-its-flag", "remove it"),
            ("false", "remove it; on-off flags are written -flag or -flag=false"), ("x", "remove it"),
            ("", "remove it"),
        ]) func aWordAloneIsAnError(_ command: GoCommand, _ example: (word: String, advice: String))
    {
        // Of three commands one has no such flag.
        guard command != .connect || example.word != "pidfiel" else { return }
        guard case .fault(let text) = command.read([example.word], CommandSurroundings()) else {
            Issue.record("no fault")
            return
        }
        let advice = example.advice.replacing("COMMAND", with: command.rawValue)
        #expect(
            text == """
                wstunnel \(command.rawValue): argument 1 is no flag — \(advice)
                Usage: wstunnel \(command.rawValue) [flags]
                See "wstunnel \(command.rawValue) -h" for the flags.

                """)
    }

    @Test func aWordBehindFlagsIsAnErrorAmongTheOthers() {
        let result = read(.srv, ["-port", "70000", "stop"])
        #expect(result.configuration == nil)
        #expect(
            result.errors == [
                "argument 3 is no flag — remove it",
                "-port: 70000 is out of range — write a whole number from 0 to 65535",
            ])
    }

    @Test func aPasswordsFileWithoutAnEntryStartsNothing() {
        let machine = StillMachine(files: ["/folder/p": "# later\n\n"])
        let result = read(.srv, ["-passwords-file", "p"], machine)
        #expect(result.configuration == nil)
        #expect(
            result.errors == [
                "-passwords-file: \"/folder/p\" holds no token:password, so no token would need a password — put a line "
                    + "into it, or take the key out"
            ])
    }

    @Test func aBadFlagShowsTheUsage() {
        guard case .fault(let text) = GoCommand.srv.read(["-prot", "80"], CommandSurroundings()) else {
            Issue.record("no fault")
            return
        }
        #expect(
            text.hasPrefix(
                "wstunnel srv: \"-prot\" is no flag of wstunnel srv: did you mean -port?\nUsage: "))
        #expect(text.split(separator: "\n").count == 3)
    }
}
