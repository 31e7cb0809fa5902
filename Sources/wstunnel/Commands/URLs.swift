import AdminAPI
import AgentStatus
import ArgumentParser

/// `wstunnel urls --config tunnels.yaml`
struct URLs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "urls",
        abstract: "Prints the URLs by which callers reach the tunnels of the agent, one a line.",
        discussion:
            "To a pipe it prints the URLs alone. The exit status is 69 when a name that a tunnel asks for is refused."
    )

    @OptionGroup var agent: AgentOptions

    @Option(help: "How to print it.")
    var format = OutputFormat.text

    func run() throws {
        let snapshot = try agent.ask { client throws(AdminClientError) in try client.status(ofTunnel: nil) }
        let names = snapshot.servers.flatMap { $0.names ?? [] }
        let hosts = snapshot.tunnels.flatMap { $0.hosts ?? [] }
        let style = Terminal.outputStyle
        if format == .text, style.width == nil {
            for url in Set(names.map(\.url) + hosts.compactMap(\.url)).sorted() {
                print(url.undeceiving)
            }
        } else {
            let text = URLRendering.text(of: snapshot, style: style) ?? "no tunnel has a name\n"
            try format.print(NamesReport(names: names, hosts: hosts), text: text)
        }
        for host in hosts {
            guard let refusal = host.refusal else { continue }
            Terminal.printToStandardError("wstunnel: \(host.claim): \(refusal.undeceiving)\n")
        }
        if hosts.contains(where: { $0.refusal != nil }) { throw ExitStatus.down }
    }

    /// What the JSON holds.
    private struct NamesReport: Encodable {
        /// Of this agent's servers.
        let names: [NamedTunnel]
        /// That its tunnels ask for.
        let hosts: [HostSnapshot]
    }
}
