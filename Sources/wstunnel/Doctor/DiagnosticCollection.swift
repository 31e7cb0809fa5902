import AdminAPI
import AgentStatus
import Glibc
import HostSystem
import Supervision
import TunnelConfiguration

/// Gathers what `wstunnel diag` writes, from the machine, the file and the agent; what cannot be had says why.
struct DiagnosticCollection: Sendable {
    /// Rows of each table of the status.
    private static let mostRows = 500

    let path: String
    let agent: AgentPlace
    let software: String
    /// When, as it is shown.
    let time: String

    /// - Parameter dials: whether servers, origins and URLs are asked.
    func bundle(dials: Bool) async -> (DiagnosticBundle, Redaction) {
        let report = loadConfiguration(at: path, from: SystemConfigurationSource.ofAgent())
        var bundle = DiagnosticBundle("\(software) diagnostics of \(time)")
        bundle.add("machine", machine)
        bundle.add("configuration", configuration(report))
        let doctor = await Examination(of: path, agent: agent, name: nil, software: software)
            .report(dials: dials)
        bundle.add(dials ? "doctor" : "doctor (offline)", DoctorRendering.text(of: doctor))
        do throws(AgentFault) {
            let told = try agent.attempt { client throws(AdminClientError) in try client.diagnostics() }
            addAgent(told, to: &bundle)
        } catch {
            bundle.add("agent", error.words + "\n")
        }
        return (bundle, Redaction(report.configuration?.secrets ?? []))
    }

    private var machine: String {
        var name = utsname()
        uname(&name)
        let system = withUnsafeBytes(of: &name.sysname) { Self.text($0) }
        let release = withUnsafeBytes(of: &name.release) { Self.text($0) }
        let hardware = withUnsafeBytes(of: &name.machine) { Self.text($0) }
        let distribution = Self.file("/etc/os-release").split(separator: "\n")
            .first { $0.hasPrefix("PRETTY_NAME=") }.map { String($0.dropFirst(12)) }
        let limit = OpenFileLimit.current.map { "\($0)" } ?? "not known"
        return """
            \(software)
            \(system) \(release) \(hardware), \(distribution ?? "distribution not known")
            cores: \(sysconf(CInt(_SC_NPROCESSORS_ONLN)))
            files open at most: \(limit)
            \(Self.file("/proc/meminfo").split(separator: "\n").prefix(3).joined(separator: "\n"))
            control group's memory: \(ControlGroup.memoryLimit.map { "\($0 >> 20) MiB" } ?? "not limited")
            """
    }

    private static func text(_ bytes: UnsafeRawBufferPointer) -> String {
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    private static func file(_ path: String) -> String {
        guard let file = try? OwnedDescriptor(open(path, O_RDONLY | O_CLOEXEC)), let bytes = try? file.read()
        else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func configuration(_ report: ConfigurationReport) -> String {
        let problems = (report.lines(.error) + report.lines(.warning)).map { "# \($0)\n" }.joined()
        guard let configuration = report.configuration else { return problems }
        return problems + ConfigurationRendering.yaml(of: configuration.effective(readFrom: path))
    }

    private func addAgent(_ told: DiagnosticSnapshot, to bundle: inout DiagnosticBundle) {
        bundle.add("status", StatusRendering.text(of: told.status, most: Self.mostRows))
        let plan = told.plan
        bundle.add(
            "plan",
            (plan.errors + plan.warnings).map { $0 + "\n" }.joined()
                + (plan.plan.map(PlanRendering.text) ?? "a reload would be refused\n"))
        bundle.add(
            "events",
            told.events.map { EventRendering.line(of: $0, time: LiveFormat.time($0.at)) + "\n" }.joined())
        bundle.add(
            "warnings",
            told.warnings.map { LogRendering.line(of: $0, time: LiveFormat.time($0.at)) + "\n" }.joined())
        let memory = told.process.residentBytes.map { "\($0 >> 20) MiB" } ?? "not known"
        let processor = told.process.cpuMilliseconds.map { "\($0) ms" } ?? "not known"
        let reasons = told.readiness.reasons.joined(separator: ", ")
        bundle.add(
            "process",
            """
            ready: \(told.readiness.isReady ? "yes" : "no, \(reasons)")
            memory: \(memory)
            files open: \(told.process.openFiles)
            processor time: \(processor)
            sessions: \(told.sessionCount)

            """)
    }
}
