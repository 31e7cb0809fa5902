import Foundation
import TestSupport
import Testing

/// `-password-prompt` on a pseudo terminal, which python3 makes.
@Suite(.timeLimit(.minutes(1))) struct PasswordPromptTests {
    private static let token = "prompt-test-token-01"

    /// Runs a program on a terminal of its own, does one thing when it is asked for the password, and prints one line
    /// each: whether typing shows at the question, the wait status, whether typing shows at the end, whether the
    /// password could be read on the terminal.
    private static let script =
        pseudoTerminal + """
            def typing(): return "shown" if termios.tcgetattr(slave)[3] & termios.ECHO else "hidden"
            wait(b"Password of the tunnel: ", 20)
            print(typing())
            if action == "type":
                os.write(master, b"typed-password\\n")
                wait(b"Session ready", 20)
                os.kill(child, signal.SIGTERM)
            elif action == "terminate": os.kill(child, signal.SIGTERM)
            else: os.write(master, {"interrupt": b"\\x03", "end": b"\\x04", "empty": b"\\n"}[action])
            print(os.waitpid(child, 0)[1])
            print(typing())
            while select.select([master], [], [], 0)[0]: seen += os.read(master, 4096)
            print("told" if b"typed-password" in seen else "kept")
            """

    /// - Returns: the lines that the script prints.
    private static func run(_ action: String, port: Int) throws -> [String] {
        let program = try ChildProcess(
            [
                "python3", "-c", script, action, wstunnelPath(), "cli", "-tunnel", "ws://127.0.0.1:\(port)",
                "-server",
                "builtin:echo", "-password-prompt",
            ], environment: ProcessInfo.processInfo.environment.merging(["WSTUNNEL_TOKEN": token]) { $1 })
        let exit = try program.waitForExit(within: .seconds(50))
        #expect(exit == .code(0), "\(program.standardError.text)")
        return program.standardOutput.lines
    }

    @Test func aTypedPasswordOpensTheTunnelAndIsNotShown() throws {
        let server = try AgentProcess(
            arguments: ["srv", "-port", "0", "-host", "127.0.0.1"],
            environment: ["WSTUNNEL_PASSWORDS": "\(Self.token):typed-password"])
        let lines = try Self.run("type", port: server.port(ofServer: "srv"))
        #expect(lines == ["hidden", "0", "shown", "kept"])
    }

    @Test(arguments: [("interrupt", SIGINT), ("terminate", SIGTERM)])
    func aSignalAtThePromptGivesTheTerminalBackAndEnds(_ action: String, _ signal: Int32) throws {
        #expect(try Self.run(action, port: 1) == ["hidden", "\(signal)", "shown", "kept"])
    }

    @Test(arguments: ["end", "empty"]) func noPasswordIsAnError(_ action: String) throws {
        #expect(try Self.run(action, port: 1) == ["hidden", "\(2 << 8)", "shown", "kept"])
    }

    @Test func withoutATerminalItIsAClearError() throws {
        let program = try ChildProcess([
            "setsid", "-w", wstunnelPath(), "cli", "-tunnel", "ws://h", "-server", "http://h", "-token",
            Self.token,
            "-password-prompt",
        ])
        #expect(try program.waitForExit() == .code(2))
        #expect(
            program.standardError.text.hasPrefix(
                "wstunnel cli: -password-prompt: there is no terminal to ask on — use WSTUNNEL_PASSWORD or "
                    + "-password-file\n"))
    }
}
