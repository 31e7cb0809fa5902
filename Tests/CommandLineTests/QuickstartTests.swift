import Foundation
import TestSupport
import Testing

/// `examples/quickstart/run.sh` as a newcomer runs it, but with the program that is built already.
@Suite struct QuickstartTests {
    private static let script = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("examples/quickstart/run.sh").path

    /// For the agent's control socket: one agent runs by one configuration file, and these tests run at once.
    private let runtimeFolder: TemporaryFolder

    init() throws { runtimeFolder = try TemporaryFolder() }

    private func start(_ arguments: String..., port: Int) throws -> ChildProcess {
        var environment = ProcessInfo.processInfo.environment
        environment["WSTUNNEL_BINARY"] = try wstunnelPath()
        environment["WSTUNNEL_PORT"] = String(port)
        environment["RUNTIME_DIRECTORY"] = runtimeFolder.path
        return try ChildProcess([Self.script] + arguments, environment: environment)
    }

    private static func isOpen(_ port: Int) -> Bool {
        (try? HTTPConnection(port: port)) != nil
    }

    @Test(.timeLimit(.minutes(1))) func helpSaysWhatItDoesAndDoesNothing() throws {
        let port = try freePort()
        let run = try start("--help", port: port)
        #expect(try run.waitForExit() == .code(0))
        #expect(run.standardOutput.text.contains("Usage: examples/quickstart/run.sh [--once]"))
        #expect(!Self.isOpen(port))
    }

    @Test(.timeLimit(.minutes(1))) func onceShowsTheAnswersOfBothTunnelsAndLeavesNothingBehind() throws {
        let port = try freePort()
        let run = try start("--once", port: port)
        #expect(try run.waitForExit() == .code(0), "\(run.standardError.text)")
        let output = run.standardOutput.text
        #expect(output.contains("GET /hello?name=you"))
        #expect(output.contains("    How are you"))
        #expect(output.contains("fetched through a tunnel"))
        #expect(output.contains("All requests were answered as expected"))
        #expect(run.standardError.text.isEmpty)
        #expect(!Self.isOpen(port))
    }

    @Test(.timeLimit(.minutes(1))) func itStaysUpUntilItIsInterrupted() throws {
        let port = try freePort()
        let run = try start(port: port)
        try run.standardOutput.waitForLine(containing: "It stays up until Ctrl-C", within: .seconds(40))
        #expect(try curl("http://127.0.0.1:\(port)/_health_check").status == 200)
        run.send(signal: SIGINT)
        #expect(try run.waitForExit() == .code(0))
        #expect(!Self.isOpen(port))
    }

    @Test(.timeLimit(.minutes(1))) func aTakenPortIsToldInWords() throws {
        let listener = try ScriptedOrigin.echo()
        let run = try start("--once", port: listener.port)
        #expect(try run.waitForExit() == .code(1))
        #expect(run.standardError.text.contains("port \(listener.port) is taken"))
        #expect(run.standardError.text.contains("WSTUNNEL_PORT=\(listener.port + 1)"))
    }

    /// A program that says something and dies: that is all there is to wait for.
    @Test(.timeLimit(.minutes(1))) func anAgentThatDiesIsNoticedAndQuoted() throws {
        let program = try runtimeFolder.write(
            "#!/bin/sh\necho these are its last words >&2\nexit 3\n", to: "dies", mode: 0o755)
        let start = ContinuousClock.now
        let run = try ChildProcess(
            [Self.script, "--once"],
            environment: programEnvironment(["WSTUNNEL_BINARY": program, "WSTUNNEL_PORT": String(freePort())])
        )
        #expect(try run.waitForExit() == .code(1))
        // For an agent that lives, but does not come up, it waits 20 s.
        #expect(ContinuousClock.now - start < .seconds(15))
        let errors = run.standardError.text
        #expect(errors.contains("these are its last words"))
        #expect(errors.contains("it has ended (status 3)"))
    }

    /// Told before the minutes of a build that would fail for it in words of its own.
    @Test(.timeLimit(.minutes(1))) func aHomeThatCannotBeWrittenToIsTold() throws {
        var environment = ProcessInfo.processInfo.environment
        environment["WSTUNNEL_BINARY"] = nil
        environment["HOME"] = runtimeFolder.path(of: "none")
        let run = try ChildProcess([Self.script, "--once"], environment: environment)
        #expect(try run.waitForExit() == .code(2))
        #expect(run.standardError.text.contains("cannot be written to"))
        #expect(run.standardOutput.text.isEmpty)
    }
}
