import ArgumentParser
import GoCommands

// The commands that read their arguments themselves, for help and completions: `Program` sees to them before.

/// `wstunnel srv -port 8080`
struct Srv: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs one tunnel server, told by the flags of the Go program.",
        discussion: "wstunnel srv -h lists the flags.", helpNames: [])

    @Argument(parsing: .captureForPassthrough, completion: .list(GoCommand.srv.flags.words))
    var flags: [String] = []

    func run() async throws { throw ExitCode(await RunGoCommand(.srv).run(flags)) }
}

/// `wstunnel cli -tunnel ws://tunnel.example.com -server http://localhost`
struct Cli: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs one tunnel client, told by the flags of the Go program.",
        discussion: "wstunnel cli -h lists the flags.", helpNames: [])

    @Argument(parsing: .captureForPassthrough, completion: .list(GoCommand.cli.flags.words))
    var flags: [String] = []

    func run() async throws { throw ExitCode(await RunGoCommand(.cli).run(flags)) }
}

/// `wstunnel connect -tunnel wss://tunnel.example.com -token-file token`
struct Connect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Connects standard input and output with the TCP service behind a tunnel.",
        discussion: "wstunnel connect -h lists the flags.", helpNames: [])

    @Argument(parsing: .captureForPassthrough, completion: .list(GoCommand.connect.flags.words))
    var flags: [String] = []

    func run() async throws { throw ExitCode(await ConnectCommand().run(flags)) }
}

/// `wstunnel whois 192.0.2.1`
struct Whois: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tells the DNS name of an address and whose it is.",
        discussion: "wstunnel whois -h lists the flags.", helpNames: [])

    @Argument(parsing: .captureForPassthrough, completion: .list(WhoisArguments.flags.words))
    var flags: [String] = []

    func run() throws { throw ExitCode(WhoisCommand.run(flags)) }
}

/// `wstunnel version`
struct PrintVersion: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Prints the version.")

    func run() { print(Version.text) }
}

extension GoFlags {
    /// As one types them.
    fileprivate var words: [String] { declarations.map { "-\($0.name)" } + ["-h"] }
}
