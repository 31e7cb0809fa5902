import ArgumentParser

/// The program's arguments, but for those commands that take the flags of the Go program.
struct WSTunnel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wstunnel",
        abstract: "Makes services behind firewalls reachable, through WebSocket tunnels.",
        discussion: """
            wstunnel --config tunnels.yaml starts every tunnel server and tunnel client that the file describes. \
            SIGTERM and SIGINT finish what is in flight, a second one ends at once. \
            srv, cli and whois are the commands of the Go program, with its flags: wstunnel help srv lists them.
            """,
        version: Version.text,
        subcommands: [
            Run.self, Check.self, Plan.self, Pin.self, Hash.self, Show.self, Status.self, Top.self,
            Events.self, Requests.self, Logs.self, History.self, URLs.self, Explain.self, Doctor.self,
            Diag.self, Reload.self, Rollback.self, Pause.self, Resume.self, Bans.self, Unban.self,
            BlockToken.self, UnblockToken.self, Session.self, LogLevel.self,
            Schema.self,
            Srv.self,
            Cli.self, Connect.self,
            Whois.self, PrintVersion.self,
        ],
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
    /// Something that should be up is down (EX_UNAVAILABLE of sysexits.h).
    static let down = ExitCode(69)
    /// The configuration has errors (EX_CONFIG of sysexits.h).
    static let badConfiguration = ExitCode(78)
}
