import AgentStatus
import ArgumentParser

/// `wstunnel doctor --config tunnels.yaml`
struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Looks for what keeps tunnels from working, from this machine outwards: exit 0, or 1 when it finds some.",
        discussion: """
            Of each tunnel: the server's name, connection, proxy, TLS, clock, whether it lets the tunnel in, and its origins; \
            of each server: port, certificates, public URL. A tunnel that runs is not disturbed: what is dialled takes no \
            requests. No secret is shown.
            """)

    @OptionGroup var agent: AgentOptions

    @Option(help: "Look only at the tunnel or server of this name.")
    var name: String?

    @Option(help: "How to print what was found.")
    var format = OutputFormat.text

    @Flag(help: "The same as --format json.")
    var json = false

    func validate() throws {
        guard agent.config != nil else { throw ValidationError(ConfigurationFile.missing) }
        if let name { try AgentOptions.checkName(name) }
    }

    func run() async throws {
        AgentRun.ignoreBrokenPipes()
        let examination = Examination(
            of: agent.config ?? "", agent: agent.place, name: name, software: Version.text)
        let report = await examination.report()
        try (json ? OutputFormat.json : format).print(
            report, text: DoctorRendering.text(of: report, style: Terminal.outputStyle))
        guard report.isWell else { throw ExitStatus.failure }
    }
}
