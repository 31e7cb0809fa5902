import ArgumentParser
import Glibc
import GoCommands
import HostSystem
import NIOPosix
import TunnelClient
import TunnelConfiguration

/// `wstunnel connect`: standard input and output, and between them and the service behind a tunnel a connection.
struct ConnectCommand {
    private static let name = "wstunnel connect"

    /// - Parameter arguments: what follows the command.
    /// - Returns: the exit code: 0 where both directions ended in order.
    func run(_ arguments: [String]) async -> CInt {
        AgentRun.ignoreBrokenPipes()
        let surroundings = CommandSurroundings(
            secrets: RunGoCommand.takeSecrets(), workingFolder: RunGoCommand.workingFolder())
        switch GoCommand.connect.read(arguments, surroundings) {
        case .help(let usage):
            print(usage, terminator: "")
            return 0
        case .fault(let text):
            Terminal.printToStandardError(text)
            return RunGoCommand.badUsage
        case .plan(let plan):
            let (configuration, messages) = plan.load(from: SystemConfigurationSource.ofAgent())
            Terminal.printToStandardError(messages.text(for: Self.name))
            guard let tunnel = configuration?.tunnels.first else { return RunGoCommand.badUsage }
            return await connect(tunnel)
        }
    }

    private func connect(_ tunnel: TunnelClientConfiguration) async -> CInt {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let end = await ServiceConnection.run(
            tunnel, input: STDIN_FILENO, output: STDOUT_FILENO, software: Version.text, group: group)
        switch end {
        case .inOrder: return 0
        case .brokeOff(let words):
            Terminal.printToStandardError("\(Self.name): \(words)\n")
            return ExitStatus.failure.rawValue
        case .notReached(let words):
            Terminal.printToStandardError("\(Self.name): \(words)\n")
            return ExitStatus.down.rawValue
        }
    }
}
