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
