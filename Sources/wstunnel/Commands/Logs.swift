import AgentStatus
import ArgumentParser
import Logging

/// `wstunnel logs --follow --config tunnels.yaml`
struct Logs: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints the latest warnings of the running agent; with --follow its log as it is written.",
        discussion: """
            Lines of requests are left out: wstunnel requests tells them. --level debug shows lines that the agent's own \
            log leaves out, and changes nothing there.
            """)

    @OptionGroup var agent: AgentOptions

    @Flag(name: [.long, .customShort("f")], help: "Go on with what is written, until Ctrl-C.")
    var follow = false

    @Option(help: "Only lines about the tunnel of this name.")
    var tunnel: String?

    @Option(help: "Only lines about the server of this name.")
    var server: String?

    @Option(help: "The least important level: trace, debug, info, notice, warning, error, critical.")
    var level = "info"

    @OptionGroup var output: LiveFormat

    func validate() throws {
        for name in [tunnel, server].compactMap(\.self) { try AgentOptions.checkName(name) }
        guard Logger.Level(rawValue: level) != nil else {
            throw ValidationError(
                "there is no such level — one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
    }

    func run() throws {
        var query = "?level=\(level)&follow=\(follow ? "yes" : "no")"
        if let tunnel { query += "&tunnel=\(tunnel)" }
        if let server { query += "&server=\(server)" }
        let style = Terminal.lineStyle
        try Following(agent: agent, target: "/api/logs\(query)", goesOn: follow, noun: "lines").run { event in
            output.line(event, as: LogEntry.self) { entry in
                LogRendering.line(of: entry, time: LiveFormat.time(entry.at), style: style)
            }
        }
    }
}
