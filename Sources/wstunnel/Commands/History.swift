import AdminAPI
import AgentStatus
import ArgumentParser
import TunnelConfiguration

/// `wstunnel history --config tunnels.yaml --since 1h --errors`
struct History: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Tells what happened to the running agent: its events, or with --errors all that went wrong.")

    @OptionGroup var agent: AgentOptions

    @Flag(help: "Print what went wrong: events that are errors, and requests that failed.")
    var errors = false

    @Flag(help: "Print requests in place of events.")
    var requests = false

    @Flag(help: "Print what servers and tunnels carried in each minute in place of events.")
    var minutes = false

    @Option(help: "Not what is older: 30m, 1h, 2d.")
    var since: String?

    @Option(help: "Not what is newer: 30m, 1h, 2d.")
    var until: String?

    @Option(help: "Only of this tunnel: its name, or its shortened token as requests show it.")
    var tunnel: String?

    @Option(help: "Only of this tunnel server.")
    var server: String?

    @Option(help: "Only events of this kind, such as session-down.")
    var kind: String?

    @Option(help: "Only requests with this status: 404, or 5xx.")
    var status: String?

    @Option(help: "The latest so many, 1 to 1000.")
    var limit = HistoryQuery.usualRows

    @Option(help: "How to print it.")
    var format = OutputFormat.text

    func validate() throws {
        guard !(requests && minutes) else {
            throw ValidationError("ask for requests or for minutes, one after the other")
        }
        guard kind == nil || !(requests || minutes) else { throw ValidationError("--kind is of events") }
        guard status == nil || requests else { throw ValidationError("--status goes with --requests") }
        guard (1...HistoryQuery.mostRows).contains(limit) else {
            throw ValidationError("--limit is 1 to \(HistoryQuery.mostRows)")
        }
        for text in [since, until].compactMap(\.self) {
            guard DurationText.parse(text) != nil, Int(text) == nil else {
                throw ValidationError("\"\(text)\" is no duration — write one like 30m, 1h or 2d")
            }
        }
    }

    func run() throws {
        var page = try ask(requests ? .requests : minutes ? .minutes : .events)
        if errors, !requests, !minutes, kind == nil { page.requests = try ask(.requests).requests }
        try format.print(page, text: HistoryRendering.text(of: page, style: Terminal.outputStyle))
    }

    private func ask(_ subject: HistoryQuery.Subject) throws -> HistoryPage {
        var parameters: [(name: String, value: String)] = [("limit", "\(limit)")]
        let others: [(String, String?)] = [
            ("since", since), ("until", until), ("tunnel", tunnel), ("server", server),
            ("kind", subject == .events ? kind : nil), ("status", subject == .requests ? status : nil),
            ("errors-only", errors ? "true" : nil),
        ]
        for (name, value) in others { if let value { parameters.append((name, value)) } }
        return try agent.ask { client throws(AdminClientError) in try client.history(subject, parameters) }
    }
}
