import AdminAPI
import AgentStatus
import ArgumentParser
import Glibc

/// `wstunnel status --config tunnels.yaml`
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tells what the agent that runs by a configuration file is doing.")

    @OptionGroup var agent: AgentOptions

    @Option(help: "How to print it.")
    var format = OutputFormat.text

    @Flag(help: "Print it anew every second, until Ctrl-C.")
    var watch = false

    func run() async throws {
        while true {
            let snapshot = try agent.ask { client throws(AdminClientError) in try client.status() }
            // Where somebody looks, each picture takes the place of the last.
            if watch, format == .text, isatty(STDOUT_FILENO) == 1 {
                print("\u{1b}[H\u{1b}[2J", terminator: "")
            }
            try format.print(snapshot, text: StatusRendering.text(of: snapshot))
            guard watch else { return }
            fflush(nil)
            try await Task.sleep(for: .seconds(1))
        }
    }
}
