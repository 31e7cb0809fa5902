/// The commands whose flags stand for a configuration file.
package enum GoCommand: String, CaseIterable, Sendable {
    case srv, cli
    /// None of the Go program, and with flags of the same kind.
    case connect

    package var flags: GoFlags {
        let declarations =
            switch self {
            case .srv: Self.srvFlags
            case .cli: Self.cliFlags
            case .connect: Self.connectFlags
            }
        return GoFlags(command: "wstunnel \(rawValue)", declarations)
    }

    package var usage: String {
        let purpose =
            switch self {
            case .srv: "Runs a tunnel server. wstunnel --config does the same from a file, and more."
            case .cli: "Runs a tunnel client. wstunnel --config does the same from a file, and more."
            case .connect:
                "Connects standard input and output with the TCP service behind a tunnel, as for ssh -o ProxyCommand."
            }
        return flags.usage(purpose)
    }

    /// How secrets are given so that nobody else sees them.
    var safeSecrets: String {
        switch self {
        case .srv: "use WSTUNNEL_PASSWORDS or -passwords-file"
        case .cli:
            "use WSTUNNEL_TOKEN, WSTUNNEL_PASSWORD, -token-file, -password-file, or a file for --config"
        case .connect: "use WSTUNNEL_TOKEN or -token-file"
        }
    }

    /// The key of the entry's list in a configuration file.
    var listKey: String { self == .srv ? "servers" : "tunnels" }

    private static let connectFlags: [GoFlags.Declaration] = [
        .init("tunnel", .text("URL"), "tunnel server: ws[s]://[user:password@]host[:port][/base-path]"),
        .init("token", .text("TOKEN"), "token of the tunnel; better: WSTUNNEL_TOKEN, -token-file"),
        .init("token-file", .text("FILE"), "file whose first line is the token"),
        .init("insecure", .boolean, "do not verify the tunnel server's certificate"),
        .init("certfile", .text("FILE"), "PEM file of further certificates to trust"),
        .init("pin-sha256", .text("PIN"), "pin of the tunnel server's key; see wstunnel pin"),
        .init("server-name", .text("NAME"), "name that the server's certificate must be for"),
        .init(
            "proxy", .text("URL"),
            "HTTP proxy: http://[user:password@]host[:port], or none; without it the environment counts"),
    ]

    private static let srvFlags: [GoFlags.Declaration] =
        [
            .init("port", .integer("PORT"), default: "80", "port to listen on; 0 lets the kernel choose"),
            .init("host", .text("ADDRESS"), default: "0.0.0.0", "address to listen on"),
            .init("base-path", .text("PATH"), "what stands before all paths, such as /wstunnel"),
            .init(
                "wstimeout", .integer("SECONDS"), default: "30",
                "a tunnel client that was silent for so long is gone; 3 to 600"),
            .init(
                "httptimeout", .integer("SECONDS"), default: "1200",
                "how long a request may wait for a tunnel, and go on without a byte"),
            .init(
                "passwords", .text("LIST"),
                "token:password pairs, with commas between them; better: WSTUNNEL_PASSWORDS, -passwords-file"),
            .init("passwords-file", .text("FILE"), "file with token:password on each line"),
            .init(
                "max-requests-per-tunnel", .integer("COUNT"), default: "20",
                "most requests of one token that wait"),
            .init(
                "max-clients-per-token", .integer("COUNT"), default: "0",
                "most tunnel clients of one token; 0 is any number"),
            .init("robowhois", .text("TOKEN"), "ignored: the service is gone"),
        ] + commonFlags

    private static let cliFlags: [GoFlags.Declaration] =
        [
            .init(
                "token", .text("TOKEN"),
                "token, or token:password; better: WSTUNNEL_TOKEN and WSTUNNEL_PASSWORD, -token-file"),
            .init("token-file", .text("FILE"), "file whose first line is the token"),
            .init("password-file", .text("FILE"), "file whose first line is the token's password"),
            .init("password-prompt", .boolean, "ask for the token's password on the terminal"),
            .init("tunnel", .text("URL"), "tunnel server: ws[s]://[user:password@]host[:port][/base-path]"),
            .init("server", .text("URL"), "web server to send requests to: http[s]://host[:port]"),
            .init("regexp", .text("PATTERN"), "which other web servers callers may name in X-Host"),
            .init(
                "insecure", .boolean, "do not verify certificates, of web servers and of the tunnel server"),
            .init("certfile", .text("FILE"), "PEM file of further certificates to trust"),
            .init(
                "timeout", .integer("SECONDS"), default: "30",
                "a server that was silent for so long is gone; 3 to 600"),
            .init(
                "proxy", .text("URL"),
                "HTTP proxy: http://[user:password@]host[:port], or none; without it the environment counts"),
            .init("client-ports", .text("PORTS"), "local ports to dial from, such as 8000..8100,8300"),
            .init("statusfile", .text("FILE"), "file that is rewritten while the server is alive"),
            .init(
                "reconnect-delay", .integer("SECONDS"), default: "5", "longest wait between two tries"),
            .init(
                "max-retries", .integer("COUNT"), default: "0",
                "failed tries in a row before giving up; 0 is never"),
        ] + commonFlags

    private static let commonFlags: [GoFlags.Declaration] = [
        .init("pidfile", .text("FILE"), "where to write the process id"),
        .init("logfile", .text("FILE"), "where to log to, instead of standard error"),
        .init("syslog", .text("FACILITY"), "syslog facility to log to, such as daemon or local0"),
        .init("log-level", .text("LEVEL"), default: "info", "trace, debug, info, warn or error"),
        .init("log-pretty", .boolean, default: "true", "log lines for people; false: for programs"),
        .init("print-config", .boolean, "print the tunnels.yaml that does the same, and end"),
    ]
}
