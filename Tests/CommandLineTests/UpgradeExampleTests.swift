import Foundation
import TestSupport
import Testing

/// `examples/upgrade/run.sh` as a reader runs it, but with the program that is built already.
@Suite struct UpgradeExampleTests {
    @Test(.timeLimit(.minutes(1))) func twoUpgradesFailNoRequestAndLeaveNothingBehind() throws {
        let script = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("examples/upgrade/run.sh").path
        let port = try freePort()
        let run = try ChildProcess(
            [script],
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
