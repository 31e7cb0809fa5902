import AdminAPI
import AgentStatus
import ArgumentParser
import TunnelConfiguration

/// `wstunnel requests --follow --config tunnels.yaml`
struct Requests: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints the requests of the running agent's servers as they end, until Ctrl-C.",
        discussion: """
            A line tells what was answered, how long it took, and where the time to the first byte went: waiting for a \
            session, in the tunnel, at the origin, as far as the tunnel client tells. Queries of URLs are left out.
            """)

    @OptionGroup var agent: AgentOptions

    @Flag(name: [.long, .customShort("f")], help: "Go on until Ctrl-C: it always does.")
    var follow = false

    @Option(help: "Only those to the tunnel of this name, or whose token begins so.")
    var tunnel: String?

    @Option(help: "Only those of the server of this name.")
    var server: String?

    @Flag(help: "Only those that went wrong: a status of 500 and above, or no whole answer.")
    var errors = false

    @Option(help: "Only those that took at least so long, such as 500ms.")
    var slow: String?

    @OptionGroup var output: LiveFormat

    func validate() throws {
        for name in [tunnel, server].compactMap(\.self) { try AgentOptions.checkName(name) }
        guard slow.map({ DurationText.parse($0) != nil }) != false else {
            throw ValidationError("--slow is no duration — write one, such as 500ms or 2s")
        }
    }

    func run() throws {
        let hints = try tunnel.map(hints(of:))
        let least = slow.flatMap(DurationText.parse) ?? .zero
        let style = Terminal.lineStyle
        let isWanted = { (request: RequestSnapshot) in
            hints.map { isOfTunnel(request, $0) } ?? true
        }
        // The agent leaves out the others, so that of many requests those that are looked for come.
        let query = [
            server.map { "server=\($0)" }, errors ? "errors=yes" : nil,
            least > .zero ? "slower=\(Int64(least / .milliseconds(1)))" : nil,
        ].compactMap(\.self).joined(separator: "&")
        let target = "/api/requests" + (query.isEmpty ? "" : "?\(query)")
        try Following(agent: agent, target: target, goesOn: true, noun: "requests").run { event in
            output.line(event, as: RequestSnapshot.self, where: isWanted) { request in
                RequestRendering.line(of: request, time: LiveFormat.time(request.at), style: style)
            }
        }
    }

    /// The shortened tokens of a tunnel: requests bear no other name of it.
    private func hints(of tunnel: String) throws -> Set<String> {
        // One lists many tokens, but not all; the other all of that name.
        let status = try agent.ask { client throws(AdminClientError) in try client.status() }
        let narrowed = try agent.ask { client throws(AdminClientError) in
            try client.status(ofTunnel: tunnel)
        }
        let tokens = (status.servers + narrowed.servers).flatMap { $0.connected ?? [] }
        let named = tokens.filter { $0.name == tunnel || $0.tokenHint.hasPrefix(tunnel) }.map(\.tokenHint)
        let own = status.tunnels.filter { $0.name == tunnel }.map(\.tokenHint)
        let hints = Set(named + own)
        guard hints.isEmpty else {
            if narrowed.unlistedTokens > 0 {
                Terminal.printToStandardError(
                    "wstunnel: \(narrowed.unlistedTokens) more tokens of that name are not listed: theirs are left out\n"
                )
            }
            return hints
        }
        guard status.unlistedTokens > 0 else {
            Terminal.printToStandardError("wstunnel: no tunnel of that name is up here\n")
            throw ExitStatus.down
        }
        Terminal.printToStandardError(
            "wstunnel: no tunnel of that name is up here; waiting for requests with tokens that begin so\n")
        return hints
    }

    /// By its shortened token, also where that is none of those that are listed.
    private func isOfTunnel(_ request: RequestSnapshot, _ hints: Set<String>) -> Bool {
        guard let hint = request.tokenHint else { return false }
        return hints.contains(hint) || tunnel.map { hint.hasPrefix($0) } == true
    }
}
