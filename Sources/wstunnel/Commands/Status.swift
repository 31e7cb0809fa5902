import AdminAPI
import AgentStatus
import ArgumentParser
import Glibc

/// `wstunnel status --config tunnels.yaml`
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tells what the agent that runs by a configuration file is doing.",
        discussion: "The exit status is 69 when something that should be up is down.")

    @OptionGroup var agent: AgentOptions

    @Option(help: "How to print it.")
    var format = OutputFormat.text

    @Flag(help: "Print nothing but what is down or out of order.")
    var problems = false

    @Option(help: "Print nothing but the tunnels of this name, of either end.")
    var tunnel: String?

    @Flag(help: "Print it anew every second, until Ctrl-C.")
    var watch = false

    func validate() throws {
        let isName = tunnel?.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isName != false, tunnel != "" else {
            throw ValidationError("the name of a tunnel is made of letters, digits, \"_\", \".\" and \"-\"")
        }
    }

    func run() async throws {
        while true {
            var snapshot = try agent.ask { client throws(AdminClientError) in
                try client.status(ofTunnel: tunnel)
            }
            if let tunnel { snapshot = snapshot.narrowed(toTunnel: tunnel) }
            let isMissing = tunnel != nil && snapshot.servers.isEmpty && snapshot.tunnels.isEmpty
            let isDown = isMissing || !snapshot.problems.isEmpty
            let style = Terminal.outputStyle
            // Where somebody looks, each picture takes the place of the last.
            if watch, format == .text, style.width != nil {
                print("\u{1b}[H\u{1b}[2J", terminator: "")
            }
            if isMissing, format == .text {
                // Whatever else there is would not be what was asked for.
            } else if problems {
                try format.print(
                    snapshot.troubled, text: StatusRendering.problems(of: snapshot, style: style))
            } else {
                try format.print(snapshot, text: StatusRendering.text(of: snapshot, style: style))
            }
            if isMissing { Terminal.printToStandardError("wstunnel: no tunnel of that name is up here\n") }
            guard watch else {
                if isDown { throw ExitStatus.down }
                return
            }
            fflush(nil)
            try await Task.sleep(for: .seconds(1))
        }
    }
}
