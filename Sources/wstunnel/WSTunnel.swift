import ArgumentParser

/// The program's arguments.
@main
struct WSTunnel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wstunnel",
        abstract: "Makes services behind firewalls reachable, through WebSocket tunnels.",
        discussion: """
            wstunnel --config tunnels.yaml starts every tunnel server and tunnel client that the file describes. \
            SIGTERM and SIGINT finish what is in flight, a second one ends at once.
            """,
        version: Version.text,
        subcommands: [Run.self, Check.self],
        defaultSubcommand: Run.self)
}

/// What `--version` and our peers are told.
enum Version {
    static let text = "wstunnel 0.1.0"
}

/// The exit codes beside 0 and those of the argument parser (64: wrong usage).
enum ExitStatus {
    /// The agent could not start or was told to end at once.
    static let failure = ExitCode(1)
    /// The configuration has errors (EX_CONFIG of sysexits.h).
    static let badConfiguration = ExitCode(78)
}
