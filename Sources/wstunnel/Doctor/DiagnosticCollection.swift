import AdminAPI
import AgentStatus
import FoundationEssentials
import Glibc
import HostSystem
import Supervision
import TunnelConfiguration

/// Gathers what `wstunnel diag` writes, from the machine, the file and the agent; what cannot be had says why.
struct DiagnosticCollection: Sendable {
    /// Of each kind, the latest.
    private static let mostLines = 500
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
        bundle.add(
            "status",
            ask { client throws(AdminClientError) in
                StatusRendering.text(of: try client.status(), most: Self.mostRows)
            })
        bundle.add(
            "plan",
            ask { client throws(AdminClientError) in
                let plan = try client.plan()
                return (plan.errors + plan.warnings).map { $0 + "\n" }.joined()
                    + (plan.plan.map(PlanRendering.text) ?? "a reload would be refused\n")
            })
        bundle.add(
            "events",
            lines("/api/events?follow=no", AgentEvent.self) {
                EventRendering.line(of: $0, time: LiveFormat.time($0.at))
            })
        bundle.add(
            "warnings",
            lines("/api/logs?level=warning&follow=no", LogEntry.self) {
                LogRendering.line(of: $0, time: LiveFormat.time($0.at))
            })
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

    // MARK: The agent

    private func ask(_ question: (AdminClient) throws(AdminClientError) -> String) -> String {
        do throws(AgentFault) {
            return try agent.attempt(question)
        } catch {
            return error.words + "\n"
        }
    }

    private func lines<Value: Decodable>(
        _ target: String, _ type: Value.Type, _ line: (Value) -> String
    ) -> String {
        ask { client throws(AdminClientError) in
            var lines: [String] = []
            _ = try client.follow(target, after: "0") { event in
                guard let value = try? JSONDecoder().decode(type, from: Data(event.data.utf8)) else {
                    return true
                }
                lines.append(line(value) + "\n")
                if lines.count > 2 * Self.mostLines { lines.removeFirst(Self.mostLines) }
                return true
            }
            return lines.suffix(Self.mostLines).joined()
        }
    }
}
