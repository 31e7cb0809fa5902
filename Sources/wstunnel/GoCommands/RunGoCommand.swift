import Glibc
import GoCommands
import HostSystem
import TunnelConfiguration

/// `wstunnel srv` and `wstunnel cli`.
struct RunGoCommand {
    private let command: GoCommand
    /// What Go's flag package exits with.
    static let badUsage: CInt = 2

    init(_ command: GoCommand) { self.command = command }

    /// - Parameter arguments: what follows the command.
    /// - Returns: the exit code.
    func run(_ arguments: [String]) async -> CInt {
        let surroundings = CommandSurroundings(
            secrets: Self.takeSecrets(), workingFolder: Self.workingFolder())
        switch command.read(arguments, surroundings) {
        case .help(let usage):
            print(usage, terminator: "")
            return 0
        case .fault(let text):
            Terminal.printToStandardError(text)
            return Self.badUsage
        case .plan(var plan):
            let name = command.flags.command
            if plan.needsPassword, !plan.isPrinted, plan.messages.errors.isEmpty {
                do throws(PasswordPromptError) {
                    plan.set(password: try PasswordPrompt.ask("Password of the tunnel: "))
                } catch {
                    Terminal.printToStandardError(
                        "\(name): -password-prompt: \(error)\nSee \"\(name) -h\".\n")
                    return Self.badUsage
                }
            }
            guard !plan.isPrinted else { return Self.printed(plan, name) }
            return await AgentRun.run(named: name, badUsage: Self.badUsage) { [plan] commands in
                let (configuration, messages) = plan.load(
                    from: SystemConfigurationSource.ofAgent(commands: commands))
                Terminal.printToStandardError(messages.text(for: name))
                return configuration
            }
        }
    }

    /// Prints the `tunnels.yaml` that does the same.
    private static func printed(_ plan: CommandPlan, _ name: String) -> CInt {
        let (configuration, messages) = plan.load(from: SystemConfigurationSource.ofAgent())
        Terminal.printToStandardError(messages.text(for: name))
        guard configuration != nil else { return badUsage }
        print(plan.text, terminator: "")
        return 0
    }

    /// Takes secrets out of the environment, which children would inherit, and out of `/proc/PID/environ`.
    static func takeSecrets() -> [String: String] {
        var secrets: [String: String] = [:]
        for name in CommandSurroundings.secretVariables {
            guard let value = getenv(name) else { continue }
            secrets[name] = String(cString: value)
            memset(value, 0, strlen(value))
            unsetenv(name)
        }
        return secrets
    }

    static func workingFolder() -> String? {
        guard let folder = getcwd(nil, 0) else { return nil }
        defer { free(folder) }
        return String(cString: folder)
    }
}
