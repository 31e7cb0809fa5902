import AdminAPI
import AgentStatus
import ArgumentParser

/// `wstunnel session 17 --config tunnels.yaml`
struct Session: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Has a session of the running agent finish what is in flight and end.")

    @Argument(help: "Its number: session.id in the log.")
    var id: UInt64

    @Flag(help: "End it at once, with what is in flight.")
    var disconnect = false

    @OptionGroup var agent: AgentOptions

    func run() throws {
        let report = try agent.ask { client throws(AdminClientError) in
            try client.end(session: id, isCut: disconnect)
        }
        let owner = report.server.map { "server \($0)" } ?? "tunnel \(report.tunnel ?? "")"
        print("session \(report.id) of \(owner): \(report.isCut ? "closed" : "finishes and ends")")
    }
}
