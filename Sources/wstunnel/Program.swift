import ArgumentParser
import Glibc
import GoCommands

/// Where the program starts: the commands of the Go program go their own way, with its flags.
@main
enum Program {
    static func main() async {
        let arguments = ArgumentMemory.takeArguments()
        switch arguments.first {
        case "srv": exit(await RunGoCommand(.srv).run(Array(arguments.dropFirst())))
        case "cli": exit(await RunGoCommand(.cli).run(Array(arguments.dropFirst())))
        case "whois": exit(WhoisCommand.run(Array(arguments.dropFirst())))
        case "version", "-version": print(Version.text)
        default: await WSTunnel.main(arguments)
        }
    }
}
