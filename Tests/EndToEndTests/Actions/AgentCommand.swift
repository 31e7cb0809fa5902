import Foundation
import TestSupport

extension AgentProcess {
    /// Runs a command of the program for this agent.
    ///
    /// - Returns: its output and its exit.
    func command(_ arguments: String...) throws -> (exit: ChildProcess.Exit, output: String, errors: String) {
        let program = try wstunnel(arguments + ["--config", configurationPath])
        let exit = try program.waitForExit()
        return (exit, program.standardOutput.text, program.standardError.text)
    }

    /// The status as JSON.
    func statusObject() throws -> [String: Any] {
        let text = try command("status", "--format", "json").output
        return try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] ?? [:]
    }
}
