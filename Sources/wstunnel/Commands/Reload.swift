import AdminAPI
import AgentStatus
import ArgumentParser

/// `wstunnel reload --config tunnels.yaml`
struct Reload: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Has the running agent apply its configuration file: exit 0 when it is in force, 78 when refused."
    )

    @OptionGroup var agent: AgentOptions

    @Option(help: "How to print what was done.")
    var format = OutputFormat.text

    func run() throws {
        let reload = try agent.ask { client throws(AdminClientError) in try client.reload() }
        for problem in reload.errors + reload.warnings { Terminal.printToStandardError(problem + "\n") }
        try format.print(reload, text: Self.text(of: reload))
        if reload.outcome == .refused { throw ExitStatus.badConfiguration }
    }

    private static func text(of reload: ReloadSnapshot) -> String {
        switch reload.outcome {
        case .applied: PlanRendering.text(of: reload.plan) + "in force: generation \(reload.generation)\n"
        case .unchanged: PlanRendering.text(of: reload.plan)
        case .refused: "not applied; still running generation \(reload.generation)\n"
        }
    }
}
