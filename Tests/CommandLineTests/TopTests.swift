import Foundation
import TestSupport
import Testing

/// `top` on a pseudo terminal, which python3 makes.
@Suite(.timeLimit(.minutes(1))) struct TopTests {
    /// Runs a program on a terminal of 100 columns, does things, and prints: whether keys are taken raw while it runs, the wait
    /// status, whether the terminal is as before, and what it saw last.
    private static let script =
        pseudoTerminal + """
            wait(b"\\x1b[?1049h", 30)
            wait(b"server public", 30)
            wait(b"\\x1b[J", 30)
            print("raw" if not termios.tcgetattr(slave)[3] & (termios.ECHO | termios.ICANON) else "cooked")
            if action == "resize":
                resize(30, 5)
                wait("q quit  / filter  Enter detai…".encode(), 30)
                os.write(master, b"/web")
                wait(b"filter: web_", 30)
                os.write(master, b"\\r\\x1b[B\\r")
                wait(b"Esc back", 30)
                os.write(master, b"q")
            elif action == "agent":
                os.kill(int(os.environ["AGENT"]), signal.SIGKILL)
                wait(b"no agent runs by", 30)
                os.write(master, b"q")
            elif action == "terminate": os.kill(child, signal.SIGTERM)
            else: os.write(master, {"quit": b"q", "interrupt": b"\\x03"}[action])
            wait(b"\\x1b[?7h\\x1b[?25h\\x1b[?1049l", 30)
            print(os.waitpid(child, 0)[1])
            print("as before" if termios.tcgetattr(slave) == before else "changed")
            """

    private let agent: AgentProcess

    init() throws {
        agent = try AgentProcess(
            configuration: pairConfiguration(
                port: try freePort(), origin: "builtin:echo", token: "top-command-token-1",
                tunnel: "connections: 1"))
        try agent.waitForSession(ofTunnel: "web")
    }

    @Test(arguments: [
        ("quit", 0), ("interrupt", 0), ("terminate", SIGTERM), ("resize", 0), ("agent", 0),
    ])
    func theTerminalIsGivenBackHoweverItEnds(_ action: String, _ status: Int32) throws {
        let program = try ChildProcess(
            [
                "python3", "-c", Self.script, action, try wstunnelPath(), "top", "--interval", "200ms",
                agent.configurationPath,
            ],
            environment: try programEnvironment(["AGENT": "\(agent.process.processID)", "TERM": "xterm"]))
        let exit = try program.waitForExit(within: .seconds(50))
        #expect(exit == .code(0), "\(program.standardError.text)")
        #expect(program.standardOutput.lines == ["raw", "\(status)", "as before"])
    }

    @Test func aPipeGetsATableAgainAndAgain() throws {
        let program = try wstunnel(["top", "--interval", "200ms", "--config", agent.configurationPath])
        for _ in 0..<3 {
            let seen = program.standardOutput.lines.count
            try program.standardOutput.waitForLine(containing: "1 server, 1 tunnel", from: seen)
        }
        #expect(!program.standardOutput.text.contains("\u{1b}"))
        program.send(signal: SIGINT)
        #expect(try program.waitForExit() == .signal(SIGINT))
        #expect(program.standardError.text.isEmpty)
        let none = try runProgram("top", "--config", "none.yaml")
        #expect(none.exit == .code(1) && none.errors.contains("no agent runs by none.yaml"))
        #expect(try runProgram("top", "--interval", "1ms", "--config", "none.yaml").exit == .code(64))
    }
}
