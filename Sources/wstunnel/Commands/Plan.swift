import AdminAPI
import AgentStatus
import ArgumentParser
import HostSystem
import Reconciliation
import TunnelConfiguration

/// `wstunnel plan --config tunnels.yaml`
struct Plan: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tells what a reload would do: exit 0, or 78 when it would be refused.",
        discussion:
            "The running agent reads its file as a reload would; with --against two files are compared here.")

    @OptionGroup var agent: AgentOptions

    @Option(help: "Compare with this file instead of the running agent: what leads from it to --config.")
    var against: String?

    @Option(help: "How to print it.")
    var format = OutputFormat.text

    func validate() throws {
        guard against == nil || agent.config != nil else {
            throw ValidationError(ConfigurationFile.missing)
        }
    }

    func run() throws {
        let report =
            if let against, let config = agent.config {
                try compare(against, config)
            } else {
                try agent.ask { client throws(AdminClientError) in try client.plan() }
            }
        for problem in report.errors + report.warnings { Terminal.printToStandardError(problem + "\n") }
        try format.print(report, text: PlanRendering.text(of: report) ?? "a reload would be refused\n")
        if report.plan == nil { throw ExitStatus.badConfiguration }
    }

    private func compare(_ before: String, _ after: String) throws -> PlanReport {
        let source = SystemConfigurationSource.ofAgent()
        let reports = [before, after].map { loadConfiguration(at: $0, from: source) }
        let errors = reports.flatMap { $0.lines(.error) }
        let warnings = reports.flatMap { $0.lines(.warning) }
        guard let running = reports[0].configuration, let desired = reports[1].configuration else {
            return PlanReport(plan: nil, errors: errors, warnings: warnings)
        }
        return PlanReport(
            plan: ReloadPlan(running: running, desired: desired).snapshot, errors: errors, warnings: warnings)
    }
}
