import ArgumentParser
import Glibc
import GoCommands

/// Where the program starts: the commands of the Go program go their own way, with its flags.
@main
enum Program {
    static func main() async {
        Terminal.openMissingStreams()
        let arguments = ArgumentMemory.takeArguments()
        switch arguments.first {
        case "srv": exit(await RunGoCommand(.srv).run(Array(arguments.dropFirst())))
        case "cli": exit(await RunGoCommand(.cli).run(Array(arguments.dropFirst())))
        case "whois": exit(WhoisCommand.run(Array(arguments.dropFirst())))
        case "version", "-version": print(Version.text)
        case let word? where !word.hasPrefix("-") && !otherCommands.contains(word):
            // The word is not repeated: it may be a token that lost its flag.
            Terminal.printToStandardError(
                """
                Error: the first argument is no command of wstunnel
                Usage: wstunnel --config FILE, or wstunnel check, plan, show, status, reload, srv, cli, whois, version; see wstunnel --help

                """)
            exit(ExitCode.validationFailure.rawValue)
        default: await WSTunnel.main(arguments)
        }
    }

    /// Those that the argument parser knows.
    private static let otherCommands: Set<String> = [
        "run", "check", "plan", "show", "status", "reload", "schema", "help",
    ]
}
