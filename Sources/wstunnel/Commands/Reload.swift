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

    @Option(help: "Apply nothing but this plan, by what wstunnel plan calls it behind the word plan.")
    var plan: String?

    @Option(help: "How to print what was done.")
    var format = OutputFormat.text

    func run() throws {
        try Self.tell(
            try agent.ask { client throws(AdminClientError) in
                guard let plan else { return try client.reload() }
                return try client.reload(ifPlanned: plan)
            }, format)
    }

    func validate() throws { try PlanName.check(plan) }

    /// What became of a reload.
    static func tell(_ reload: ReloadSnapshot, _ format: OutputFormat) throws {
        for problem in reload.errors + reload.warnings { Terminal.printToStandardError(problem + "\n") }
        try format.print(reload, text: text(of: reload))
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
