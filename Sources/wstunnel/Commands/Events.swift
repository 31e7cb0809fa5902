import AgentStatus
import ArgumentParser

/// `wstunnel events --follow --config tunnels.yaml`
struct Events: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints what happened to the running agent; with --follow what happens.",
        discussion:
            "Sessions that come and go, reloads, bans, limits, origins: the latest few thousand are kept.")

    @OptionGroup var agent: AgentOptions

    @Flag(name: [.long, .customShort("f")], help: "Go on with what happens, until Ctrl-C.")
    var follow = false

    @Option(parsing: .singleValue, help: "Only events of this kind, such as session-down; may be repeated.")
    var kind: [String] = []

    @Option(help: "Only events about the tunnel of this name.")
    var tunnel: String?

    @Option(help: "Only events about the server of this name.")
    var server: String?

    @OptionGroup var output: LiveFormat

    func validate() throws {
        for name in [tunnel, server].compactMap(\.self) { try AgentOptions.checkName(name) }
        guard kind.allSatisfy({ AgentEvent.Kind(rawValue: $0) != nil }) else {
            let kinds = AgentEvent.Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("there is no such kind — one of \(kinds)")
        }
    }

    func run() throws {
        let style = Terminal.lineStyle
        let isWanted = { (event: AgentEvent) in
            (kind.isEmpty || kind.contains(event.kind.rawValue))
                && (tunnel.map { event.tunnel == $0 } ?? true) && (server.map { event.server == $0 } ?? true)
        }
        let target = "/api/events" + (follow ? "" : "?follow=no")
        try Following(agent: agent, target: target, goesOn: follow, id: "0", noun: "events").run { event in
            output.line(event, as: AgentEvent.self, where: isWanted) { event in
                EventRendering.line(of: event, time: LiveFormat.time(event.at), style: style)
            }
        }
    }
}
