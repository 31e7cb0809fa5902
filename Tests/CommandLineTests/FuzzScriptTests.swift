import Foundation
import TestSupport
import Testing

/// That `Tests/fuzz.sh` plays what it says, and sees what it looks for. It runs for long by hand.
@Suite struct FuzzScriptTests {
    private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("fuzz.sh").path

    private func fuzz(_ arguments: String...) throws -> ProgramResult {
        let script = try ChildProcess(["/bin/bash", Self.script, "--seed", "1"] + arguments)
        let exit = try script.waitForExit(within: .seconds(90))
        return ProgramResult(
            exit: exit, output: script.standardOutput.text, errors: script.standardError.text)
    }

    @Test(
        .timeLimit(.minutes(2)),
        arguments: ["server-v1", "server-v2", "client-v1", "client-v2", "callers"])
    func everyPlayerHasASession(player: String) throws {
        let result = try fuzz("--only", player, "--session", "1", "--binary", try wstunnelPath())
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
        #expect(result.output.contains("\(player)"))
        #expect(result.output.contains("ok: 1 sessions"))
    }

    @Test(.timeLimit(.minutes(2))) func aProgramThatEndsIsAFinding() throws {
        let folder = try TemporaryFolder()
        try withExtendedLifetime(folder) {
            let program = try folder.write("#!/bin/sh\nexit 3\n", to: "program", mode: 0o700)
            let kept = folder.path(of: "kept")
            let result = try fuzz("--only", "callers", "--binary", program, "--keep", kept)
            #expect(result.exit == .code(1))
            #expect(result.output.contains("FAILED at session 0: the server ended with status 3"))
            #expect(result.output.contains("--seed 1 --only callers"))
            #expect(FileManager.default.fileExists(atPath: "\(kept)/callers-1-0/server.yaml"))
        }
    }
}
