import Foundation
import TestSupport
import Testing

/// `examples/upgrade/run.sh` as a reader runs it, but with the program that is built already.
@Suite struct UpgradeExampleTests {
    private static let script = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("examples/upgrade/run.sh").path

    @Test(.timeLimit(.minutes(1))) func aTakenPortIsToldInWordsAtOnce() throws {
        let listener = try ScriptedOrigin.echo()
        let folder = try TemporaryFolder()
        let start = ContinuousClock.now
        let run = try ChildProcess(
            [Self.script],
            environment: programEnvironment([
                "WSTUNNEL_BINARY": wstunnelPath(), "WSTUNNEL_PORT": String(listener.port),
                "RUNTIME_DIRECTORY": folder.path,
            ]))
        #expect(try run.waitForExit() == .code(1))
        // For an agent that lives, but does not come up, it waits 20 s.
        #expect(ContinuousClock.now - start < .seconds(15))
        #expect(run.standardError.text.contains("port \(listener.port) is taken"))
        #expect(run.standardError.text.contains("the address is in use"))
    }

    @Test(.timeLimit(.minutes(1))) func twoUpgradesFailNoRequestAndLeaveNothingBehind() throws {
        let port = try freePort()
        let run = try ChildProcess(
            [Self.script],
            environment: programEnvironment([
                "WSTUNNEL_BINARY": wstunnelPath(), "WSTUNNEL_PORT": String(port),
            ]))
        #expect(try run.waitForExit() == .code(0), "\(run.standardError.text)")
        let output = run.standardOutput.text
        #expect(output.contains("agent 3 runs"))
        #expect(output.contains(" requests answered, 0 failed"))
        #expect(run.standardError.text.isEmpty)
        #expect((try? HTTPConnection(port: port)) == nil)
    }
}
