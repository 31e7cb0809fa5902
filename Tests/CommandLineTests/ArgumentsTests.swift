import Foundation
import TestSupport
import Testing

/// What can be typed.
@Suite(.timeLimit(.minutes(1))) struct ArgumentsTests {
    @Test(arguments: [["--help"], ["-h"], ["help"]])
    func helpTellsTheCommandsAndEndsWell(_ arguments: [String]) throws {
        let program = try wstunnel(arguments)
        #expect(try program.waitForExit() == .code(0))
        let text = program.standardOutput.text
        for word in ["USAGE", "--config", "check", "run", "srv", "cli", "whois", "version"] {
            #expect(text.contains(word))
        }
        #expect(program.standardError.text.isEmpty)
    }

    @Test func helpOfACommandTellsItsOptions() throws {
        let result = try runProgram("check", "--help")
        #expect(result.exit == .code(0))
        for word in ["--config", "--format", "--offline", "78"] { #expect(result.output.contains(word)) }
    }

    @Test func versionIsOneLine() throws {
        let result = try runProgram("--version")
        #expect(result.exit == .code(0))
        #expect(result.output.wholeMatch(of: /wstunnel [0-9]+\.[0-9]+\.[0-9]+[^\n]*\n/) != nil)
    }

    @Test(arguments: [
        [], ["--nonsense"], ["--config"], ["check"], ["check", "--config", "x", "--format", "xml"],
        ["--config", "x", "surplus"], ["run"], ["server"], ["tunnels.yaml"],
    ])
    func wrongUsageIsExplainedAndExits64(_ arguments: [String]) throws {
        let program = try wstunnel(arguments)
        #expect(try program.waitForExit() == .code(64))
        #expect(program.standardError.text.contains("Error:"))
        #expect(program.standardError.text.lowercased().contains("usage:"))
        #expect(program.standardOutput.text.isEmpty)
    }

    @Test func everyCommandIsListed() throws {
        let help = try runProgram("--help").output
        let refusal = try runProgram("nonsense").errors
        for command in [
            "run", "check", "plan", "show", "status", "reload", "schema", "srv", "cli", "whois", "version",
            "help",
        ] {
            #expect(
                help.contains(try Regex("\n  \(command)[ \n]")) || command == "help", "\(command) in help")
            #expect(refusal.contains(try Regex("[ ,]\(command)[,;]")), "\(command) in \(refusal)")
        }
        #expect(help.contains("help <subcommand>"))
    }

    @Test(arguments: ["srv", "cli", "whois"]) func helpKnowsTheCommandsOfTheGoProgram(_ command: String)
        throws
    {
        let help = try runProgram("help", command)
        #expect(help.exit == .code(0))
        #expect(help.output == (try runProgram(command, "-h")).output)
    }

    @Test func theShortVersionIsOneLine() throws {
        let result = try runProgram("-v")
        #expect(result.exit == .code(0))
        #expect(result.output == (try runProgram("--version")).output)
    }

    @Test(arguments: [
        ("statsu", "status"), ("chekc", "check"), ("ver", "version"), ("serv", "srv"), ("serve", "srv"),
        ("client", "cli"), ("up", "run"),
    ])
    func aMistypedCommandIsGuessed(_ word: String, _ command: String) throws {
        let result = try runProgram(word, "--config", "x")
        #expect(result.exit == .code(64))
        #expect(
            result.errors.hasPrefix(
                "Error: the first argument is no command of wstunnel: did you mean \"wstunnel \(command)\"?\n"
            ))
        #expect(!result.errors.contains(word + "\""))
    }

    @Test func aMistypedCommandBehindHelpIsGuessed() throws {
        let result = try runProgram("help", "statsu")
        #expect(result.exit == .code(64))
        #expect(
            result.errors.hasPrefix(
                "Error: the word behind help is no command of wstunnel: did you mean \"wstunnel status\"?\n"))
    }

    /// As libraries do that are loaded into every program.
    @Test(.enabled(if: access("/usr/bin/cc", X_OK) == 0))
    func argumentsAreFoundWhereTheEnvironmentWasMoved() throws {
        let folder = try TemporaryFolder()
        let source = try folder.write(
            """
            extern char **environ;
            static char *copy[] = {"A=1", 0};
            __attribute__((constructor)) static void move(void) { environ = copy; }
            """, to: "move.c")
        let library = folder.path(of: "move.so")
        #expect(
            try ChildProcess(["cc", "-shared", "-fPIC", "-o", library, source]).waitForExit() == .code(0))
        let result = try runProgram("--version", environment: ["LD_PRELOAD": library])
        #expect(result.exit == .code(0), "\(result.errors)")
        #expect(result.output.hasPrefix("wstunnel "))
        let program = try wstunnel(
            [
                "cli", "-token", "hidden-token-0001", "-tunnel", "ws://127.0.0.1:1", "-server",
                "http://127.0.0.1:1",
            ],
            environment: ["LD_PRELOAD": library])
        try program.standardError.waitForLine(containing: "Agent running")
        let shown = try String(contentsOfFile: "/proc/\(program.processID)/cmdline", encoding: .utf8)
        #expect(shown.contains("-token\0***") && !shown.contains("hidden-token"))
    }

    @Test func aFirstWordIsNotRepeated() throws {
        let result = try runProgram("a-token-that-lost-its-flag")
        #expect(result.exit == .code(64))
        #expect(!result.errors.contains("a-token"))
        #expect(try runProgram("tunnels.yaml").errors.contains("did you mean \"wstunnel --config FILE\"?"))
    }

    @Test(arguments: [
        ["check", "FILE"], ["check", "-config", "FILE"], ["check", "-config=FILE"], ["check", "-c", "FILE"],
        ["check", "FILE", "-offline"], ["check", "-format", "text", "FILE"], ["show", "FILE"],
        ["show", "-config", "FILE"],
        ["plan", "FILE", "-against", "FILE"],
    ])
    func aFileCanBeNamedAsPeopleDo(_ arguments: [String]) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(serverAlone, to: "tunnels.yaml")
        let program = try wstunnel(arguments.map { $0.replacing("FILE", with: path) })
        #expect(try program.waitForExit() == .code(0), "\(program.standardError.text)")
        #expect(!program.standardOutput.text.isEmpty)
    }

    @Test(arguments: [["-config", "FILE"], ["-config=FILE"], ["run", "FILE"], ["run", "-config", "FILE"]])
    func anAgentStartsFromAFileNamedSo(_ arguments: [String]) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(serverAlone, to: "tunnels.yaml")
        let program = try wstunnel(arguments.map { $0.replacing("FILE", with: path) })
        try program.standardError.waitForLine(containing: "Agent running")
        program.send(signal: SIGTERM)
        #expect(try program.waitForExit() == .code(0))
    }

    @Test func aFileIsNamedOnce() throws {
        let result = try runProgram("check", "--config", "a", "b")
        #expect(result.exit == .code(64))
        #expect(result.errors.contains("named twice"))
    }

    @Test(arguments: [[], ["check"], ["show"], ["status"], ["plan"], ["reload"], ["run"]])
    func unknownOptionsAreToldBeforeMissingOnes(_ command: [String]) throws {
        let program = try wstunnel(command + ["--nonsense"])
        #expect(try program.waitForExit() == .code(64))
        #expect(program.standardError.text.contains("--nonsense"), "\(program.standardError.text)")
        #expect(program.standardError.text.split(separator: "\n").count <= 4)
    }

    @Test(arguments: ["bash", "zsh", "fish"]) func completionsKnowEveryCommand(_ shell: String) throws {
        let result = try runProgram("--generate-completion-script", shell)
        #expect(result.exit == .code(0))
        for word in [
            "check", "status", "srv", "cli", "whois", "version", "max-clients-per-token", "client-ports",
        ] {
            #expect(result.output.contains(word), "\(word)")
        }
    }

    @Test(arguments: [["--config"], ["-c"], ["run", "--config"], ["check", "--config"]])
    func aMissingFileIsNamedAndExits78(_ arguments: [String]) throws {
        let program = try wstunnel(arguments + ["/nowhere/tunnels.yaml"])
        #expect(try program.waitForExit() == .code(78))
        #expect(
            program.standardError.lines.first
                == "/nowhere/tunnels.yaml: cannot read the configuration: not found — name an existing file with --config"
        )
    }
}
