import ArgumentParser
import Glibc
import GoCommands

/// Where the program starts: the commands of the Go program go their own way, with its flags.
@main
enum Program {
    static func main() async {
        Terminal.openMissingStreams()
        let arguments = ArgumentMemory.takeArguments()
        let rest = Array(arguments.dropFirst())
        switch arguments.first {
        case "srv": exit(await RunGoCommand(.srv).run(rest))
        case "cli": exit(await RunGoCommand(.cli).run(rest))
        case "connect": exit(await ConnectCommand().run(rest))
        case "whois": exit(WhoisCommand.run(rest))
        case "version", "-version", "--version", "-v":
            if rest.isEmpty { print(Version.text) } else { await run(["version"] + rest.map(withTwoDashes)) }
        case "help" where rest.count == 1 && usage(of: rest[0]) != nil:
            print(usage(of: rest[0]) ?? "", terminator: "")
        case "help" where rest.first.map({ !$0.hasPrefix("-") && !StrayWord.commands.contains($0) }) == true:
            refuse(rest[0], "the word behind help")
        case let word? where !word.hasPrefix("-") && !StrayWord.commands.contains(word): refuse(word)
        default: await run(arguments.map(withTwoDashes))
        }
    }

    private static func run(_ arguments: [String]) async {
        do {
            var command = try parse(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            WSTunnel.exit(withError: error)
        }
    }

    /// The parser looks for what is missing first; people are told first of what they have typed.
    private static func parse(_ arguments: [String]) throws -> any ParsableCommand {
        do {
            return try WSTunnel.parseAsRoot(arguments)
        } catch let error where WSTunnel.message(for: error) == ConfigurationFile.missing {
            _ = try WSTunnel.parseAsRoot(arguments + ["--config", "tunnels.yaml"])
            throw error
        }
    }

    /// Of the commands that read their flags themselves.
    private static func usage(of command: String) -> String? {
        command == "whois" ? WhoisArguments.usage : GoCommand(rawValue: command)?.usage
    }

    /// A first word that is no command. It is not repeated: it may be a token that lost its flag.
    private static func refuse(_ word: String, _ place: String = "the first argument") -> Never {
        var advice = ""
        if StrayWord.isConfigurationFile(word) {
            advice = ": did you mean \"wstunnel --config FILE\"?"
        } else if let command = StrayWord.command(for: word) {
            advice = ": did you mean \"wstunnel \(command)\"?"
        }
        Terminal.printToStandardError(
            """
            Error: \(place) is no command of wstunnel\(advice)
            Usage: wstunnel --config FILE, or one of wstunnel \(StrayWord.commands.joined(separator: ", ")); see wstunnel --help

            """)
        exit(ExitCode.validationFailure.rawValue)
    }

    /// Options are taken with one dash as well, as those of `srv` and `cli` are. One letter is a short option.
    private static func withTwoDashes(_ argument: String) -> String {
        guard argument.hasPrefix("-"), !argument.hasPrefix("--"),
            argument.dropFirst().prefix(while: { $0 != "=" }).count > 1
        else { return argument }
        return "-" + argument
    }
}
