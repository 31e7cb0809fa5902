import AdminAPI
import AgentStatus
import ArgumentParser

/// `wstunnel rollback --config tunnels.yaml`
struct Rollback: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Has the running agent go back to the configuration that was in force before.",
        discussion: """
            Without --yes it tells what that would do, and does nothing. The file is neither read nor written: the next \
            reload applies it again. Once more rolls forward.
            """)

    @OptionGroup var agent: AgentOptions

    @Flag(help: "Do it.")
    var yes = false

    @Option(help: "Do nothing but this, by what was told behind the word plan.")
    var plan: String?

    @Option(help: "How to print what was done, or would be.")
    var format = OutputFormat.text

    func validate() throws { try PlanName.check(plan) }

    func run() throws {
        guard yes else {
            let report = try agent.ask { client throws(AdminClientError) in try client.rollbackPlan() }
            for problem in report.errors + report.warnings { Terminal.printToStandardError(problem + "\n") }
            let text = PlanRendering.text(of: report).map { $0 + "nothing is done without --yes\n" }
            try format.print(report, text: text ?? "a rollback would be refused\n")
            if report.plan == nil { throw ExitStatus.failure }
            return
        }
        try Reload.tell(
            try agent.ask { client throws(AdminClientError) in try client.rollback(ifPlanned: plan) }, format)
    }
}

/// What plans are called.
enum PlanName {
    static func check(_ name: String?) throws {
        let isOne = name?.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
        }
        guard isOne != false, name != "" else {
            throw ValidationError("that names no plan: the last line of wstunnel plan does, such as g3-0f…")
        }
    }
}
